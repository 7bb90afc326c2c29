"""Region losses: formulas on the totals of each class, without access to the input."""

from __future__ import annotations

import torch
from torch import Tensor

from losskit.core.domains import NonNegative, Positive
from losskit.core.options import Configured, option
from losskit.core.region import RegionLoss
from losskit.core.totals import Totals
from losskit.ops.maths import safe_power


class DiceOptions(Configured):
    """The options of Dice."""

    smooth: NonNegative = option(default=0.0, doc="added to the numerator and the denominator")
    squared: bool = option(default=False, doc="square prediction and target in the denominator")
    log: bool = option(
        default=False, doc="-log of the Dice score instead of one minus it; needs smooth > 0 to stay finite"
    )


class DiceLoss(DiceOptions, RegionLoss):
    r"""Dice loss: one minus the soft Dice coefficient of prediction and target.

    .. math:: 1 - \frac{2\,TP + s}{P + T + s}

    with :math:`TP=\sum pt`, :math:`P=\sum p`, :math:`T=\sum t` over the elements of one class of one sample.

    Source: Milletari, Navab, Ahmadi 2016, arXiv:1606.04797 (with `squared=True`); Drozdzal et al. 2016,
    arXiv:1608.04117.

    Elsewhere: segmentation_models_pytorch pools the batch, adds twice the smooth and sets the loss of absent classes to
    0; MONAI averages over samples, where an absent class has loss 1; Mask2Former's Dice adds 1 and sums over masks
    (MaskDiceLoss); nnU-Net returns minus Dice.

    Example:
        >>> loss = losskit.DiceLoss()
        >>> input = torch.tensor([[[2.0, 1.0, -1.0, -2.0]]])  # logits (N, 1, *)
        >>> target = torch.tensor([[[1, 1, 1, 0]]])  # a mask (N, 1, *)
        >>> loss(input, target)
        tensor(0.2477)
    """

    authority = "monai.losses.DiceLoss and its formula in mpmath"
    short_name = "dice"

    def __post_init__(self) -> None:
        if self.squared and self.overlap == "l1":
            raise ValueError(
                f"{self.name}: overlap='l1' and squared=True both make the loss 0 at p = t for soft targets; together "
                "they have no lower bound. Pass one of them."
            )
        super().__post_init__()

    def per_class(self, total: Totals) -> Tensor:
        size = total.pred_sq + total.target_sq if self.squared else total.pred + total.target
        score = ratio(plus(2.0 * total.tp, self.smooth), plus(size, self.smooth))
        return -score.log() if self.log else 1.0 - score

    def score_formula(self, total: Totals) -> Tensor:
        return (2 * total.tp + self.smooth) / (total.pred + total.target + self.smooth)


class JaccardLoss(RegionLoss):
    r"""Jaccard (IoU) loss: one minus the soft intersection over union of prediction and target.

    .. math:: 1 - \frac{TP + s}{P + T - TP + s}

    Source: Rahman and Wang 2016, "Optimizing Intersection-Over-Union in Deep Neural Networks for Image Segmentation",
    ISVC; with `overlap="l1"` Wang et al. 2023, arXiv:2302.05666.

    Elsewhere: MONAI's `DiceLoss(jaccard=True)` adds smooth to twice the intersection, so its smooth has half the
    effect; segmentation_models_pytorch pools the batch; detection's IoU losses take boxes, not masks.

    Example:
        >>> loss = losskit.JaccardLoss()
        >>> input = torch.tensor([[[2.0, 1.0, -1.0, -2.0]]])  # logits (N, 1, *)
        >>> target = torch.tensor([[[1, 1, 1, 0]]])  # a mask (N, 1, *)
        >>> loss(input, target)
        tensor(0.3970)
    """

    authority = "monai.losses.DiceLoss and its formula in mpmath"
    short_name = "iou"
    also_called = ("IoULoss", "iou_loss", "jaccard")

    smooth: NonNegative = option(default=0.0, doc="added to the intersection and the union")

    def per_class(self, total: Totals) -> Tensor:
        union = total.pred + total.target - total.tp
        return 1.0 - plus(total.tp, self.smooth) / plus(union, self.smooth)


IoULoss = JaccardLoss


class TverskyLoss(RegionLoss):
    r"""Tversky loss: Dice with separate weights of false positives and false negatives.

    .. math:: 1 - \frac{TP + s}{TP + \alpha\,FP + \beta\,FN + s}

    alpha = beta = 1/2 is Dice with twice the smooth; alpha = beta = 1 is Jaccard. If the ratio is 0 / 0, for example
    without overlap and with errors of weight 0, the loss is 0.

    Source: Salehi, Erdogmus, Gholipour 2017, arXiv:1706.05721.

    Elsewhere: Keras's Tversky weights false negatives by alpha, contrary to its documentation.

    Example:
        >>> loss = losskit.TverskyLoss(alpha=0.3, beta=0.7)
        >>> input = torch.tensor([[[2.0, 1.0, -1.0, -2.0]]])  # logits (N, 1, *)
        >>> target = torch.tensor([[[1, 1, 1, 0]]])  # a mask (N, 1, *)
        >>> loss(input, target)
        tensor(0.3034)
    """

    authority = "monai.losses.TverskyLoss and its formula in mpmath"
    short_name = "tversky"

    alpha: NonNegative = option(default=0.5, doc="weight of false positives")
    beta: NonNegative = option(default=0.5, doc="weight of false negatives")
    smooth: NonNegative = option(default=0.0, doc="added to the numerator and the denominator")

    def per_class(self, total: Totals) -> Tensor:
        return tversky(total, self.alpha, self.beta, self.smooth)


class FocalTverskyLoss(TverskyLoss):
    r"""Focal Tversky loss: the Tversky loss raised to a power; above 1 it focuses on classes with little overlap.

    .. math:: \left(1 - \frac{TP + s}{TP + \alpha\,FP + \beta\,FN + s}\right)^{\gamma}

    for each class of each sample, before the mean.

    Source: Abraham and Khan 2018, arXiv:1810.07842, whose gamma is the inverse of this one.

    Elsewhere: segmentation_models_pytorch raises the mean over classes to the power; so do SegLossOdyssey and the
    tutorials.

    Example:
        >>> loss = losskit.FocalTverskyLoss(gamma=0.75, alpha=0.3, beta=0.7)
        >>> input = torch.tensor([[[2.0, 1.0, -1.0, -2.0]]])  # logits (N, 1, *)
        >>> target = torch.tensor([[[1, 1, 1, 0]]])  # a mask (N, 1, *)
        >>> loss(input, target)
        tensor(0.4088)
    """

    authority = "segmentation_models_pytorch.losses.TverskyLoss of one class and its formula in mpmath"
    short_name = "focal_tversky"

    gamma: Positive = option(default=0.75, doc="exponent; below 1, gradients are larger at high overlap")

    def per_class(self, total: Totals) -> Tensor:
        return safe_power(tversky(total, self.alpha, self.beta, self.smooth), self.gamma)

    def score_formula(self, total: Totals) -> Tensor:
        return 1 - tversky(total, self.alpha, self.beta, self.smooth)


def tversky(total: Totals, alpha: float, beta: float, smooth: float) -> Tensor:
    priced = alpha * total.fp + beta * total.fn
    return ratio(priced, plus(total.tp + priced, smooth))


def plus(total: Tensor, smooth: float) -> Tensor:
    """`total + smooth`; skips the addition if smooth is 0."""
    return total + smooth if smooth else total


def ratio(part: Tensor, whole: Tensor) -> Tensor:
    """`part / whole`, and 0 where both are 0: squares underflow, and errors may have weight 0."""
    return part / torch.where(whole == 0, 1.0, whole)
