"""Elementary functions with accurate values and derivatives at the ends of their range."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

_LOG_FLOOR = -100.0  # clamp for log(0), as in torch.nn.functional.binary_cross_entropy
_SMALLEST = 1e-12  # below it the derivative of the logarithm stays at 1 / 1e-12, as there


def safe_power(base: Tensor, exponent: float) -> Tensor:
    """`base ** exponent` for base >= 0, with derivative 0 instead of infinity where the base is 0."""
    if exponent == 0:
        return torch.ones_like(base)
    positive = torch.where(base <= 0, 1.0, base)
    return torch.where(base <= 0, 0.0, positive**exponent)


def one_minus_exp(log_p: Tensor) -> Tensor:
    """`1 - p` from `log p` without cancellation, also in its derivative, -p, for small p."""
    return torch.where(log_p > -0.5, -torch.expm1(log_p), 1 - torch.exp(log_p))


def distance(p: Tensor, q: Tensor, t: Tensor) -> Tensor:
    """`|p - t|`, from q = 1 - p where the label is 1, to avoid cancellation."""
    return torch.where(t == 1, q, (p - t).abs())


def log_sigmoid(x: Tensor) -> Tensor:
    """`log p` from a logit. `F.logsigmoid` starts all threads even for a few elements: 7 ms on a busy machine."""
    return -F.softplus(-x, threshold=40.0)  # beyond 40 the difference from a straight line is below float64 precision


def log_of_probability(p: Tensor) -> Tensor:
    """`log p`, clamped at -100 with a finite derivative, so that a prediction of exactly 0 has a gradient."""
    fixed = p.detach()
    floor = fixed.clamp_min(0).log().clamp_min(_LOG_FLOOR)
    return torch.where(p > _SMALLEST, p.clamp_min(_SMALLEST).log(), floor + (p - fixed) / _SMALLEST)


def log_softmax(x: Tensor) -> Tensor:
    """`log p` over the classes. For a nearly certain class it is computed as `log(1 - p_others)`.

    Computed directly, it would round to 0, and its derivative, 1 - p, would cancel to 0 even if another class is true.
    """
    log_p = F.log_softmax(x, 1)
    largest = log_p.detach().argmax(1, keepdim=True)
    others = log_p.exp().scatter(1, largest, 0.0).sum(1, keepdim=True)
    certain = others < 0.5
    exact = torch.log1p(-torch.where(certain, others, 0.0))
    return log_p.scatter(1, largest, torch.where(certain, exact, log_p.gather(1, largest)))


def log_rest_softmax(x: Tensor) -> Tensor:
    """`log(1 - p)` over the classes, without cancellation: for a nearly certain class from the others."""
    x = x - x.detach().amax(1, keepdim=True)  # keeps the logarithms of sums small
    largest = x.detach().argmax(1, keepdim=True)
    is_largest = torch.zeros_like(x, dtype=torch.bool).scatter(1, largest, True)
    total = x.logsumexp(1, keepdim=True)
    others = torch.where(is_largest, -torch.inf, x).logsumexp(1, keepdim=True)
    p = torch.where(is_largest, -1.0, x - total).exp()
    return torch.where(is_largest, others - total, torch.log1p(-p))


def one_hot(indices: Tensor, classes: int) -> Tensor:
    """(N, *) class indices to (N, C, *) bool; all False for an index out of range."""
    numbers = torch.arange(classes, device=indices.device).view(-1, *(1,) * (indices.dim() - 1))
    return indices.unsqueeze(1) == numbers
