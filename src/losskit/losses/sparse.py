"""Losses of sparse softmaxes, which give most classes the probability 0."""

from __future__ import annotations

from typing import Annotated

import torch
from annotated_types import Interval
from torch import Tensor

from losskit.core.logits import ClassesLoss
from losskit.core.options import option
from losskit.ops.maths import log_softmax, safe_power

_STEPS = 40  # of bisection, before Newton


class SparsemaxLoss(ClassesLoss):
    r"""Sparsemax loss: the counterpart of cross-entropy for sparsemax; 0 beyond a margin of 1.

    .. math:: \tfrac{1}{2}\lVert t - x \rVert^2 - \tfrac{1}{2}\lVert p - x \rVert^2

    with p the sparsemax of x, the distribution nearest to the logits. Its gradient is :math:`p - t`.

    Source: Martins and Astudillo 2016, arXiv:1602.02068.

    Example:
        >>> loss = losskit.SparsemaxLoss()
        >>> input = torch.tensor([[0.6, 0.0, -1.0]])  # logits (N, C)
        >>> target = torch.tensor([0])  # class indices (N,)
        >>> loss(input, target)
        tensor(0.0400)
    """

    authority = "its formula in mpmath"
    short_name = "sparsemax"

    def per_position(self, logits: Tensor, target: Tensor) -> Tensor:
        x = logits - logits.detach().amax(1, keepdim=True)  # the loss is invariant to a shift of all logits
        p = sparsemax(x)
        return (0.5 * (target**2 - p**2) + (p - target) * x.clamp_min(-1e15)).sum(1)


class EntmaxLoss(ClassesLoss):
    r"""Entmax loss: between cross-entropy (alpha 1) and the sparsemax loss (alpha 2), with sparse probabilities.

    .. math:: \Omega(t) - \Omega(p) + \sum_c (p_c - t_c)\,x_c, \qquad
        \Omega(p) = \frac{\sum_c p_c^{\alpha} - 1}{\alpha\,(\alpha - 1)}

    with :math:`p_c = [(\alpha - 1) x_c - \tau]_+^{1 / (\alpha - 1)}`, where :math:`\tau` makes them sum to 1. Its
    gradient is :math:`p - t`.

    Source: Peters, Niculae, Martins 2019, arXiv:1905.05702; as Fenchel-Young losses Blondel, Martins, Niculae 2020,
    arXiv:1901.02324.

    Elsewhere: the authors' package computes alpha 1.5 by sorting and others by bisection; here all are exact.

    Example:
        >>> loss = losskit.EntmaxLoss(alpha=1.5)
        >>> input = torch.tensor([[1.0, 0.0, -1.0]])  # logits (N, C)
        >>> target = torch.tensor([0])  # class indices (N,)
        >>> loss(input, target)
        tensor(0.0617)
    """

    authority = "its formula in mpmath"
    short_name = "entmax"
    also_called = ("entmax15", "tsallis", "fenchel_young")

    alpha: Annotated[float, Interval(ge=1, le=4)] = option(default=1.5, doc="1 is cross-entropy, 2 sparsemax loss")

    def per_position(self, logits: Tensor, target: Tensor) -> Tensor:
        x = logits - logits.detach().amax(1, keepdim=True)
        if self.alpha == 1:
            log_p = log_softmax(x)
            log_t = torch.where(target > 0, target, 1.0).log()
            return (target * log_t - torch.where(target == 0, 0.0, target * log_p)).sum(1)
        p = entmax(x, self.alpha)
        scale = self.alpha * (self.alpha - 1)
        gap = (safe_power(target, self.alpha) - safe_power(p, self.alpha)) / scale
        return (gap + (p - target) * x.clamp_min(-1e15)).sum(1)


def sparsemax(x: Tensor) -> Tensor:
    """The distribution nearest to the logits, over dimension 1; the choice of classes above 0 has no derivative."""
    ordered = x.detach().sort(1, descending=True).values
    ranks = torch.arange(1, x.shape[1] + 1, dtype=x.dtype, device=x.device).view(-1, *(1,) * (x.dim() - 2))
    size = (1 + ranks * ordered > ordered.cumsum(1)).sum(1, keepdim=True).clamp_min(1)  # 0 beside NaN
    least = ordered.gather(1, size - 1)
    inside = x.detach() >= least
    size = inside.sum(1, keepdim=True).clamp_min(1)
    threshold = (torch.where(inside, x, 0.0).sum(1, keepdim=True) - 1) / size
    return torch.where(inside, x - threshold, 0.0).clamp_min(0)


def entmax(x: Tensor, alpha: float) -> Tensor:
    """The entmax of logits whose largest is 0, over dimension 1."""
    power = 1 / (alpha - 1)
    scaled = (alpha - 1) * x
    fixed = scaled.detach()
    low = torch.full_like(fixed[:, :1], -1.0)
    high = torch.full_like(low, -(x.shape[1] ** (1 - alpha)))
    for _ in range(_STEPS):
        middle = (low + high) / 2
        too_much = safe_power((fixed - middle).clamp_min(0), power).sum(1, keepdim=True) > 1
        low, high = torch.where(too_much, middle, low), torch.where(too_much, high, middle)
    threshold = (low + high) / 2
    for step in range(4):
        base = (fixed if step < 2 else scaled) - threshold  # the last steps carry the derivatives
        excess = safe_power(base, power).sum(1, keepdim=True) - 1
        slope = torch.where(base > 0, safe_power(base, power - 1), 0.0).sum(1, keepdim=True)
        threshold = threshold + excess / (power * slope)
    return safe_power(scaled - threshold, power)
