"""Names of losses in other libraries, with the name of the same loss here, or the answer that there is none."""

from __future__ import annotations

import re

_OTHER_KIND = "it compares images rather than labels or numbers, and is not available here"
_INFORMATION = "mutual information of images, for registration, is not available here"
_MEASURES = "it computes class weights or builds a loss: pass class_weight= to the loss, or losskit.build(text)"

# Names without case, underscores, "loss", a trailing 2d or 3d and "jit".
_ANSWERS = {
    "bce": "it is BCEWithLogitsLoss; of probabilities, with from_logits=False",
    "binarycrossentropy": "it is BCEWithLogitsLoss; of probabilities, with from_logits=False",
    "softbcewithlogits": "it is BCEWithLogitsLoss(label_smoothing=...)",
    "softcrossentropy": "it is CrossEntropyLoss(label_smoothing=...), which takes soft targets too",
    "softtargetcrossentropy": "it is CrossEntropyLoss, which takes soft targets, (N, C), as well as class indices",
    "labelsmoothingcrossentropy": "it is CrossEntropyLoss(label_smoothing=...)",
    "jsdcrossentropy": "it is JSDConsistencyLoss",
    "polycrossentropy": "it is PolyLoss",
    "polybinarycrossentropy": "it is PolyLoss",
    "asymmetricmultilabel": "it is AsymmetricLoss",
    "asymmetricsinglelabel": "it is AsymmetricSoftmaxLoss",
    "sigmoidfocal": "it is FocalLoss; there the default is reduction='none'",
    "sigmoidfocalstar": "the focal loss star is not available here; FocalLoss is",
    "binaryfocal": "it is FocalLoss, of one channel or mode='multilabel'",
    "binaryfocalwithlogits": "it is FocalLoss, of one channel or mode='multilabel'",
    "focalwithlogits": "it is FocalLoss, of one channel or mode='multilabel'",
    "softmaxfocalwithlogits": "it is FocalLoss, of class indices",
    "crossentropyfocal": "it is FocalLoss, of class indices",
    "focalcosine": "it is FocalCosineLoss",
    "balancedbcewithlogits": "it is BalancedBCELoss",
    "balancedbinarycrossentropywithlogits": "it is BalancedBCELoss",
    "bitemperedlogistic": "it is BiTemperedLoss",
    "binarybitemperedlogistic": "it is BiTemperedLoss of two classes",
    "binarylovasz": "it is LovaszLoss, of one channel",
    "lovaszhinge": "it is LovaszLoss, of one channel or mode='multilabel'",
    "lovaszsoftmax": "it is LovaszLoss, of class indices",
    "binarysoftf1": "it is FBetaLoss(beta=1), of one channel",
    "softf1": "it is FBetaLoss(beta=1)",
    "asymmetricunifiedfocal": "it is UnifiedFocalLoss(asymmetric=True)",
    "maskeddice": "it is DiceLoss with mask= at the call",
    "masked": "every loss takes mask= at the call",
    "deepsupervision": "it is losskit.DeepSupervisionLoss(criterion), which wraps a loss",
    "softcldice": "it is CLDiceLoss",
    "softdicecldice": "it is DiceCLDiceLoss",
    "hausdorffdt": "it is HausdorffLoss",
    "loghausdorffdt": "it is HausdorffLoss(log=True)",
    "hausdorffer": "it is ErosionHausdorffLoss",
    "generalizedboxiou": "it is GIoULoss",
    "distanceboxiou": "it is DIoULoss",
    "completeboxiou": "it is CIoULoss",
    "boxgiou": "it is GIoULoss",
    "nll": "it is NLLLoss",
    "kldiv": "it is KLDivLoss, of log-probabilities",
    "jsdiv": "the Jensen-Shannon divergence of heatmaps is not available here; KLDivLoss is",
    "adaptivelogsoftmaxwith": "it is a layer with parameters: torch.nn.AdaptiveLogSoftmaxWithLoss",
    "linearcrossentropy": "it contains a model's last layer: torch.nn has it, and CrossEntropyLoss takes its logits",
    "tripletmarginwithdistance": "a user-defined distance is not available here; TripletMarginLoss has p-norms",
    "contrastive": "contrastive losses of two views are not available here",
    "barlowtwins": "losses of two views are not available here",
    "diffusion": "it regularizes a deformation, and is not available here",
    "bendingenergy": "it regularizes a deformation, and is not available here",
    "nacl": "label smoothing by neighbouring pixels is not available here; MarginSmoothingLoss is",
    "multiscale": "it blurs the images of another loss, and is not available here",
    "patchadversarial": "adversarial losses are not available here",
    "sure": "it runs the model itself, and is not available here",
    "jukebox": _OTHER_KIND,
    "perceptual": _OTHER_KIND,
    "ssim": _OTHER_KIND,
    "msssim": _OTHER_KIND,
    "psnr": _OTHER_KIND,
    "inversedepthsmoothness": _OTHER_KIND,
    "localnormalizedcrosscorrelation": _OTHER_KIND,
    "globalmutualinformation": _INFORMATION,
    "mutualinformation": _INFORMATION,
    "normalizedmutualinformation": _INFORMATION,
    "mifromref": _INFORMATION,
    "nmifromref": _INFORMATION,
    "computeclassweights": _MEASURES,
    "loadclassweights": _MEASURES,
    "resolveclassweights": _MEASURES,
    "loadclassstats": _MEASURES,
    "createclassification": _MEASURES,
}


def answer(name: str) -> str | None:
    """The answer for a loss name of another library, or None for an unknown name."""
    return _ANSWERS.get(re.sub(r"_|loss|[23]d(?=_|$|loss|jit)|jit$", "", name.lower()))
