"""Where the other libraries' losses have the same value and gradient: their constructor, and ours.

Both are source code, so that the documentation prints what was compared. `where` names the data it holds for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

import losskit
import peers

EVERY_CLASS = "every class occurs in the batch"
PER_IMAGE = "every image has the same number of classes"


class Equality(NamedTuple):
    library: str
    data: str  # a key of SHAPES
    theirs: str
    ours: str
    where: str = ""


SHAPES = {
    "binary": (3, 1, 6, 5),
    "multiclass": (3, 4, 6, 5),
    "multilabel": (3, 4, 6, 5),
    "labels": (7, 4),  # without spatial dimensions
    "classes": (7, 4),
}
SCOPE: dict[str, Any] = {"w": torch.tensor([0.5, 2.0, 1.0, 3.0], dtype=torch.float64), "C": 4}

EQUALITIES = [
    Equality("torch", "multiclass", "CrossEntropyLoss(weight=w)", "CrossEntropyLoss(class_weight=w)"),
    Equality("torch", "multiclass", "CrossEntropyLoss(label_smoothing=0.1)", "CrossEntropyLoss(label_smoothing=0.1)"),
    Equality("torch", "multiclass", "CrossEntropyLoss(ignore_index=2)", "CrossEntropyLoss(ignore_index=2)"),
    Equality("torch", "binary", "BCEWithLogitsLoss()", "BCEWithLogitsLoss()"),
    Equality("torch", "labels", "BCEWithLogitsLoss(pos_weight=w)", "BCEWithLogitsLoss(pos_weight=w)"),
    Equality("monai", "binary", "DiceLoss(sigmoid=True)", "DiceLoss(smooth=1e-5, absent='formula')"),
    Equality(
        "monai", "multiclass", "DiceLoss(softmax=True, to_onehot_y=True)", "DiceLoss(smooth=1e-5, absent='formula')"
    ),
    Equality(
        "monai",
        "multiclass",
        "DiceLoss(softmax=True, to_onehot_y=True, include_background=False)",
        "DiceLoss(smooth=1e-5, absent='formula', include_background=False)",
    ),
    Equality(
        "monai",
        "multiclass",
        "DiceLoss(softmax=True, to_onehot_y=True, batch=True)",
        "DiceLoss(smooth=1e-5, absent='formula', pool='batch')",
    ),
    Equality(
        "monai",
        "multilabel",
        "DiceLoss(sigmoid=True, squared_pred=True)",
        "DiceLoss(smooth=1e-5, absent='formula', squared=True, mode='multilabel')",
    ),
    Equality(
        "monai",
        "binary",
        "DiceLoss(sigmoid=True, soft_label=True)",
        "DiceLoss(smooth=1e-5, absent='formula', overlap='l1')",
    ),
    Equality("monai", "binary", "DiceLoss(sigmoid=True, jaccard=True)", "JaccardLoss(smooth=5e-6, absent='formula')"),
    Equality(
        "monai",
        "binary",
        "TverskyLoss(sigmoid=True, alpha=0.3, beta=0.7)",
        "TverskyLoss(alpha=0.3, beta=0.7, smooth=1e-5, absent='formula')",
    ),
    Equality("monai", "binary", "FocalLoss(gamma=2.0, alpha=0.25)", "FocalLoss(gamma=2.0, alpha=0.25)"),
    Equality("monai", "multiclass", "FocalLoss(use_softmax=True, to_onehot_y=True)", "FocalLoss() / C"),
    Equality(
        "monai",
        "multiclass",
        "FocalLoss(use_softmax=True, to_onehot_y=True, alpha=0.25)",
        "FocalLoss(alpha=[0.75, 0.25, 0.25, 0.25]) / C",
    ),
    Equality("monai", "multiclass", "FocalLoss(to_onehot_y=True)", "FocalLoss(mode='multilabel')"),
    Equality(
        "monai",
        "multiclass",
        "FocalLoss(use_softmax=True, to_onehot_y=True, ignore_index=2)",
        "FocalLoss(ignore_index=2)",
    ),
    Equality(
        "monai",
        "multiclass",
        "FocalLoss(use_softmax=True, to_onehot_y=True, weight=w)",
        "FocalLoss(alpha=w) / C",
    ),
    Equality(
        "monai",
        "multiclass",
        "FocalLoss(to_onehot_y=True, weight=w)",
        "w.mean() * FocalLoss(mode='multilabel', class_weight=w)",
    ),
    Equality(
        "monai",
        "multiclass",
        "DiceLoss(softmax=True, to_onehot_y=True, weight=w)",
        "w.mean() * DiceLoss(class_weight=w, smooth=1e-5, absent='formula')",
    ),
    Equality(
        "monai",
        "multiclass",
        "DiceCELoss(softmax=True, to_onehot_y=True, weight=w)",
        "w.mean() * DiceLoss(class_weight=w, smooth=1e-5, absent='formula') + CrossEntropyLoss(class_weight=w)",
    ),
    Equality("monai", "binary", "DiceCELoss(sigmoid=True)", "DiceBCELoss(smooth=1e-5, absent='formula')"),
    Equality(
        "monai", "multiclass", "DiceCELoss(softmax=True, to_onehot_y=True)", "DiceCELoss(smooth=1e-5, absent='formula')"
    ),
    Equality("monai", "binary", "DiceFocalLoss(sigmoid=True)", "DiceFocalLoss(smooth=1e-5, absent='formula')"),
    Equality("smp", "binary", "DiceLoss('binary')", "DiceLoss(pool='batch')", EVERY_CLASS),
    Equality(
        "smp", "multiclass", "DiceLoss('multiclass', smooth=1.0)", "DiceLoss(smooth=2.0, pool='batch')", EVERY_CLASS
    ),
    Equality(
        "smp", "multiclass", "DiceLoss('multiclass', log_loss=True)", "DiceLoss(log=True, pool='batch')", EVERY_CLASS
    ),
    Equality(
        "smp",
        "multiclass",
        "JaccardLoss('multiclass', smooth=1.0)",
        "JaccardLoss(smooth=1.0, pool='batch')",
        EVERY_CLASS,
    ),
    Equality(
        "smp",
        "multiclass",
        "TverskyLoss('multiclass', alpha=0.3, beta=0.7)",
        "TverskyLoss(alpha=0.3, beta=0.7, pool='batch')",
        EVERY_CLASS,
    ),
    Equality(
        "smp",
        "binary",
        "TverskyLoss('binary', alpha=0.3, beta=0.7, gamma=0.75)",
        "FocalTverskyLoss(alpha=0.3, beta=0.7, gamma=0.75, pool='batch')",
        EVERY_CLASS,
    ),
    Equality("smp", "binary", "FocalLoss('binary', alpha=0.25)", "FocalLoss(alpha=0.25)"),
    Equality("smp", "multiclass", "FocalLoss('multiclass')", "FocalLoss(mode='multilabel')"),
    Equality(
        "smp",
        "multiclass",
        "FocalLoss('multiclass', ignore_index=2)",
        "FocalLoss(mode='multilabel', ignore_index=2)",
    ),
    Equality("smp", "binary", "LovaszLoss('binary', per_image=True)", "LovaszLoss()"),
    Equality("smp", "multiclass", "LovaszLoss('multiclass')", "LovaszLoss(pool='batch')"),
    Equality("smp", "binary", "SoftBCEWithLogitsLoss(smooth_factor=0.1)", "BCEWithLogitsLoss(label_smoothing=0.2)"),
    Equality("smp", "multiclass", "SoftCrossEntropyLoss(smooth_factor=0.1)", "CrossEntropyLoss(label_smoothing=0.1)"),
    Equality("kornia", "multiclass", "DiceLoss(average='macro')", "DiceLoss(absent='skip')", PER_IMAGE),
    Equality(
        "kornia",
        "multiclass",
        "TverskyLoss(alpha=0.3, beta=0.7)",
        "TverskyLoss(alpha=0.3, beta=0.7, absent='skip')",
        PER_IMAGE,
    ),
    Equality("kornia", "multiclass", "FocalLoss(None, 2.0, reduction='mean')", "FocalLoss() / C"),
    Equality("kornia", "multiclass", "FocalLoss(None, 2.0, reduction='mean', weight=w)", "FocalLoss(alpha=w) / C"),
    Equality(
        "kornia",
        "multiclass",
        "DiceLoss(average='macro', weight=w)",
        "DiceLoss(absent='skip', class_weight=w)",
        PER_IMAGE,
    ),
    Equality("kornia", "binary", "BinaryFocalLossWithLogits(0.25, 2.0, reduction='mean')", "FocalLoss(alpha=0.25)"),
    Equality("kornia", "binary", "LovaszHingeLoss()", "LovaszLoss()"),
    Equality("kornia", "multiclass", "LovaszSoftmaxLoss()", "LovaszLoss(classes='all')"),
    Equality(
        "toolbelt",
        "multiclass",
        "DiceLoss('multiclass', smooth=1.0)",
        "DiceLoss(smooth=1.0, pool='batch')",
        EVERY_CLASS,
    ),
    Equality("toolbelt", "multiclass", "JaccardLoss('multiclass')", "JaccardLoss(pool='batch')", EVERY_CLASS),
    Equality("toolbelt", "binary", "BinaryFocalLoss(alpha=0.25)", "FocalLoss(alpha=0.25)"),
    Equality("toolbelt", "binary", "BinaryLovaszLoss()", "LovaszLoss(pool='batch')"),
    Equality("torchvision", "binary", "sigmoid_focal_loss(reduction='mean')", "FocalLoss(alpha=0.25)"),
    Equality("fvcore", "binary", "sigmoid_focal_loss(reduction='mean')", "FocalLoss()"),
    Equality("timm", "classes", "LabelSmoothingCrossEntropy(0.1)", "CrossEntropyLoss(label_smoothing=0.1)"),
    Equality("timm", "classes", "PolyCrossEntropy(2.0)", "PolyLoss(epsilon=2.0)"),
    Equality("timm", "classes", "PolyCrossEntropy(2.0, smoothing=0.1)", "PolyLoss(epsilon=2.0, label_smoothing=0.1)"),
    Equality("timm", "labels", "PolyBinaryCrossEntropy(2.0)", "PolyLoss(epsilon=2.0, mode='multilabel')"),
    Equality(
        "timm",
        "labels",
        "PolyBinaryCrossEntropy(2.0, reduction='batchmean')",
        "C * PolyLoss(epsilon=2.0, mode='multilabel')",
    ),
    Equality(
        "timm",
        "labels",
        "BinaryCrossEntropy(smoothing=0.1, smooth_dense=True)",
        "BCEWithLogitsLoss(label_smoothing=0.1)",
    ),
]


def _data(kind: str, where: str) -> list[tuple[Tensor, Tensor]]:
    """Data with every class everywhere and, unless `where` requires that, data without one class."""
    by_index = kind in ("multiclass", "classes")
    logits, target = (peers.multiclass if by_index else peers.binary)(SHAPES[kind])
    if where == EVERY_CLASS:
        return [(logits, target)]
    lacking = target.clone()
    if by_index:
        lacking[lacking == 3] = 0
    elif kind in ("binary", "multilabel"):
        lacking[0, 0] = 0
    return [(logits, target), (logits, lacking)]


def _theirs(row: Equality) -> Callable[[Tensor, Tensor], Tensor]:
    """Their loss of our tensors: indices get a channel for MONAI, and lose it for kornia."""
    module = peers.peer(row.library)
    name, options = row.theirs.split("(", 1)
    if row.theirs.startswith("sigmoid_focal_loss"):
        loss = eval(f"lambda x, t: f(x, t, {options}", {"f": getattr(module, name)})
    else:
        loss = eval(row.theirs, {**SCOPE, name: getattr(module, name)})
    if row.library == "monai" and row.data == "multiclass":
        return lambda x, t: loss(x, t.unsqueeze(1))
    if name == "LovaszHingeLoss":
        return lambda x, t: loss(x, t.squeeze(1))
    single = "Lovasz" in name and row.library in ("smp", "toolbelt")  # they rank only float32
    return lambda x, t: loss(x.float() if single else x, t)


def difference(row: Equality) -> float:
    """The largest relative difference of a value or a gradient."""
    ours = eval(row.ours, {**vars(losskit), **SCOPE})
    theirs = _theirs(row)
    worst = 0.0
    for logits, target in _data(row.data, row.where):
        for a, b in zip(
            peers.value_and_gradient(ours, logits, target),
            peers.value_and_gradient(theirs, logits, target),
            strict=True,
        ):
            worst = max(worst, float((a - b).abs().max() / b.abs().max()))
    return worst
