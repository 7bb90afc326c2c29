"""Sums of two losses that people look for by one name, with the options of both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal

import torch
from annotated_types import Interval
from torch import Tensor

from losskit.core.algebra import WeightedSum
from losskit.core.classification import ClassificationLoss
from losskit.core.domains import CompositeReduction, Fraction, NonNegative, Positive
from losskit.core.labels import LABEL_SHAPES, LabelOptions, ModeOptions, over_samples
from losskit.core.loss import Loss, Summable
from losskit.core.options import Configured, option
from losskit.core.passes import Watching
from losskit.core.region import RegionLoss, RegionOptions
from losskit.core.totals import Sums, Totals
from losskit.losses.classification import (
    BCEOptions,
    BCEWithLogitsLoss,
    CEOptions,
    CrossEntropyLoss,
    FocalLoss,
    FocalOptions,
)
from losskit.losses.overlap import GeneralizedDiceLoss, GeneralizedDiceOptions
from losskit.losses.region import DiceLoss, DiceOptions, tversky
from losskit.ops.columns import Column, Formula, TermColumn
from losskit.ops.finish import Finish
from losskit.ops.inputs import Inputs, Link
from losskit.ops.maths import safe_power


class SmoothingOptions(Configured):
    """Label smoothing, of the part that scores elements."""

    label_smoothing: Fraction = option(
        default=0.0,
        doc="the share of the target spread evenly over classes, or yes and no; Dice is not smoothed",
    )


class CombinedLoss(WeightedSum, LabelOptions):
    """A sum by one name whose parts share the options declared once on it."""

    abstract: ClassVar[bool] = True
    components: ClassVar[tuple[tuple[str, type[Loss]], ...]] = ()
    shapes: ClassVar[str] = f"{LABEL_SHAPES}; the value is one number."
    without: ClassVar[tuple[str, ...]] = ()
    tensors: ClassVar[tuple[str, ...]] = ("input", "target")

    reduction: CompositeReduction = option(
        default="mean", doc="of every part: the weighted mean over what counts, or its numerator"
    )

    __init__ = Configured.__init__
    forward = Summable.forward  # type: ignore[assignment]

    def __post_init__(self) -> None:
        super().__post_init__()
        self.set_terms(
            [(self.weight_of(n), self.component(n, cls)) for n, cls in self.components], [n for n, _ in self.components]
        )

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if name in self.options and "losses" in self._modules:
            self.__post_init__()  # an option of the parts changed

    def weight_of(self, component: str) -> float:
        weight: float = getattr(self, f"{component}_weight")
        return weight

    def component(self, name: str, cls: type[Loss]) -> Loss:
        return cls(**{o: getattr(self, o) for o in cls.options if o in self.options})

    def set_option(self, name: str, value: Any) -> None:
        if isinstance(value, Tensor):  # the parts hold it, so that it moves and is saved once
            object.__setattr__(self, name, value)
        else:
            super().set_option(name, value)

    def extra_repr(self) -> str:
        return Configured.extra_repr(self)


class DiceBCELoss(SmoothingOptions, DiceOptions, BCEOptions, CombinedLoss, RegionOptions):
    r"""Overlap and yes-or-no log-probability together: Dice finds the region, cross-entropy keeps gradients alive.

    .. math:: w_d\,\mathrm{Dice} + w_b\,\mathrm{BCE}

    Source: Isensee et al. 2018, arXiv:1809.10486 (Dice with cross-entropy).

    Elsewhere: the tutorials pass the output of a sigmoid to both parts and pool the batch with smooth 1.
    """

    components = (("dice", DiceLoss), ("bce", BCEWithLogitsLoss))
    authority = "monai.losses.DiceCELoss of one channel and its formula in mpmath"
    function_name = "dice_bce_loss"
    short_name = "dice_bce"
    mode: Literal["multilabel"] = "multilabel"  # both parts are of yes and no

    dice_weight: NonNegative = option(default=1.0, doc="weight of Dice")
    bce_weight: NonNegative = option(default=1.0, doc="weight of binary cross-entropy")


class DiceCELoss(SmoothingOptions, DiceOptions, CEOptions, CombinedLoss, RegionOptions):
    r"""Overlap and log-probability of the true class together.

    .. math:: w_d\,\mathrm{Dice} + w_c\,\mathrm{CE}

    `classes` and `include_background` choose what Dice scores; cross-entropy keeps every class.

    Source: Isensee et al. 2018, arXiv:1809.10486.

    Elsewhere: nnU-Net subtracts the Dice score instead of adding one minus it, so its loss can be negative.
    """

    components = (("dice", DiceLoss), ("ce", CrossEntropyLoss))
    authority = "monai.losses.DiceCELoss and its formula in mpmath"
    function_name = "dice_ce_loss"
    short_name = "dice_ce"
    mode: Literal["multiclass"] = "multiclass"  # both parts are of exclusive classes

    dice_weight: NonNegative = option(default=1.0, doc="weight of Dice")
    ce_weight: NonNegative = option(default=1.0, doc="weight of cross-entropy")


class DiceFocalLoss(SmoothingOptions, DiceOptions, FocalOptions, CombinedLoss, RegionOptions):
    r"""Overlap and focal loss together: the region, and the elements that are still hard.

    .. math:: w_d\,\mathrm{Dice} + w_f\,\mathrm{Focal}

    Source: Zhu et al. 2018, arXiv:1808.05238.

    Elsewhere: the focal half of MONAI's `DiceFocalLoss(softmax=True)` is still one class against the rest.
    """

    components = (("dice", DiceLoss), ("focal", FocalLoss))
    authority = "monai.losses.DiceFocalLoss of one channel and its formula in mpmath"
    short_name = "dice_focal"

    dice_weight: NonNegative = option(default=1.0, doc="weight of Dice")
    focal_weight: NonNegative = option(default=1.0, doc="weight of the focal loss")


class ComboLoss(DiceOptions, CombinedLoss, RegionOptions):
    r"""Dice with a cross-entropy that prices false negatives and false positives apart.

    .. math:: -r\,\mathrm{mean}\left[\alpha\,t \log p + (1 - \alpha)(1 - t)\log(1 - p)\right] + (1 - r)\,\mathrm{Dice}

    Source: Taghanaki et al. 2018, arXiv:1805.02798, which subtracts the Dice score: lower than this by 1 - r.

    Elsewhere: the tutorials misplace a bracket, so that negatives weigh alpha (1 - alpha), and subtract the score;
    `variant="tutorial"` gives their number (with `pool="batch"` and `smooth=1`).
    """

    components = (("ce", FocalLoss), ("dice", DiceLoss))
    authority = "its formula in mpmath"
    short_name = "combo"
    mode: Literal["multilabel"] = "multilabel"  # both parts are of yes and no

    ce_ratio: Fraction = option(default=0.5, doc="r, the share of cross-entropy")
    alpha: Fraction = option(default=0.5, doc="weight of the positives in cross-entropy, 1 - alpha of the negatives")
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
    r"""Generalized Dice and focal loss together: regions of all sizes, and the elements that are still hard.

    .. math:: w_d\,\mathrm{GDice} + w_f\,\mathrm{Focal}

    `class_weight` is that of the focal loss.

    Source: Sudre et al. 2017, arXiv:1707.03237, and Lin et al. 2017, arXiv:1708.02002; the sum of both is MONAI's.

    Elsewhere: the focal half of MONAI's `GeneralizedDiceFocalLoss(softmax=True)` is still one class against the rest.
    """

    components = (("dice", GeneralizedDiceLoss), ("focal", FocalLoss))
    authority = "monai.losses.GeneralizedDiceFocalLoss of one channel and its formula in mpmath"
    short_name = "gdl_focal"
    also_called = ("generalized_dice_focal", "gdice_focal")
    without = ("absent",)

    dice_weight: NonNegative = option(default=1.0, doc="weight of generalized Dice")
    focal_weight: NonNegative = option(default=1.0, doc="weight of the focal loss")


class ExpLogOptions(Configured):
    """The power of logarithms."""

    gamma: Annotated[float, Interval(gt=0, le=1)] = option(
        default=0.3, doc="the power of both logarithms; below 1 what is nearly right counts more"
    )


class _ExpLogDice(ExpLogOptions, RegionLoss):
    """The power of minus the logarithm of the Dice score."""

    smooth: Positive = option(default=1.0, doc="added to both sides")

    def per_class(self, total: Totals) -> Tensor:
        return safe_power(-torch.log1p(-tversky(total, 0.5, 0.5, self.smooth / 2)), self.gamma)


class _ExpLogCE(ExpLogOptions, ModeOptions, ClassificationLoss):
    """The power of minus the log-probability of the truth."""

    def term(self, log_p: Tensor) -> Tensor:
        return safe_power(-log_p, self.gamma)


class ExpLogLoss(ExpLogOptions, CombinedLoss, RegionOptions):
    r"""Powers of the logarithms of Dice and of the truth's probability, which keep pulling at what is nearly right.

    .. math:: w_d\,\mathrm{mean}\left(-\log\frac{2\,TP + s}{P + T + s}\right)^{\gamma} +
        w_c\,\mathrm{mean}\,(-\log p_t)^{\gamma}

    with Dice of each class of each sample. The paper's weights of labels are `class_weight`, the roots of the inverse
    frequencies.

    Source: Wong et al. 2018, arXiv:1809.00076.

    Elsewhere: the paper divides neither part by its class weights.
    """

    components = (("dice", _ExpLogDice), ("ce", _ExpLogCE))
    authority = "its formula in mpmath"
    short_name = "exp_log"
    also_called = ("exponential_logarithmic", "explog")

    smooth: Positive = option(default=1.0, doc="added to the numerator and the denominator of Dice")
    dice_weight: NonNegative = option(default=0.8, doc="weight of Dice")
    ce_weight: NonNegative = option(default=0.2, doc="weight of cross-entropy")


class UnifiedOptions(Configured):
    """The options of both parts of the unified focal loss."""

    delta: Fraction = option(
        default=0.6, doc="what foreground weighs in cross-entropy, and a miss in Tversky; 1 - delta the others"
    )
    gamma: Annotated[float, Interval(ge=0, lt=1)] = option(
        default=0.5, doc="how strongly background that is right, and regions that are not, are played down and up"
    )
    asymmetric: bool = option(
        default=False,
        doc="whether powers are of background alone in cross-entropy, of foreground in Tversky",
    )


class _UnifiedFocal(UnifiedOptions, ModeOptions, ClassificationLoss):
    """The focal loss whose background, class 0 or no, weighs 1 - delta and has a power of its own."""

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
        return None  # a class has a term of its own

    def sums_from_totals(self, totals: Sequence[Tensor], inputs: Inputs) -> Sums:
        fore, back = self.delta * totals[0], (1 - self.delta) * totals[1]
        value = fore + back if inputs.link == "sigmoid" else torch.where(is_background(fore), back, fore)
        return Sums(numerator=over_samples(value), denominator=over_samples(totals[2]))


class _UnifiedTversky(UnifiedOptions, RegionLoss):
    """Focal Tversky of foreground and background, class 0 or what is no, with a power for each."""

    smooth: NonNegative = option(default=0.0, doc="added to both sides")

    def per_class(self, total: Totals) -> Tensor:
        index = tversky(total, 1 - self.delta, self.delta, self.smooth)
        powered = safe_power(index, 1 - self.gamma)
        return torch.where(total.column("plain") != 0, index, powered) if self.asymmetric else powered

    def finish_plan(self, inputs: Inputs, watched: Watching) -> Finish | None:
        return None  # a class has a power of its own

    def named(self, totals: Sequence[Tensor], link: Link) -> dict[str, Tensor]:
        columns = super().named(totals, link)
        return {**columns, "alone": columns["count"]} if link == "sigmoid" else columns

    def pairs(self, columns: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Of classes that exclude each other each is a region; of yes and no both are."""
        alone = "alone" in columns
        columns = {name: total for name, total in columns.items() if name != "alone"}
        if not alone:
            return super().pairs({**columns, "plain": is_background(columns["count"]).expand_as(columns["count"])})
        sides = [columns, _of_no(columns)]
        both = {name: torch.stack([side[name] for side in sides]) for name in columns}
        plain = torch.stack([torch.zeros_like(columns["count"]), torch.ones_like(columns["count"])])
        value, share = super().pairs({**both, "plain": plain})
        return value.sum(0), share.sum(0)


def _of_no(columns: dict[str, Tensor]) -> dict[str, Tensor]:
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
    """Which of numbers per class, (..., C), are class 0's."""
    return torch.arange(numbers.shape[-1], device=numbers.device) == 0


class UnifiedFocalLoss(UnifiedOptions, CombinedLoss, RegionOptions):
    r"""Focal loss and focal Tversky with the same two options: how much a miss weighs, and how much what is hard does.

    .. math:: \lambda\,\mathrm{mean}\bigl(-\delta_y (1 - p_y)^{\gamma} \log p_y\bigr) + (1 - \lambda)\,\mathrm{mean}_c
        \left(1 - \frac{TP_c + s}{TP_c + (1 - \delta)\,FP_c + \delta\,FN_c + s}\right)^{1 - \gamma}

    with :math:`\delta_y` delta for foreground and 1 - delta for background, which is class 0, or no. Of yes and no both
    are scored, as two classes. `asymmetric=True` drops the power of foreground in the first part and that of background
    in the second.

    Source: Yeung et al. 2022, arXiv:2102.04525, in the form of the authors' code.

    Elsewhere: MONAI takes probabilities of two classes, whatever it says of logits, and half of the first part.
    """

    components = (("focal", _UnifiedFocal), ("tversky", _UnifiedTversky))
    authority = "monai.losses.AsymmetricUnifiedFocalLoss of one channel and its formula in mpmath"
    short_name = "unified_focal"
    also_called = ("hybrid_focal", "asymmetric_unified_focal")

    balance: Fraction = option(default=0.5, doc="weight of the focal loss; 1 - balance is that of Tversky")
    smooth: NonNegative = option(default=0.0, doc="added to the numerator and the denominator of Tversky")

    def weight_of(self, component: str) -> float:
        return self.balance if component == "focal" else 1 - self.balance
