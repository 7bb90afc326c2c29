"""Losses of detectors' class scores, with soft quality targets and mostly background, and of box distances."""

from __future__ import annotations

import torch
from torch import Tensor

from losskit.core.contract import check_floating, check_real, shape
from losskit.core.domains import NonNegative
from losskit.core.logits import ScoreLoss
from losskit.core.means import MeanLoss
from losskit.core.options import option
from losskit.losses.shortcuts import ElementFormula
from losskit.ops.maths import log_sigmoid, log_softmax, safe_power
from losskit.ops.values import mark


class QualityFocalLoss(ElementFormula, ScoreLoss):
    r"""Quality focal loss: binary cross-entropy with soft targets, down-weighted where the score is near its target.

    .. math:: -|t - p|^{\beta}\,\bigl(t \log p + (1 - t) \log(1 - p)\bigr)

    Source: Li et al. 2020, arXiv:2006.04388 (generalized focal loss).

    Elsewhere: mmdetection takes the class and its quality separately, and sums over classes.

    Example:
        >>> loss = losskit.QualityFocalLoss(beta=2.0)
        >>> input = torch.tensor([[2.0, -1.0]])  # logits (N, C)
        >>> target = torch.tensor([[0.5, 0.0]])  # the overlap of the box in the column of its class
        >>> loss(input, target)
        tensor(0.0930)
    """

    authority = "pytorch_toolbelt.losses.QualityFocalLoss and its formula in mpmath"
    short_name = "qfl"
    also_called = ("quality_focal", "generalized_focal")

    beta: NonNegative = option(default=2.0, doc="focusing exponent; 0 gives binary cross-entropy")

    def of_element(self, input: Tensor, target: Tensor) -> Tensor:
        return torch.where((target >= 0) & (target <= 1), self.per_position(input, target), torch.inf)

    def per_position(self, logits: Tensor, target: Tensor) -> Tensor:
        # |t - p|, from 1 - p where the score is positive, since p rounds to 1 there
        small = torch.sigmoid(torch.where(logits > 0, -logits, logits))
        gap = torch.where(logits > 0, 1 - target, target) - small
        return safe_power(gap.abs(), self.beta) * cross_entropy(logits, target)


class VarifocalLoss(ScoreLoss):
    r"""Varifocal loss: binary cross-entropy weighted by the target's quality for positives, focal loss for negatives.

    .. math:: \begin{cases} -t\,\bigl(t \log p + (1 - t) \log(1 - p)\bigr) & t > 0 \\
        -\alpha\,p^{\gamma} \log(1 - p) & t = 0 \end{cases}

    Source: Zhang et al. 2021, arXiv:2008.13367.

    Elsewhere: ultralytics takes labels and qualities separately, and averages over anchors before it sums.

    Example:
        >>> loss = losskit.VarifocalLoss()
        >>> input = torch.tensor([[2.0, -1.0]])  # logits (N, C)
        >>> target = torch.tensor([[0.5, 0.0]])  # the overlap of the box in the column of its class
        >>> loss(input, target)
        tensor(0.2902)
    """

    authority = "its formula in mpmath"
    short_name = "varifocal"
    also_called = ("vfl",)

    alpha: NonNegative = option(default=0.75, doc="weight of negatives")
    gamma: NonNegative = option(default=2.0, doc="focusing exponent of negatives; 0 does not down-weight easy ones")

    def per_position(self, logits: Tensor, target: Tensor) -> Tensor:
        loss = cross_entropy(logits, target)
        negative = self.alpha * torch.exp(self.gamma * log_sigmoid(logits)) * loss
        return torch.where(target > 0, target * loss, negative)


class GaussianFocalLoss(ScoreLoss):
    r"""Gaussian focal loss of heatmaps whose peaks are 1, with a reduced weight of negatives near a peak.

    .. math:: \begin{cases} -(1 - p)^{\alpha} \log p & t = 1 \\
        -(1 - t)^{\gamma}\,p^{\alpha} \log(1 - p) & t < 1 \end{cases}

    Detectors divide the sum by the number of peaks: pass `normalizer=`.

    Source: Law and Deng 2018, arXiv:1808.01244 (CornerNet); Zhou et al. 2019, arXiv:1904.07850 (CenterNet).

    Elsewhere: mmdetection takes probabilities, and adds 1e-12 in both logarithms.

    Example:
        >>> loss = losskit.GaussianFocalLoss(reduction="sum")
        >>> input = torch.tensor([[[-2.0, 0.0, 2.0, 0.0, -2.0]]])  # logits of a heat map (N, C, *)
        >>> target = torch.tensor([[[0.1, 0.6, 1.0, 0.6, 0.1]]])  # a Gaussian around the object
        >>> loss(input, target)
        tensor(0.0130)
    """

    authority = "its formula in mpmath"
    short_name = "gaussian_focal"
    also_called = ("heatmap_focal", "centernet_focal", "penalty_reduced_focal")

    alpha: NonNegative = option(default=2.0, doc="focusing exponent")
    gamma: NonNegative = option(default=4.0, doc="how quickly the weight of negatives decreases towards a peak")

    def per_position(self, logits: Tensor, target: Tensor) -> Tensor:
        log_p, log_q = log_sigmoid(logits), log_sigmoid(-logits)
        peak = -torch.exp(self.alpha * log_q) * log_p
        other = -safe_power(1 - target, self.gamma) * torch.exp(self.alpha * log_p) * log_q
        return torch.where(target == 1, peak, other)


class DistributionFocalLoss(MeanLoss):
    r"""Distribution focal loss: cross-entropy of a distance as a distribution over integers, shared by the two nearest.

    .. math:: -(\lfloor t \rfloor + 1 - t) \log p_{\lfloor t \rfloor} - (t - \lfloor t \rfloor) \log p_{\lfloor t
        \rfloor + 1}

    with p the softmax over 0 to n.

    Source: Li et al. 2020, arXiv:2006.04388 (generalized focal loss).

    Elsewhere: ultralytics averages over the four sides of a box; here each side is a row.

    Example:
        >>> loss = losskit.DistributionFocalLoss()
        >>> input = torch.tensor([[0.0, 2.0, 3.0, 0.0]])  # logits (N, n + 1) of the distances 0 to n
        >>> target = torch.tensor([1.7])  # distances (N,)
        >>> loss(input, target)
        tensor(0.6835)
    """

    authority = "its formula in mpmath"
    short_name = "dfl"
    also_called = ("distribution_focal",)
    shapes = "input (N, n + 1), target (N,) of numbers from 0 to n; weight and mask (N,); values (N,)."

    def values(self, input: Tensor, target: Tensor) -> Tensor:
        check_floating(self.name, "input", input)
        check_real(self.name, "target", target)
        if input.dim() != 2 or target.shape != input.shape[:1] or input.shape[1] < 2:
            raise ValueError(
                f"{self.name}: input must have shape (N, n + 1) with n > 0, and target (N,), a number for each row; "
                f"got {shape(input)} and {shape(target)}. Pass input.reshape(-1, n + 1) and target.reshape(-1)."
            )
        most = input.shape[1] - 1
        scores = input.to(torch.promote_types(input.dtype, torch.float32))
        target = target.to(scores.dtype)
        known = target.clamp(0, most)
        below = known.detach().floor().clamp(0, most - 1)
        share = (known - below).unsqueeze(1)
        log_p = log_softmax(scores)
        index = below.nan_to_num().long().unsqueeze(1)
        left, right = log_p.gather(1, index), log_p.gather(1, index + 1)
        left = torch.where(share == 1, 0.0, (1 - share) * left)
        value = -(left + torch.where(share == 0, 0.0, share * right)).squeeze(1)
        return mark(
            value,
            (target < 0) | (target > most),
            target,
            f"{self.name}: target holds {{value}}, but input {shape(input)} has places for numbers from 0 to {most}. "
            "Divide distances by the stride, or clamp them.",
        )


def cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """Binary cross-entropy with soft targets, without products of an infinite logarithm and 0."""
    yes = torch.where(target == 0, 0.0, target * log_sigmoid(logits))
    return -yes - torch.where(target == 1, 0.0, (1 - target) * log_sigmoid(-logits))
