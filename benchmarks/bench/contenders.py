"""The contenders for each loss, configured to compute the same: smooth 0, gamma 2, no alpha, same pooling, same mean.

A contender is a source string, which the table prints; `+` adds losses. `C *` undoes a mean over classes, where
losskit takes the mean over elements.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

import losskit
from bench import catalogue, own, tutorials
from bench.libraries import peer
from bench.workloads import Cell, mask

Call = Callable[[Tensor, Tensor], Tensor]
OURS, VARIANT, TUTORIAL = "losskit", "variant", "tutorial"
PEERS = ("monai", "smp", "kornia", "toolbelt", "torchvision")


class Contender(NamedTuple):
    library: str
    how: str
    call: Call


_ZERO = "smooth_nr=0.0, smooth_dr=0.0"
_ONE, _SEVERAL = f"sigmoid=True, {_ZERO}", f"softmax=True, to_onehot_y=True, {_ZERO}"
_TVERSKY = "alpha=0.3, beta=0.7"

_OURS = {
    "bce": "BCEWithLogitsLoss", "ce": "CrossEntropyLoss", "focal": "FocalLoss", "dice": "DiceLoss",
    "jaccard": "JaccardLoss", "tversky": "TverskyLoss", "dice+bce": "DiceBCELoss", "dice+ce": "DiceCELoss",
    "dice+focal": "DiceFocalLoss", "lovasz": "LovaszLoss", "mse": "MSELoss", "l1": "L1Loss", "huber": "HuberLoss",
    "smooth_l1": "SmoothL1Loss",
}  # fmt: skip

# Keys: (loss, pool).
_BINARY: dict[tuple[str, str], list[str]] = {
    ("bce", ""): [
        "F.binary_cross_entropy_with_logits", "smp.SoftBCEWithLogitsLoss()", "toolbelt.SoftBCEWithLogitsLoss()",
        "tutorials.bce",
    ],
    ("focal", ""): [
        "partial(torchvision.sigmoid_focal_loss, alpha=-1, reduction='mean')", "monai.FocalLoss()",
        "smp.FocalLoss('binary')", "kornia.BinaryFocalLossWithLogits(None, 2.0, 'mean')", "toolbelt.BinaryFocalLoss()",
        "tutorials.focal",
    ],
    ("dice", "sample"): [f"monai.DiceLoss({_ONE})"],
    ("dice", "batch"): [
        f"monai.DiceLoss(batch=True, {_ONE})", "smp.DiceLoss('binary')", "toolbelt.DiceLoss('binary')",
        "tutorials.dice",
    ],
    ("jaccard", "sample"): [f"monai.DiceLoss(jaccard=True, {_ONE})"],
    ("jaccard", "batch"): [
        f"monai.DiceLoss(jaccard=True, batch=True, {_ONE})", "smp.JaccardLoss('binary')",
        "toolbelt.JaccardLoss('binary')", "tutorials.jaccard",
    ],
    ("tversky", "sample"): [f"monai.TverskyLoss({_TVERSKY}, {_ONE})"],
    ("tversky", "batch"): [
        f"monai.TverskyLoss({_TVERSKY}, batch=True, {_ONE})", f"smp.TverskyLoss('binary', {_TVERSKY})",
        "tutorials.tversky",
    ],
    ("dice+bce", "sample"): [f"monai.DiceCELoss({_ONE})"],
    ("dice+bce", "batch"): [
        f"monai.DiceCELoss(batch=True, {_ONE})",
        "smp.DiceLoss('binary') + F.binary_cross_entropy_with_logits",
        "toolbelt.DiceLoss('binary') + F.binary_cross_entropy_with_logits",
        "tutorials.dice + tutorials.bce",
    ],
    ("dice+focal", "sample"): [f"monai.DiceFocalLoss({_ONE})"],
    ("dice+focal", "batch"): [
        f"monai.DiceFocalLoss(batch=True, {_ONE})", "smp.DiceLoss('binary') + smp.FocalLoss('binary')",
        "toolbelt.DiceLoss('binary') + toolbelt.BinaryFocalLoss()", "tutorials.dice + tutorials.focal",
    ],
    ("lovasz", "sample"): [
        "kornia.LovaszHingeLoss()", "smp.LovaszLoss('binary', per_image=True)",
        "toolbelt.BinaryLovaszLoss(per_image=True)", "tutorials.lovasz",
    ],
    ("lovasz", "batch"): ["smp.LovaszLoss('binary')", "toolbelt.BinaryLovaszLoss()"],
    ("mse", ""): ["F.mse_loss"], ("l1", ""): ["F.l1_loss"], ("huber", ""): ["F.huber_loss"],
    ("smooth_l1", ""): ["F.smooth_l1_loss"],
}  # fmt: skip

_CLASSES: dict[tuple[str, str], list[str]] = {
    ("ce", ""): [
        "F.cross_entropy", "smp.SoftCrossEntropyLoss(smooth_factor=0.0)", "toolbelt.SoftCrossEntropyLoss()",
        "tutorials.ce",
    ],
    ("focal", ""): [
        "C * kornia.FocalLoss(None, 2.0, 'mean')", "C * monai.FocalLoss(use_softmax=True, to_onehot_y=True)",
        "tutorials.focal",
    ],
    ("dice", "sample"): [f"monai.DiceLoss({_SEVERAL})", "kornia.DiceLoss('macro')"],
    ("dice", "batch"): [
        f"monai.DiceLoss(batch=True, {_SEVERAL})", "smp.DiceLoss('multiclass')", "toolbelt.DiceLoss('multiclass')",
        "tutorials.dice",
    ],
    ("jaccard", "sample"): [f"monai.DiceLoss(jaccard=True, {_SEVERAL})", "kornia.TverskyLoss(1.0, 1.0)"],
    ("jaccard", "batch"): [
        f"monai.DiceLoss(jaccard=True, batch=True, {_SEVERAL})", "smp.JaccardLoss('multiclass')",
        "toolbelt.JaccardLoss('multiclass')", "tutorials.jaccard",
    ],
    ("tversky", "sample"): [f"monai.TverskyLoss({_TVERSKY}, {_SEVERAL})", f"kornia.TverskyLoss({_TVERSKY})"],
    ("tversky", "batch"): [
        f"monai.TverskyLoss({_TVERSKY}, batch=True, {_SEVERAL})", f"smp.TverskyLoss('multiclass', {_TVERSKY})",
        "tutorials.tversky",
    ],
    ("dice+ce", "sample"): [f"monai.DiceCELoss({_SEVERAL})", "kornia.DiceLoss('macro') + F.cross_entropy"],
    ("dice+ce", "batch"): [
        f"monai.DiceCELoss(batch=True, {_SEVERAL})", "smp.DiceLoss('multiclass') + F.cross_entropy",
        "toolbelt.DiceLoss('multiclass') + F.cross_entropy", "tutorials.dice + tutorials.ce",
    ],
    ("dice+focal", "sample"): [
        f"monai.DiceLoss({_SEVERAL}) + C * monai.FocalLoss(use_softmax=True, to_onehot_y=True)",
        "kornia.DiceLoss('macro') + C * kornia.FocalLoss(None, 2.0, 'mean')",
    ],
    ("dice+focal", "batch"): [
        f"monai.DiceLoss(batch=True, {_SEVERAL}) + C * monai.FocalLoss(use_softmax=True, to_onehot_y=True)",
        "smp.DiceLoss('multiclass') + C * kornia.FocalLoss(None, 2.0, 'mean')", "tutorials.dice + tutorials.focal",
    ],
    ("lovasz", "sample"): [
        "kornia.LovaszSoftmaxLoss()", "smp.LovaszLoss('multiclass', per_image=True)",
        "toolbelt.LovaszLoss(per_image=True)", "tutorials.lovasz",
    ],
    ("lovasz", "batch"): ["smp.LovaszLoss('multiclass')", "toolbelt.LovaszLoss()"],
}  # fmt: skip


def contenders(cell: Cell) -> list[Contender]:
    """Losskit first, then all peers that have the loss; for a variant, only losskit with plain tensors."""
    if cell.variant:
        return [ours(replace(cell, variant=""))]
    if cell.suite == "own":
        return [ours(cell), Contender("torch", "the formula", partial(own.plain, cell.loss))]
    if cell.suite == "catalogue":
        peers = catalogue.WORKS[cell.loss].peers
        others = [(source, catalogue.theirs(cell.loss, source, cell.shape)) for source in peers]
        return [ours(cell), *(Contender(catalogue.library(source), source, each) for source, each in others)]
    sources = (_BINARY if cell.binary else _CLASSES)[cell.loss, cell.pool]
    if len(cell.shape) == 2:  # most classes are absent from the batch: peers that skip them compute another loss
        sources = [s for s in sources if cell.pool == "" or cell.loss == "lovasz" or s.startswith(("monai", TUTORIAL))]
    return [ours(cell), *(Contender(library(source), source, call(source, cell.shape[1])) for source in sources)]


def ours(cell: Cell) -> Contender:
    """The losskit loss, as a user would write it."""
    if cell.suite == "own":
        return Contender(OURS, "the formula, decorated", own.loss(cell.loss))
    if cell.suite == "catalogue":
        return Contender(OURS, catalogue.source_of(cell.loss), catalogue.ours(cell.loss, cell.shape))
    options = [_TVERSKY] if cell.loss == "tversky" else []
    options += ["pool='batch'"] if cell.pool == "batch" else []
    options += ["absent='formula'"] if len(cell.shape) == 2 and cell.pool and cell.loss != "lovasz" else []
    source = f"losskit.{_OURS[cell.loss]}({', '.join(options)})"
    loss = call(source, cell.shape[1])
    if cell.variant == "mask":
        return Contender(VARIANT, f"{source}, mask", lambda x, t: loss(x, t, mask=mask(x.shape)))  # type: ignore[call-arg]
    return Contender(VARIANT if cell.variant else OURS, source, loss)


def library(source: str) -> str:
    """The library of the loss; for a sum, all libraries."""
    names = {"F.": "torch", "tutorials.": TUTORIAL, **{f"{name}.": name for name in PEERS}}
    return " + ".join(dict.fromkeys(name for part in source.split(" + ") for key, name in names.items() if key in part))


def call(source: str, classes: int) -> Call:
    """The loss of a source string, as a function of logits and labels."""
    parts = [_adapted(part.removeprefix("C * "), classes) for part in source.split(" + ")]
    factors = [classes if part.startswith("C * ") else 1 for part in source.split(" + ")]
    if len(parts) == 1 and factors == [1]:
        return parts[0]

    def together(x: Tensor, t: Tensor) -> Tensor:
        total = factors[0] * parts[0](x, t)
        for factor, part in zip(factors[1:], parts[1:], strict=True):
            total = total + factor * part(x, t)
        return total

    return together


def _adapted(source: str, classes: int) -> Call:
    """A loss, with its labels converted to the expected shape."""
    scope: dict[str, Any] = {"F": F, "losskit": losskit, "tutorials": tutorials, "partial": partial}
    scope |= {name: peer(name) for name in PEERS if f"{name}." in source}
    loss: Call = eval(source, scope)
    if source.startswith("monai") and classes > 1:
        return lambda x, t: loss(x, t.unsqueeze(1))
    if source.startswith("kornia.LovaszHinge"):
        return lambda x, t: loss(x, t.squeeze(1))
    if source.startswith(
        ("kornia.Dice", "kornia.Tversky", "kornia.LovaszSoftmax")
    ):  # for images only: flatten volumes to 2D
        return lambda x, t: loss(x.flatten(3), t.flatten(2))
    if source.startswith("toolbelt.LovaszLoss"):
        return lambda x, t: loss(torch.softmax(x, 1), t)
    return loss
