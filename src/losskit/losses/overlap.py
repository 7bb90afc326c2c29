"""Scores of overlap other than Dice and Jaccard, and Dice with other weights: formulas on the totals of each class."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from torch import Tensor

from losskit.core.domains import NonNegative, Positive
from losskit.core.labels import LABEL_SHAPES
from losskit.core.options import option
from losskit.core.region import RegionLoss
from losskit.core.totals import Totals
from losskit.losses.region import plus, ratio, tversky


class FBetaLoss(RegionLoss):
    r"""One minus the soft F-score, in which recall counts beta times as much as precision.

    .. math:: 1 - \frac{(1 + \beta^2)\,TP}{(1 + \beta^2)\,TP + \beta^2 FN + FP}

    beta = 1 is Dice; it is Tversky with :math:`\alpha = 1 / (1 + \beta^2)` and :math:`1 - \alpha`.

    Source: Hashemi et al. 2018, arXiv:1803.11078 (asymmetric similarity loss).

    Elsewhere: pytorch_toolbelt's soft F1 pools the batch, and leaves no class out.
    """

    authority = "its formula in mpmath"
    function_name = "fbeta_loss"
    short_name = "fbeta"
    also_called = ("f_beta", "soft_f1", "f1_loss", "asymmetric_similarity")

    beta: Positive = option(default=1.0, doc="how much more recall counts than precision")

    def per_class(self, total: Totals) -> Tensor:
        alpha = 1 / (1 + self.beta**2)
        return tversky(total, alpha, 1 - alpha, 0.0)


class MCCLoss(RegionLoss):
    r"""One minus the correlation of prediction and truth, in which right background counts too.

    .. math:: 1 - \frac{TP \cdot TN - FP \cdot FN}{\sqrt{(TP + FP)(TP + FN)(TN + FP)(TN + FN)}}

    Where a factor of the root is 0 there is no correlation: the loss is 1, without a gradient.

    Source: Abhishek and Hamarneh 2021, "Matthews Correlation Coefficient Loss For Deep Convolutional Networks", ISBI,
    arXiv:2010.13454.

    Elsewhere: segmentation_models_pytorch pools the batch and adds an eps to each count; MONAI's loss is 0 where
    nothing is wrong.
    """

    authority = "its formula in mpmath"
    function_name = "mcc_loss"
    short_name = "mcc"
    also_called = ("matthews", "phi")

    def per_class(self, total: Totals) -> Tensor:
        covariance = total.tp * total.count - total.pred * total.target
        size = total.pred * total.target * (total.count - total.pred) * (total.count - total.target)
        undefined = size <= 0
        return 1.0 - torch.where(undefined, 0.0, covariance / torch.where(undefined, 1.0, size).sqrt())


class LogCoshDiceLoss(RegionLoss):
    r"""The log-cosh of the Dice loss, which is flatter near a perfect overlap.

    .. math:: \log\cosh\left(1 - \frac{2\,TP + s}{P + T + s}\right)

    for each class of each sample, before the mean.

    Source: Jadon 2020, arXiv:2006.14822.
    """

    authority = "its formula in mpmath"
    short_name = "log_cosh_dice"

    smooth: NonNegative = option(default=0.0, doc="added to the numerator and the denominator")

    def per_class(self, total: Totals) -> Tensor:
        loss = tversky(total, 0.5, 0.5, self.smooth / 2)
        return torch.log1p(2 * torch.sinh(loss / 2) ** 2)

    def score_formula(self, total: Totals) -> Tensor:
        return 1 - tversky(total, 0.5, 0.5, self.smooth / 2)


class GeneralizedDiceLoss(RegionLoss):
    r"""One Dice over all classes, in which a class weighs the less the larger it is.

    .. math:: 1 - \frac{2 \sum_c w_c\,TP_c + s}{\sum_c w_c\,(P_c + T_c) + s}

    with :math:`w_c` one over the size of the class in the target, squared, simple or 1. A class that the target lacks
    weighs as much as the heaviest that it has; where it has none, all weigh 1.

    Source: Sudre et al. 2017, arXiv:1707.03237.

    Elsewhere: optax's generalized Dice is the weighted mean of the classes' own Dice scores; in MONAI a
    sample without any class costs nothing, whatever is predicted.
    """

    authority = "monai.losses.GeneralizedDiceLoss and its formula in mpmath"
    short_name = "gdl"
    also_called = ("generalized_dice", "generalised_dice", "gdice")
    shapes = f"{LABEL_SHAPES}; values (N,), or one number with pool='batch'."
    without = ("class_weight", "absent")
    class_weight: ClassVar[None] = None  # type: ignore[misc] # the classes weigh by their sizes
    absent: ClassVar[Literal["formula"]] = "formula"  # type: ignore[misc]

    weighting: Literal["square", "simple", "uniform"] = option(
        default="square", doc="what a class's weight is one over: the square of its size, its size, or 1"
    )
    smooth: NonNegative = option(default=0.0, doc="added to the numerator and the denominator")

    def per_sample(self, total: Totals) -> Tensor:
        weight = self._weights(total.target)
        wrong = (weight * (total.fp + total.fn)).sum(-1)
        size = (weight * (total.pred + total.target)).sum(-1)
        return ratio(wrong, plus(size, self.smooth))

    def _weights(self, target: Tensor) -> Tensor:
        if self.weighting == "uniform":
            return torch.ones_like(target)
        there = target > 0
        size = torch.where(there, target, 1.0)
        weight = 1 / (size**2 if self.weighting == "square" else size)
        heaviest = torch.where(there, weight, 0.0).amax(-1, keepdim=True)
        return torch.where(there, weight, torch.where(heaviest > 0, heaviest, 1.0))
