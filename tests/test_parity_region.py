"""Losses of regions, and their composites, against MONAI, segmentation_models_pytorch, kornia and toolbelt.

Value and gradient, wherever they mean the same; where they don't is in deviations.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from losskit import (
    DiceBCELoss,
    DiceCELoss,
    DiceFocalLoss,
    DiceLoss,
    FocalTverskyLoss,
    JaccardLoss,
    TverskyLoss,
)
from peers import SINGLE, agree, binary, multiclass, one_hot, peer

CLASS_WEIGHT = torch.tensor([0.5, 2.0, 1.0, 3.0], dtype=torch.float64)
BATCH = {"sample": False, "batch": True}  # what MONAI calls each pool

smooths = pytest.mark.parametrize("smooth", [0.0, 0.3, 1.0])
pools = pytest.mark.parametrize("pool", BATCH)
reductions = pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
prices = pytest.mark.parametrize(("alpha", "beta"), [(0.5, 0.5), (0.9, 0.1), (0.3, 0.7), (1.0, 1.0)])


def monai(name: str, **options: Any) -> Callable[[Tensor, Tensor], Tensor]:
    """A MONAI loss of logits: by sigmoid where the target has the input's shape, else of class indices by softmax."""
    by_sigmoid = getattr(peer("monai"), name)(sigmoid=True, **options)
    by_softmax = getattr(peer("monai"), name)(softmax=True, to_onehot_y=True, **options)

    def loss(input: Tensor, target: Tensor) -> Tensor:
        value: Tensor = (
            by_sigmoid(input, target) if input.shape == target.shape else by_softmax(input, target.unsqueeze(1))
        )
        return value.squeeze(-1).squeeze(-1) if value.dim() > 2 else value  # its "none" keeps spatial sizes of 1

    return loss


def smooth_by(smooth: float) -> dict[str, float]:
    return {"smooth_nr": smooth, "smooth_dr": smooth}


def agree_on_both(ours: Any, theirs: Callable[[Tensor, Tensor], Tensor], tolerance: float = 1e-11) -> None:
    """On binary and on multi-class data with every class in every sample."""
    agree(ours, theirs, *binary(), tolerance=tolerance)
    agree(ours, theirs, *multiclass(), tolerance=tolerance)


# MONAI


@smooths
@pools
@reductions
@pytest.mark.parametrize("squared", [False, True])
def test_dice_is_monai(smooth: float, pool: Any, reduction: Any, squared: bool) -> None:
    ours = DiceLoss(smooth=smooth, pool=pool, reduction=reduction, squared=squared)
    options = {**smooth_by(smooth), "batch": BATCH[pool], "reduction": reduction, "squared_pred": squared}
    tolerance = 1e-7 if squared else 1e-11  # MONAI takes squares of roots, in float32 for class indices
    agree_on_both(ours, monai("DiceLoss", **options), tolerance)


@smooths
@pools
@reductions
def test_jaccard_is_monai(smooth: float, pool: Any, reduction: Any) -> None:
    """MONAI adds smooth to twice the intersection."""
    ours = JaccardLoss(smooth=smooth / 2, pool=pool, reduction=reduction)
    agree_on_both(ours, monai("DiceLoss", jaccard=True, batch=BATCH[pool], reduction=reduction, **smooth_by(smooth)))


@smooths
@pools
@reductions
@prices
def test_tversky_is_monai(smooth: float, pool: Any, reduction: Any, alpha: float, beta: float) -> None:
    ours = TverskyLoss(alpha=alpha, beta=beta, smooth=smooth, pool=pool, reduction=reduction)
    options = {**smooth_by(smooth), "alpha": alpha, "beta": beta, "batch": BATCH[pool], "reduction": reduction}
    agree_on_both(ours, monai("TverskyLoss", **options))


@pools
def test_the_absent_formula_is_monai(pool: Any) -> None:
    """MONAI puts an absent class through the formula; smooth keeps it finite."""
    logits, target = multiclass()
    target[target == 3] = 0
    blank = binary()[0], torch.zeros_like(binary()[1])
    for x, t in ((logits, target), blank):
        dice = DiceLoss(smooth=1, absent="formula", pool=pool)
        agree(dice, monai("DiceLoss", batch=BATCH[pool], **smooth_by(1)), x, t)
        tversky = TverskyLoss(smooth=0.5, absent="formula", pool=pool)
        agree(tversky, monai("TverskyLoss", batch=BATCH[pool], **smooth_by(0.5)), x, t)


@pools
def test_ignored_pixels_are_monai(pool: Any) -> None:
    logits, target = multiclass()
    target[:, 3:] = -1
    theirs = monai("DiceLoss", ignore_index=-1, batch=BATCH[pool], **smooth_by(0.3))
    agree(DiceLoss(smooth=0.3, ignore_index=-1, pool=pool), theirs, logits, target)
    theirs = monai("TverskyLoss", ignore_index=-1, batch=BATCH[pool], **smooth_by(0.3))
    agree(TverskyLoss(smooth=0.3, ignore_index=-1, pool=pool), theirs, logits, target)


def test_leaving_out_the_background_is_monai() -> None:
    """Weighted, MONAI takes the plain mean of what it multiplied, and wants no weight for the background."""
    x, t = multiclass()
    agree(DiceLoss(include_background=False), monai("DiceLoss", include_background=False, **smooth_by(0)), x, t)
    weighted = monai("DiceLoss", include_background=False, weight=CLASS_WEIGHT[1:], **smooth_by(0))
    ours = DiceLoss(include_background=False, class_weight=CLASS_WEIGHT)
    agree(ours, lambda x, t: weighted(x, t) * 3 / CLASS_WEIGHT[1:].sum(), x, t)


def test_soft_labels_are_monai() -> None:
    """`overlap="l1"` is what MONAI calls soft_label."""
    logits = binary()[0]
    target = binary(seed=3)[0].sigmoid()
    agree(DiceLoss(overlap="l1"), monai("DiceLoss", soft_label=True, **smooth_by(0)), logits, target)
    jaccard = monai("DiceLoss", jaccard=True, soft_label=True, **smooth_by(0))
    agree(JaccardLoss(overlap="l1"), jaccard, logits, target)
    tversky = monai("TverskyLoss", alpha=0.3, beta=0.7, soft_label=True, **smooth_by(0))
    agree(TverskyLoss(alpha=0.3, beta=0.7, overlap="l1"), tversky, logits, target)


# segmentation_models_pytorch: pools the batch


def smp(name: str, **options: Any) -> Callable[[Tensor, Tensor], Tensor]:
    """A segmentation_models_pytorch loss, binary or multi-class by the target's shape."""
    kind = getattr(peer("smp"), name)
    return lambda x, t: kind("binary" if x.shape == t.shape else "multiclass", **options)(x, t)


@smooths
@pytest.mark.parametrize("log", [False, True])
def test_dice_is_smp(smooth: float, log: bool) -> None:
    """Its smooth counts twice."""
    ours = DiceLoss(smooth=2 * smooth, log=log, pool="batch")
    agree_on_both(ours, smp("DiceLoss", smooth=smooth, log_loss=log))


@smooths
def test_jaccard_is_smp(smooth: float) -> None:
    agree_on_both(JaccardLoss(smooth=smooth, pool="batch"), smp("JaccardLoss", smooth=smooth))


@smooths
@prices
def test_tversky_is_smp(smooth: float, alpha: float, beta: float) -> None:
    ours = TverskyLoss(alpha=alpha, beta=beta, smooth=smooth, pool="batch")
    agree_on_both(ours, smp("TverskyLoss", alpha=alpha, beta=beta, smooth=smooth))


@pytest.mark.parametrize("gamma", [0.75, 4 / 3, 2.0])
def test_focal_tversky_of_one_class_is_smp(gamma: float) -> None:
    """Of several classes it raises the mean to the power."""
    ours = FocalTverskyLoss(alpha=0.3, beta=0.7, gamma=gamma, pool="batch")
    agree(ours, smp("TverskyLoss", alpha=0.3, beta=0.7, gamma=gamma), *binary())


def test_soft_labels_are_smp() -> None:
    """smp measures overlap by the absolute difference always."""
    logits = binary()[0]
    target = binary(seed=3)[0].sigmoid()
    agree(DiceLoss(overlap="l1", pool="batch"), smp("DiceLoss"), logits, target)
    agree(JaccardLoss(overlap="l1", pool="batch"), smp("JaccardLoss"), logits, target)


def test_classes_weights_and_ignoring_are_smp() -> None:
    logits, target = multiclass()
    weighted = smp("DiceLoss", class_weights=CLASS_WEIGHT.tolist())
    agree(DiceLoss(class_weight=CLASS_WEIGHT, pool="batch"), weighted, logits, target)
    chosen = smp("DiceLoss", classes=[1, 3], class_weights=CLASS_WEIGHT.tolist())
    agree(DiceLoss(class_weight=CLASS_WEIGHT, classes=[1, 3], pool="batch"), chosen, logits, target)
    target[:, 3:] = 255
    agree(DiceLoss(ignore_index=255, pool="batch"), smp("DiceLoss", ignore_index=255), logits, target)


def test_multilabel_is_smp() -> None:
    logits, target = binary((3, 4, 6, 5))
    agree(DiceLoss(mode="multilabel", pool="batch"), peer("smp").DiceLoss("multilabel"), logits, target)
    rows = binary((8, 4))
    agree(JaccardLoss(mode="multilabel", pool="batch"), peer("smp").JaccardLoss("multilabel"), *rows)


# toolbelt: pools the batch


@smooths
def test_dice_and_jaccard_are_toolbelt(smooth: float) -> None:
    losses = peer("toolbelt")
    for mode, (logits, target) in (("binary", binary()), ("multiclass", multiclass())):
        ours = DiceLoss(smooth=smooth, pool="batch")
        agree(ours, losses.DiceLoss(mode, smooth=smooth), logits, target)
        agree(JaccardLoss(smooth=smooth, pool="batch"), losses.JaccardLoss(mode, smooth=smooth), logits, target)


# kornia: a mean over the classes present in each image


def test_dice_and_tversky_are_kornia() -> None:
    logits, target = multiclass()
    absent = target.clone()
    absent[absent == 3] = 0  # in every image, so that the mean of means is the mean
    for labels in (target, absent):
        dice = peer("kornia").DiceLoss(average="macro", eps=0.0)
        agree(DiceLoss(absent="skip"), dice, logits, labels)
        tversky = peer("kornia").TverskyLoss(0.3, 0.7, eps=1e-12)
        agree(TverskyLoss(alpha=0.3, beta=0.7, absent="skip"), tversky, logits, labels)
    weighted = peer("kornia").DiceLoss(average="macro", eps=0.0, weight=CLASS_WEIGHT)
    agree(DiceLoss(class_weight=CLASS_WEIGHT, absent="skip"), weighted, logits, target)


def test_micro_dice_of_one_sample_is_one_pooled_channel() -> None:
    """kornia's micro Dice pools classes too, which makes it the mean probability of what is false."""
    logits, target = multiclass((1, 4, 6, 5))
    flat = DiceLoss(from_logits=False)
    micro = peer("kornia").DiceLoss(average="micro", eps=0.0)

    def ours(x: Tensor, t: Tensor) -> Tensor:
        loss: Tensor = flat(x.softmax(1).reshape(1, 1, -1), one_hot(t, 4).reshape(1, 1, -1))
        return loss

    agree(ours, micro, logits, target)


# Composites


@pytest.mark.parametrize(("dice", "other"), [(1.0, 1.0), (0.3, 2.0)])
def test_composites_are_monai(dice: float, other: float) -> None:
    weights = {"lambda_dice": dice, **smooth_by(0.5)}
    agree(
        DiceBCELoss(smooth=0.5, dice_weight=dice, bce_weight=other),
        monai("DiceCELoss", lambda_ce=other, **weights),
        *binary(),
    )
    agree(
        DiceCELoss(smooth=0.5, dice_weight=dice, ce_weight=other),
        monai("DiceCELoss", lambda_ce=other, **weights),
        *multiclass(),
    )
    agree(
        DiceFocalLoss(smooth=0.5, gamma=3.0, dice_weight=dice, focal_weight=other),
        monai("DiceFocalLoss", lambda_focal=other, gamma=3.0, **weights),
        *binary(),
        tolerance=SINGLE,
    )


def test_options_of_a_composite_are_monai() -> None:
    """`include_background` and `squared` are Dice's, label smoothing and class weights cross-entropy's and both's."""
    logits, target = multiclass()
    theirs = monai("DiceCELoss", include_background=False, squared_pred=True, label_smoothing=0.1, **smooth_by(0))
    ours = DiceCELoss(include_background=False, squared=True, label_smoothing=0.1)
    agree(ours, theirs, logits, target, tolerance=1e-7)
    weighted = monai("DiceCELoss", weight=CLASS_WEIGHT, **smooth_by(0))
    plain = DiceLoss(class_weight=CLASS_WEIGHT)
    agree(
        DiceCELoss(class_weight=CLASS_WEIGHT),
        lambda x, t: weighted(x, t) + (1 - CLASS_WEIGHT.mean()) * plain(x, t),  # its Dice divides by C, not by sum w
        logits,
        target,
    )
