"""Names of losses and options in other libraries, with the answers that errors give: the name here, or advice."""

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


# Option names, with the advice of the error for each.
FOREIGN_NAMES = {
    # MONAI
    "to_onehot_y": "class indices are read as they are; leave it out.",
    "sigmoid": "losses take logits; one channel means sigmoid, and for several pass mode='multilabel'.",
    "softmax": "losses take logits; class indices mean softmax, one-hot targets need mode='multiclass'.",
    "use_softmax": "losses take logits; class indices mean softmax, one-hot targets need mode='multiclass'.",
    "other_act": "apply it to the model's output and pass from_logits=False.",
    "activation": "losses take logits; apply any other activation to the model's output and pass from_logits=False.",
    "w_type": "it weights the classes of a sample by their volume; write a RegionLoss with per_sample(total), in "
    "which total.target is the volume.",
    "lambda_gdl": "multiply the loss instead: 0.5 * loss.",
    "squared_pred": "it is squared=True (Dice).",
    "jaccard": "use JaccardLoss.",
    "smooth_nr": "smooth is added to the numerator and the denominator; MONAI's smooth_nr = smooth_dr is smooth here.",
    "smooth_dr": "smooth is added to the numerator and the denominator; MONAI's smooth_nr = smooth_dr is smooth here.",
    "batch": "it is pool='batch' (True) or pool='sample' (False).",
    "soft_label": "it is overlap='l1'.",
    "lambda_dice": "it is dice_weight.",
    "lambda_ce": "it is ce_weight.",
    "lambda_focal": "it is focal_weight.",
    "include_background": "every class counts here; class_weight=[0.0, 1.0, ...] leaves class 0 out.",
    # nnU-Net
    "batch_dice": "it is pool='batch' (True) or pool='sample' (False).",
    "do_bg": "it is include_background.",
    "apply_nonlin": "losses take logits; leave it out, or pass from_logits=False for probabilities.",
    "weight_dice": "it is dice_weight.",
    "weight_ce": "it is ce_weight.",
    "soft_dice_kwargs": "the options of both parts are options of the sum.",
    "ce_kwargs": "the options of both parts are options of the sum.",
    "bce_kwargs": "the options of both parts are options of the sum.",
    "ddp": "wrap the loss in losskit.distributed.sync(criterion).",
    # segmentation_models_pytorch, pytorch_toolbelt
    "classes_weights": "it is class_weight.",
    "class_weights": "it is class_weight.",
    "log_loss": "it is log=True in DiceLoss; for the logarithm of another index, define the formula with "
    "@losskit.region_loss.",
    "eps": "there is none: nothing here divides by zero.",
    "smooth_factor": "it is label_smoothing; smp's BCE smooth_factor e is label_smoothing 2e.",
    "per_image": "it is pool='sample' (True) or pool='batch' (False).",
    "reduced_threshold": "there is none; gamma alone down-weights well-classified elements.",
    "softmax_dim": "classes are dimension 1; pass input.movedim(-1, 1) where they come last.",
    "dim": "classes are dimension 1; pass input.movedim(-1, 1) where they come last.",
    "dims": "regions are pooled with pool='sample' or pool='batch'.",
    "normalized": "divide by what you like with normalizer= at the call.",
    # timm, kornia, Keras, MMSegmentation
    "smoothing": "it is label_smoothing.",
    "smooth_dense": "label_smoothing smooths soft and hard targets alike.",
    "sum_classes": "the mean is over every element; multiply the loss by the number of classes.",
    "target_threshold": "compare the target yourself: (target > 0.5).",
    "average": "classes are averaged ('macro'); for 'micro', kornia's default, write a RegionLoss with "
    "per_sample(total) that adds the totals of the classes first.",
    "axis": "classes are dimension 1; pass input.movedim(-1, 1) where they come last.",
    "apply_class_balancing": "it is alpha; None leaves classes unweighted.",
    "epsilon": "there is none: nothing here divides by zero.",
    "use_sigmoid": "losses take logits; one channel means sigmoid, several need mode='multilabel'.",
    "loss_weight": "multiply the loss instead: 0.5 * loss.",
    "avg_non_ignore": "means are always over the elements that count; leave it out.",
    # PyTorch
    "weight": "per-class weights are class_weight; per-element weights are given at the call, as weight=.",
    "size_average": "it is reduction='mean' or 'sum'.",
    "reduce": "it is reduction='none' (False) or reduction='mean' (True).",
    "weights": "per-class weights are class_weight; per-element weights are given at the call, as weight=.",
    "pos_weights": "it is pos_weight.",
    "pos_weight": "only BCEWithLogitsLoss has it; a focal loss with weight w of the positives is (1 + w) * "
    "FocalLoss(alpha=w / (1 + w)).",
    "logits": "use from_logits.",
    "num_classes": "the number of classes is read from the input; leave it out.",
    "n_classes": "the number of classes is read from the input; leave it out.",
    "ignore_label": "it is ignore_index.",
    "ignore_value": "it is ignore_index.",
    "ignore": "it is ignore_index.",
    "threshold": "losses take no threshold; criterion.score thresholds at a half.",
    "lambda_": "multiply the loss: 0.5 * loss.",
}

# Advice for values of options.
FOREIGN_VALUES = {
    ("mode", "binary"): ". One channel is binary by itself: leave mode out.",
    ("reduction", "elementwise_mean"): '. Pass reduction="mean".',
    ("reduction", "batchmean"): '. Only KLDivLoss has it: pass reduction="mean".',
}
