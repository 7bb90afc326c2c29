"""Named sums of two losses, with the options of both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import torch
from annotated_types import Interval
from torch import Tensor

from losskit.core.domains import Fraction, NonNegative, Positive
from losskit.core.labels import ClassificationLoss, LabelOptions, ModeOptions, over_samples
from losskit.core.loss import Loss
from losskit.core.options import Configured, option
from losskit.core.region import RegionLoss, RegionOptions
from losskit.core.sums import Sums
from losskit.core.totals import Totals
from losskit.losses.classification import (
    BCEOptions,
    BCEWithLogitsLoss,
    CEOptions,
    CrossEntropyLoss,
    FocalLoss,
    FocalOptions,
)
from losskit.losses.combination import CombinedLoss
from losskit.losses.overlap import GeneralizedDiceLoss, GeneralizedDiceOptions
from losskit.losses.region import DiceLoss, DiceOptions, tversky
from losskit.ops.columns import Column, Formula, TermColumn
from losskit.ops.finish import Finish
from losskit.ops.inputs import Inputs, Link
from losskit.ops.maths import safe_power
from losskit.ops.planning import Watching


class SmoothingOptions(Configured):
    """Label smoothing of the element-wise part."""

    label_smoothing: Fraction = option(
        default=0.0,
        doc="fraction of the target spread evenly over the classes; not applied to Dice",
    )


class DiceBCELoss(SmoothingOptions, DiceOptions, BCEOptions, CombinedLoss, RegionOptions):
    r"""Weighted sum of Dice loss and binary cross-entropy, which has gradients where Dice has almost none.

    .. math:: w_d\,\mathrm{Dice} + w_b\,\mathrm{BCE}

    Source: Isensee et al. 2018, arXiv:1809.10486 (Dice with cross-entropy).

    Elsewhere: the tutorials pass sigmoid outputs to both parts and pool the batch with smooth 1.

    Example:
        >>> loss = losskit.DiceBCELoss()
        >>> input = torch.tensor([[[2.0, 1.0, -1.0, -2.0]]])  # logits (N, 1, *)
        >>> target = torch.tensor([[[1, 1, 1, 0]]])  # a mask (N, 1, *)
        >>> loss(input, target)
        tensor(0.7178)
    """

    components = (("dice", DiceLoss), ("bce", BCEWithLogitsLoss))
    authority = "monai.losses.DiceCELoss of one channel and its formula in mpmath"
    function_name = "dice_bce_loss"
    short_name = "dice_bce"
    mode: Literal["multilabel"] = "multilabel"  # both parts are multi-label

    dice_weight: NonNegative = option(default=1.0, doc="weight of Dice")
    bce_weight: NonNegative = option(default=1.0, doc="weight of binary cross-entropy")


class DiceCELoss(SmoothingOptions, DiceOptions, CEOptions, CombinedLoss, RegionOptions):
    r"""Weighted sum of Dice loss and cross-entropy.

    .. math:: w_d\,\mathrm{Dice} + w_c\,\mathrm{CE}

    `classes` and `include_background` select the classes of Dice; cross-entropy uses every class.

    Source: Isensee et al. 2018, arXiv:1809.10486.

    Elsewhere: nnU-Net subtracts the Dice score instead of adding one minus it, so its loss can be negative.

    Example:
        >>> loss = losskit.DiceCELoss(include_background=False)
        >>> input = torch.tensor([[[2.0, 0.0, 0.0], [0.0, 3.0, 0.0]]])  # logits (N, C, *) of 2 classes
        >>> target = torch.tensor([[0, 1, 1]])  # class indices (N, *)
        >>> loss(input, target)
        tensor(0.4762)
    """

    components = (("dice", DiceLoss), ("ce", CrossEntropyLoss))
    authority = "monai.losses.DiceCELoss and its formula in mpmath"
    function_name = "dice_ce_loss"
    short_name = "dice_ce"
    mode: Literal["multiclass"] = "multiclass"  # both parts are multi-class

    dice_weight: NonNegative = option(default=1.0, doc="weight of Dice")
    ce_weight: NonNegative = option(default=1.0, doc="weight of cross-entropy")


class DiceFocalLoss(SmoothingOptions, DiceOptions, FocalOptions, CombinedLoss, RegionOptions):
    r"""Weighted sum of Dice loss and focal loss, which focuses on hard elements.

    .. math:: w_d\,\mathrm{Dice} + w_f\,\mathrm{Focal}

    Source: Zhu et al. 2018, arXiv:1808.05238.

    Elsewhere: the focal part of MONAI's `DiceFocalLoss(softmax=True)` is still one-vs-rest.

    Example:
        >>> loss = losskit.DiceFocalLoss(focal_weight=2.0)
        >>> input = torch.tensor([[[2.0, 1.0, -1.0, -2.0]]])  # logits (N, 1, *)
        >>> target = torch.tensor([[[1, 1, 1, 0]]])  # a mask (N, 1, *)
        >>> loss(input, target)
        tensor(0.6117)
    """

    components = (("dice", DiceLoss), ("focal", FocalLoss))
    authority = "monai.losses.DiceFocalLoss of one channel and its formula in mpmath"
    short_name = "dice_focal"

    dice_weight: NonNegative = option(default=1.0, doc="weight of Dice")
    focal_weight: NonNegative = option(default=1.0, doc="weight of the focal loss")


class ComboLoss(DiceOptions, CombinedLoss, RegionOptions):
    r"""Combo loss: Dice loss plus a cross-entropy with separate weights of positives and negatives.

    .. math:: -r\,\mathrm{mean}\left[\alpha\,t \log p + (1 - \alpha)(1 - t)\log(1 - p)\right] + (1 - r)\,\mathrm{Dice}

    Source: Taghanaki et al. 2018, arXiv:1805.02798, which subtracts the Dice score: its value is lower by 1 - r.

    Elsewhere: the tutorials misplace a bracket, so that negatives have the weight alpha (1 - alpha), and subtract the
    score; `variant="tutorial"` reproduces their value (with `pool="batch"` and `smooth=1`).

    Example:
        >>> loss = losskit.ComboLoss(ce_ratio=0.5, alpha=0.7)  # alpha > 0.5 for fewer false negatives
        >>> input = torch.tensor([[[2.0, 1.0, -1.0, -2.0]]])  # logits (N, 1, *)
        >>> target = torch.tensor([[[1, 1, 1, 0]]])  # a mask (N, 1, *)
        >>> loss(input, target)
        tensor(0.2820)
    """

    components = (("ce", FocalLoss), ("dice", DiceLoss))
    authority = "its formula in mpmath"
    short_name = "combo"
    mode: Literal["multilabel"] = "multilabel"  # both parts are multi-label

    ce_ratio: Fraction = option(default=0.5, doc="weight of cross-entropy, r in the formula; 1 - r is that of Dice")
    alpha: Fraction = option(default=0.5, doc="weight of positives in cross-entropy; 1 - alpha of negatives")
    variant: Literal["paper", "tutorial"] = option(default="paper", doc="the paper's weights, or the tutorials'")

    def __post_init__(self) -> None:
        super().__post_init__()
        self.offset = self.ce_ratio - 1 if self.variant == "tutorial" else 0.0

    def weight_of(self, component: str) -> float:
        if component == "dice":
            return 1 - self.ce_ratio
        return self.ce_ratio * (self.alpha * (2 - self.alpha) if self.variant == "tutorial" else 1.0)

    def component(self, name: str, cls: type[Loss]) -> Loss:
        if name == "dice":
            return super().component(name, cls)
        shared = {o: getattr(self, o) for o in LabelOptions.options}
        positives = 1 / (2 - self.alpha) if self.variant == "tutorial" else self.alpha
        return FocalLoss(gamma=0.0, alpha=positives, mode=self.mode, reduction=self.reduction, **shared)


class GeneralizedDiceFocalLoss(SmoothingOptions, GeneralizedDiceOptions, FocalOptions, CombinedLoss, RegionOptions):
    r"""Weighted sum of generalized Dice loss, for regions of all sizes, and focal loss, for hard elements.

    .. math:: w_d\,\mathrm{GDice} + w_f\,\mathrm{Focal}

    `class_weight` applies to the focal loss.

    Source: Sudre et al. 2017, arXiv:1707.03237, and Lin et al. 2017, arXiv:1708.02002; the sum of both is MONAI's.

    Elsewhere: the focal part of MONAI's `GeneralizedDiceFocalLoss(softmax=True)` is still one-vs-rest.

    Example:
        >>> loss = losskit.GeneralizedDiceFocalLoss()
        >>> input = torch.tensor([[[2.0, 2.0, 0.0], [0.0, 0.0, 3.0]]])  # logits (N, C, *) of 2 classes
        >>> target = torch.tensor([[0, 0, 1]])  # class indices (N, *)
        >>> loss(input, target)
        tensor(0.1149)
    """

    components = (("dice", GeneralizedDiceLoss), ("focal", FocalLoss))
    authority = "monai.losses.GeneralizedDiceFocalLoss of one channel and its formula in mpmath"
    short_name = "gdl_focal"
    also_called = ("generalized_dice_focal", "gdice_focal")
    without = ("absent",)

    dice_weight: NonNegative = option(default=1.0, doc="weight of generalized Dice")
    focal_weight: NonNegative = option(default=1.0, doc="weight of the focal loss")


class ExpLogOptions(Configured):
    """The exponent of both logarithms."""

    gamma: Annotated[float, Interval(gt=0, le=1)] = option(
        default=0.3, doc="exponent of both logarithms; below 1, nearly correct predictions weigh more"
    )


class _ExpLogDice(ExpLogOptions, RegionLoss):
    """The power of minus the logarithm of the Dice score."""

    smooth: Positive = option(default=1.0, doc="added to the numerator and the denominator")

    def per_class(self, total: Totals) -> Tensor:
        return safe_power(-torch.log1p(-tversky(total, 0.5, 0.5, self.smooth / 2)), self.gamma)


class _ExpLogCE(ExpLogOptions, ModeOptions, ClassificationLoss):
    """The power of minus the log-probability of the true class."""

    def term(self, log_p: Tensor) -> Tensor:
        return safe_power(-log_p, self.gamma)


class ExpLogLoss(ExpLogOptions, CombinedLoss, RegionOptions):
    r"""Exponential logarithmic loss: weighted powers of minus the log Dice score and of cross-entropy.

    .. math:: w_d\,\mathrm{mean}\left(-\log\frac{2\,TP + s}{P + T + s}\right)^{\gamma} +
        w_c\,\mathrm{mean}\,(-\log p_t)^{\gamma}

    with Dice computed per class and sample. The paper's label weights are `class_weight`, the square roots of the
    inverse frequencies.

    Source: Wong et al. 2018, arXiv:1809.00076.

    Elsewhere: the paper does not divide either part by its class weights.

    Example:
        >>> loss = losskit.ExpLogLoss(gamma=0.3)
        >>> input = torch.tensor([[[2.0, 2.0, 0.0], [0.0, 0.0, 3.0]]])  # logits (N, C, *) of 2 classes
        >>> target = torch.tensor([[0, 0, 1]])  # class indices (N, *)
        >>> loss(input, target)
        tensor(0.4685)
    """

    components = (("dice", _ExpLogDice), ("ce", _ExpLogCE))
    authority = "its formula in mpmath"
    short_name = "exp_log"
    also_called = ("exponential_logarithmic", "explog")

    smooth: Positive = option(default=1.0, doc="added to the numerator and the denominator of Dice")
    dice_weight: NonNegative = option(default=0.8, doc="weight of Dice")
    ce_weight: NonNegative = option(default=0.2, doc="weight of cross-entropy")


class UnifiedOptions(Configured):
    """The options shared by both parts of the unified focal loss."""

    delta: Fraction = option(
        default=0.6, doc="weight of foreground in the focal part, of false negatives in Tversky; 1 - delta of the rest"
    )
    gamma: Annotated[float, Interval(ge=0, lt=1)] = option(
        default=0.5, doc="exponent gamma of the focal part, 1 - gamma of the Tversky part"
    )
    asymmetric: bool = option(
        default=False,
        doc="apply the exponents to background only in the focal part, to foreground only in Tversky",
    )


class _UnifiedFocal(UnifiedOptions, ModeOptions, ClassificationLoss):
    """Focal loss in which background, class 0 or the negative class, has the weight 1 - delta and its own exponent."""

    def formula(self) -> Formula:
        return Formula(gamma=self.gamma)

    def columns(self, link: Link) -> list[Column]:
        fore = Formula() if self.asymmetric else self.formula()
        side = 1 if link == "sigmoid" else 0
        return [
            TermColumn(fore, "truth", 0),
            TermColumn(self.formula(), "truth", side),
            "count" if link == "sigmoid" else "target",
        ]

    def planned_columns(self, inputs: Inputs, watched: Watching) -> list[Column]:
        return self.columns(inputs.link)

    def finish_plan(self, inputs: Inputs, watched: Watching) -> Finish | None:
        return None  # each class has its own term

    def sums_from_totals(self, totals: Sequence[Tensor], inputs: Inputs) -> Sums:
        fore, back = self.delta * totals[0], (1 - self.delta) * totals[1]
        value = fore + back if inputs.link == "sigmoid" else torch.where(is_background(fore), back, fore)
        return Sums(numerator=over_samples(value), denominator=over_samples(totals[2]))


class _UnifiedTversky(UnifiedOptions, RegionLoss):
    """Focal Tversky of foreground and background, class 0 or the negative class, with separate exponents."""

    smooth: NonNegative = option(default=0.0, doc="added to the numerator and the denominator")

    def per_class(self, total: Totals) -> Tensor:
        index = tversky(total, 1 - self.delta, self.delta, self.smooth)
        powered = safe_power(index, 1 - self.gamma)
        return torch.where(total.column("plain") != 0, index, powered) if self.asymmetric else powered

    def finish_plan(self, inputs: Inputs, watched: Watching) -> Finish | None:
        return None  # each class has its own exponent

    def named(self, totals: Sequence[Tensor], link: Link) -> dict[str, Tensor]:
        columns = super().named(totals, link)
        return {**columns, "alone": columns["count"]} if link == "sigmoid" else columns

    def pairs(self, columns: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """For exclusive classes, one region per class; for binary labels, positives and negatives as two regions."""
        alone = "alone" in columns
        columns = {name: total for name, total in columns.items() if name != "alone"}
        if not alone:
            return super().pairs({**columns, "plain": is_background(columns["count"]).expand_as(columns["count"])})
        sides = [columns, _of_negatives(columns)]
        both = {name: torch.stack([side[name] for side in sides]) for name in columns}
        plain = torch.stack([torch.zeros_like(columns["count"]), torch.ones_like(columns["count"])])
        value, share = super().pairs({**both, "plain": plain})
        return value.sum(0), share.sum(0)


def _of_negatives(columns: dict[str, Tensor]) -> dict[str, Tensor]:
    """The totals of 1 - p and 1 - t."""
    count = columns["count"]
    found = {"pred": count - columns["pred"], "target": count - columns["target"], "count": count}
    if "tp" in columns:
        found["tp"] = found["pred"] - columns["target"] + columns["tp"]
    if "tp_l1" in columns:
        found |= {"fp_l1": columns["fn_l1"], "fn_l1": columns["fp_l1"]}
        found["tp_l1"] = count - columns["tp_l1"] - columns["fp_l1"] - columns["fn_l1"]
    return found


def is_background(numbers: Tensor) -> Tensor:
    """Which per-class numbers, (..., C), belong to class 0."""
    return torch.arange(numbers.shape[-1], device=numbers.device) == 0


class UnifiedFocalLoss(UnifiedOptions, CombinedLoss, RegionOptions):
    r"""Unified focal loss: weighted sum of focal loss and focal Tversky loss, with shared delta and gamma.

    .. math:: \lambda\,\mathrm{mean}\bigl(-\delta_y (1 - p_y)^{\gamma} \log p_y\bigr) + (1 - \lambda)\,\mathrm{mean}_c
        \left(1 - \frac{TP_c + s}{TP_c + (1 - \delta)\,FP_c + \delta\,FN_c + s}\right)^{1 - \gamma}

    with :math:`\delta_y` delta for foreground and 1 - delta for background, which is class 0, or the negative class.
    For binary labels both are scored, as two classes. `asymmetric=True` drops the exponent of foreground in the first
    part and that of background in the second.

    Source: Yeung et al. 2022, arXiv:2102.04525, in the form of the authors' code.

    Elsewhere: MONAI takes probabilities of two classes, although it mentions logits, and half of the first part.

    Example:
        >>> loss = losskit.UnifiedFocalLoss(asymmetric=True)
        >>> input = torch.tensor([[[2.0, 2.0, 0.0], [0.0, 0.0, 3.0]]])  # logits (N, C, *) of 2 classes
        >>> target = torch.tensor([[0, 0, 1]])  # class indices (N, *), class 0 the background
        >>> loss(input, target)
        tensor(0.1165)
    """

    components = (("focal", _UnifiedFocal), ("tversky", _UnifiedTversky))
    authority = "monai.losses.AsymmetricUnifiedFocalLoss of one channel and its formula in mpmath"
    short_name = "unified_focal"
    also_called = ("hybrid_focal", "asymmetric_unified_focal")

    balance: Fraction = option(default=0.5, doc="weight of the focal part, lambda in the formula")
    smooth: NonNegative = option(default=0.0, doc="added to the numerator and the denominator of Tversky")

    def weight_of(self, component: str) -> float:
        return self.balance if component == "focal" else 1 - self.balance
