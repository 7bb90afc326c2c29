"""Sums of two losses that people look for by one name, with the options of both."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from torch import Tensor

from losskit.core.algebra import WeightedSum
from losskit.core.domains import CompositeReduction, Fraction, NonNegative
from losskit.core.labels import LABEL_SHAPES, LabelOptions
from losskit.core.loss import Loss, Summable
from losskit.core.options import Configured, option
from losskit.core.region import RegionOptions
from losskit.losses.classification import (
    BCEOptions,
    BCEWithLogitsLoss,
    CEOptions,
    CrossEntropyLoss,
    FocalLoss,
    FocalOptions,
)
from losskit.losses.region import DiceLoss, DiceOptions


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
