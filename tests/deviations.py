"""Intended differences from losses of the same name elsewhere: their behaviour, ours and the line of the contract.

Each row has both numbers; test_agreements.py checks that they differ.
"""

from __future__ import annotations

from collections.abc import Callable
from math import nan
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F

from losskit import (
    BCEWithLogitsLoss,
    CrossEntropyLoss,
    CTCLoss,
    DiceFocalLoss,
    DiceLoss,
    FocalLoss,
    FocalTverskyLoss,
    JaccardLoss,
    LovaszLoss,
    MultiMarginLoss,
)
from peers import binary, multiclass, one_hot, peer

ERROR = "an error"
Value = Any  # a tensor of one element, a float, or ERROR


class Deviation(NamedTuple):
    library: str
    loss: str
    theirs: str
    ours: str
    line: int  # of the contract
    values: Callable[[], tuple[Value, Value]]


X, T = binary()  # (3, 1, 6, 5), positives and negatives in every sample
Z, Y = multiclass()  # (3, 4, 6, 5), every sample with every class
ONE = torch.where(Y == 3, 0, Y)  # class 3 nowhere
SOME = torch.cat([ONE[:1], Y[1:]])  # class 3 not in the first sample
IGNORED = torch.where(Y == 2, -100, Y)
ALL = torch.full_like(Y, -100)
SOFT = binary(seed=3)[0].sigmoid()
ROWS = binary((7, 4))
W = torch.tensor([0.5, 2.0, 1.0, 3.0], dtype=torch.float64)
LABELS = torch.tensor([0, 1, 2, 3, 1, 3, 0])
MASK = torch.rand(Y.shape, generator=torch.Generator().manual_seed(2)) < 0.6
SPOKEN = multiclass((6, 3))[0].log_softmax(1).unsqueeze(1), torch.tensor([[1, 2]]), torch.tensor([6]), torch.tensor([2])
CERTAIN = torch.tensor([[800.0]], dtype=torch.float64)  # p is exactly 1


def slope(loss: Callable[..., Any], x: Any, *target: Any) -> Any:
    """The length of the gradient at x."""
    x = x.clone().requires_grad_()
    return torch.autograd.grad(loss(x, *target), x)[0].norm()


def refused(call: Callable[[], Any]) -> Value:
    try:
        return call()
    except (TypeError, ValueError):
        return ERROR


def nan_at_ignored() -> tuple[Value, Value]:
    x, t = Z.clone(), IGNORED
    x = torch.where((t == -100).unsqueeze(1), nan, x)
    return slope(F.cross_entropy, x, t), slope(CrossEntropyLoss(), x, t)


def mask_of_255() -> tuple[Value, Value]:
    return F.binary_cross_entropy_with_logits(X, 255 * T), refused(lambda: BCEWithLogitsLoss()(X, 255 * T))


def half() -> tuple[Value, Value]:
    x = torch.full((1, 1, 300, 300), 12.0, dtype=torch.float16)
    t = torch.zeros_like(x)
    return F.binary_cross_entropy_with_logits(x, t, reduction="sum"), BCEWithLogitsLoss(reduction="sum")(x, t)


DEVIATIONS = [
    Deviation(
        "torch",
        "cross_entropy, soft targets, class weights",
        "mean divided by the number of positions",
        "mean divided by the class weights of the target, as for indices",
        8,
        lambda: (F.cross_entropy(Z, one_hot(Y, 4), weight=W), CrossEntropyLoss(class_weight=W)(Z, one_hot(Y, 4))),
    ),
    Deviation(
        "torch",
        "binary_cross_entropy_with_logits, weight",
        "mean divided by the number of elements",
        "mean divided by the sum of weights",
        8,
        lambda: (F.binary_cross_entropy_with_logits(X, T, weight=1 + T), BCEWithLogitsLoss()(X, T, weight=1 + T)),
    ),
    Deviation(
        "torch",
        "cross_entropy, all positions ignored",
        "NaN",
        "0 with a zero gradient",
        10,
        lambda: (F.cross_entropy(Z, ALL), CrossEntropyLoss()(Z, ALL)),
    ),
    Deviation(
        "torch",
        "binary_cross_entropy_with_logits, empty batch",
        "NaN",
        "0",
        10,
        lambda: (F.binary_cross_entropy_with_logits(X[:0], T[:0]), BCEWithLogitsLoss()(X[:0], T[:0])),
    ),
    Deviation(
        "torch",
        "cross_entropy, NaN at ignored positions",
        "NaN gradient",
        "gradient of the other positions",
        9,
        nan_at_ignored,
    ),
    Deviation(
        "torch", "binary_cross_entropy_with_logits, a 0/255 mask", "a number", "an error that names 255", 6, mask_of_255
    ),
    Deviation("torch", "binary_cross_entropy_with_logits, float16 sum", "overflows", "float32", 16, half),
    Deviation(
        "torch",
        "ctc_loss, norm of the gradient by log-probabilities",
        "gradient by the logits before log_softmax",
        "true derivative; the gradients by logits are equal",
        17,
        lambda: (slope(F.ctc_loss, *SPOKEN), slope(CTCLoss(), *SPOKEN)),
    ),
    Deviation(
        "torch",
        "multi_margin_loss, class weights",
        "mean divided by the number of samples",
        "mean divided by the class weights of the samples",
        8,
        lambda: (
            F.multi_margin_loss(ROWS[0], LABELS, weight=W),
            MultiMarginLoss(class_weight=W)(ROWS[0], LABELS),
        ),
    ),
    Deviation(
        "monai",
        "DiceLoss, absent class",
        "1 - smooth / (P + smooth)",
        "its mean probability",
        11,
        lambda: (
            peer("monai").DiceLoss(softmax=True, to_onehot_y=True)(Z, ONE.unsqueeze(1)),
            DiceLoss(smooth=1e-5)(Z, ONE),
        ),
    ),
    Deviation(
        "monai",
        "DiceLoss, default smooth",
        "1e-5",
        "0",
        14,
        lambda: (peer("monai").DiceLoss(sigmoid=True)(X, T), DiceLoss()(X, T)),
    ),
    Deviation(
        "monai",
        "DiceLoss, class weights",
        "unweighted mean of the weighted losses",
        "weighted mean",
        11,
        lambda: (
            peer("monai").DiceLoss(softmax=True, to_onehot_y=True, weight=W)(Z, Y.unsqueeze(1)),
            DiceLoss(smooth=1e-5, class_weight=W)(Z, Y),
        ),
    ),
    Deviation(
        "monai",
        "MaskedDiceLoss with class 0",
        "masked positions count as class 0",
        "masked positions are ignored",
        9,
        lambda: (
            peer("monai").MaskedDiceLoss(softmax=True, to_onehot_y=True)(Z, Y.unsqueeze(1), MASK.unsqueeze(1).double()),
            DiceLoss(smooth=1e-5, absent="formula")(Z, Y, mask=MASK),
        ),
    ),
    Deviation(
        "monai",
        "DiceLoss(jaccard=True), smooth",
        "half the effect",
        "added to intersection and union",
        14,
        lambda: (
            peer("monai").DiceLoss(sigmoid=True, jaccard=True, smooth_nr=1, smooth_dr=1)(X, T),
            JaccardLoss(smooth=1)(X, T),
        ),
    ),
    Deviation(
        "monai",
        "FocalLoss, softmax",
        "mean over positions and classes",
        "mean over positions",
        8,
        lambda: (peer("monai").FocalLoss(use_softmax=True, to_onehot_y=True)(Z, Y.unsqueeze(1)), FocalLoss()(Z, Y)),
    ),
    Deviation(
        "monai",
        "FocalLoss, one alpha for several classes",
        "1 - alpha weighs the background",
        "an error that lists the options",
        14,
        lambda: (
            peer("monai").FocalLoss(use_softmax=True, to_onehot_y=True, alpha=0.25)(Z, Y.unsqueeze(1)),
            refused(lambda: FocalLoss(alpha=0.25)(Z, Y)),
        ),
    ),
    Deviation(
        "monai",
        "FocalLoss, reduction='sum'",
        "sum of spatial means",
        "sum of elements",
        8,
        lambda: (peer("monai").FocalLoss(reduction="sum")(X, T), FocalLoss(reduction="sum")(X, T)),
    ),
    Deviation(
        "monai",
        "DiceFocalLoss(softmax=True)",
        "one-vs-rest focal loss",
        "softmax in both parts",
        13,
        lambda: (
            peer("monai").DiceFocalLoss(softmax=True, to_onehot_y=True)(Z, Y.unsqueeze(1)),
            DiceFocalLoss(smooth=1e-5)(Z, Y),
        ),
    ),
    Deviation(
        "smp",
        "DiceLoss, JaccardLoss, TverskyLoss",
        "pooled over the batch",
        "pooled per sample",
        11,
        lambda: (peer("smp").DiceLoss("multiclass")(Z, Y), DiceLoss()(Z, Y)),
    ),
    Deviation(
        "smp",
        "DiceLoss, smooth",
        "added twice",
        "added once",
        14,
        lambda: (peer("smp").DiceLoss("binary", smooth=1.0)(X, T), DiceLoss(smooth=1.0, pool="batch")(X, T)),
    ),
    Deviation(
        "smp",
        "DiceLoss, class absent from the batch",
        "0, included in the mean",
        "its mean probability",
        11,
        lambda: (peer("smp").DiceLoss("multiclass")(Z, ONE), DiceLoss(pool="batch")(Z, ONE)),
    ),
    Deviation(
        "smp",
        "DiceLoss, soft targets",
        "overlap from the absolute difference",
        "overlap from the product; same as smp with overlap='l1'",
        11,
        lambda: (peer("smp").DiceLoss("binary")(X, SOFT), DiceLoss(pool="batch")(X, SOFT)),
    ),
    Deviation(
        "smp",
        "TverskyLoss, gamma, several classes",
        "power of the mean",
        "mean of powers",
        11,
        lambda: (peer("smp").TverskyLoss("multiclass", gamma=0.75)(Z, Y), FocalTverskyLoss(pool="batch")(Z, Y)),
    ),
    Deviation(
        "smp",
        "FocalLoss('multiclass')",
        "one-vs-rest sigmoids",
        "softmax; same as smp with mode='multilabel'",
        14,
        lambda: (peer("smp").FocalLoss("multiclass")(Z, Y), FocalLoss()(Z, Y)),
    ),
    Deviation(
        "smp",
        "FocalLoss, gamma < 1, p = 1",
        "NaN gradient",
        "0",
        15,
        lambda: (
            slope(peer("smp").FocalLoss("binary", gamma=0.5), CERTAIN, torch.ones(1, 1)),
            slope(FocalLoss(gamma=0.5), CERTAIN, torch.ones(1, 1)),
        ),
    ),
    Deviation(
        "smp",
        "SoftBCEWithLogitsLoss, smooth_factor",
        "t (1 - e) + (1 - t) e",
        "t (1 - e) + e / 2",
        14,
        lambda: (
            peer("smp").SoftBCEWithLogitsLoss(smooth_factor=0.1)(X, T),
            BCEWithLogitsLoss(label_smoothing=0.1)(X, T),
        ),
    ),
    Deviation(
        "smp",
        "SoftCrossEntropyLoss, ignored positions",
        "included in the mean",
        "excluded from the mean",
        9,
        lambda: (peer("smp").SoftCrossEntropyLoss(smooth_factor=0.0)(Z, IGNORED), CrossEntropyLoss()(Z, IGNORED)),
    ),
    Deviation(
        "smp",
        "LovaszLoss",
        "errors ranked over the batch",
        "errors ranked per image",
        14,
        lambda: (peer("smp").LovaszLoss("multiclass")(Z.float(), Y), LovaszLoss()(Z, Y)),
    ),
    Deviation(
        "smp",
        "LovaszLoss('multilabel')",
        "errors of all channels ranked together",
        "mean over channels",
        14,
        lambda: (
            peer("smp").LovaszLoss("multilabel", per_image=True)(Z.float(), one_hot(Y, 4)),
            LovaszLoss(mode="multilabel")(Z, one_hot(Y, 4)),
        ),
    ),
    Deviation(
        "kornia",
        "DiceLoss, default average",
        "pooled over classes as well",
        "one score per class",
        11,
        lambda: (peer("kornia").DiceLoss()(Z, Y), DiceLoss()(Z, Y)),
    ),
    Deviation(
        "kornia",
        "DiceLoss(average='macro'), TverskyLoss, class absent from some images",
        "mean over images of the mean over classes",
        "mean over all pairs of image and class",
        11,
        lambda: (peer("kornia").DiceLoss(average="macro")(Z, SOME), DiceLoss(absent="skip")(Z, SOME)),
    ),
    Deviation(
        "kornia",
        "DiceLoss, TverskyLoss, all positions ignored",
        "1",
        "0",
        10,
        lambda: (peer("kornia").DiceLoss(average="macro")(Z, ALL), DiceLoss()(Z, ALL)),
    ),
    Deviation(
        "kornia",
        "FocalLoss",
        "mean over classes and positions, including ignored ones",
        "mean over the positions that are not ignored",
        9,
        lambda: (peer("kornia").FocalLoss(None, 2.0, reduction="mean")(Z, IGNORED), FocalLoss()(Z, IGNORED)),
    ),
    Deviation(
        "kornia",
        "LovaszSoftmaxLoss, absent class",
        "included in the mean",
        "excluded; same as kornia with classes='all'",
        14,
        lambda: (peer("kornia").LovaszSoftmaxLoss()(Z, ONE), LovaszLoss()(Z, ONE)),
    ),
    Deviation(
        "toolbelt",
        "DiceLoss, JaccardLoss, LovaszLoss",
        "pooled over the batch",
        "pooled per sample",
        11,
        lambda: (peer("toolbelt").DiceLoss("multiclass")(Z, Y), DiceLoss()(Z, Y)),
    ),
    Deviation(
        "toolbelt",
        "CrossEntropyFocalLoss",
        "softmax factor times one-vs-rest BCE",
        "softmax in both",
        13,
        lambda: (peer("toolbelt").CrossEntropyFocalLoss(gamma=2.0)(Z, Y), FocalLoss()(Z, Y)),
    ),
    Deviation(
        "torchvision",
        "sigmoid_focal_loss, default alpha",
        "0.25",
        "none",
        14,
        lambda: (peer("torchvision").sigmoid_focal_loss(X, T, reduction="mean"), FocalLoss()(X, T)),
    ),
    Deviation(
        "torchvision",
        "sigmoid_focal_loss, soft targets (also fvcore)",
        "power of 1 - p t - (1 - p)(1 - t)",
        "t and 1 - t weigh the terms of positives and negatives",
        13,
        lambda: (peer("torchvision").sigmoid_focal_loss(X, SOFT, alpha=-1, reduction="mean"), FocalLoss()(X, SOFT)),
    ),
    Deviation(
        "torchvision",
        "sigmoid_focal_loss, gamma < 1, p = 1",
        "NaN gradient",
        "0",
        15,
        lambda: (
            slope(
                lambda x: peer("torchvision").sigmoid_focal_loss(
                    x, torch.ones(1, 1), gamma=0.5, alpha=-1, reduction="sum"
                ),
                CERTAIN,
            ),
            slope(FocalLoss(gamma=0.5), CERTAIN, torch.ones(1, 1)),
        ),
    ),
    Deviation(
        "timm",
        "BinaryCrossEntropy, dense targets, smoothing",
        "no smoothing by default",
        "smoothing",
        14,
        lambda: (peer("timm").BinaryCrossEntropy(smoothing=0.1)(*ROWS), BCEWithLogitsLoss(label_smoothing=0.1)(*ROWS)),
    ),
]
