"""Closed forms of losses: the value and its gradient by the input, in few passes over memory and without a graph.

Each returns None for inputs that it does not support: soft, ignored or invalid labels, and numbers that would
overflow. The definition of the loss then computes the value or raises the error.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

if TYPE_CHECKING:
    from numpy.typing import NDArray

Found = tuple[Tensor, Sequence[Tensor | None]]
_SMALLEST, _LARGEST = 1e-30, 1e30  # range of squared lengths without underflow or overflow
_TINY = 1.2e-38  # smallest normal float32
_WIDEST = 60.0  # range of exponents whose sums are exact to float32
FEW = 16384  # above this many scores the fused operators are faster


def class_indices(input: Tensor, target: Tensor, ignored: object) -> Tensor | None:
    """The target as class indices (N, 1, *), or None if a label is invalid or ignored."""
    if target.dtype != torch.int64 or input.dim() < 2 or input.shape[1] < 2:
        return None
    if target.shape != (input.shape[0], *input.shape[2:]) or not target.numel():
        return None
    low, high = (int(each) for each in target.aminmax())
    if low < 0 or high >= input.shape[1] or _ignores(ignored, low, high):
        return None
    return target.unsqueeze(1)


def binary_labels(input: Tensor, target: Tensor, ignored: object) -> Tensor | None:
    """Hard labels of the input's shape as bool, or None if a label is soft, invalid or ignored."""
    if target.shape != input.shape or input.dim() < 2 or _ignores(ignored, 0, 1):
        return None
    yes = target != 0
    return yes if target.dtype == torch.bool or torch.equal(yes.to(target.dtype), target) else None


def _ignores(ignored: object, low: int, high: int) -> bool:
    """Whether `ignored` contains a label from low to high."""
    labels = ignored if isinstance(ignored, Sequence) else [ignored]
    return any(isinstance(label, int) and low <= label <= high for label in labels)


def finite(value: Tensor, *gradients: Tensor | None) -> Found | None:
    """The value and the derivatives by the first tensors of the call, or None if the value is not finite."""
    return (value.float(), gradients) if math.isfinite(value.item()) else None


def focal_cosine(input: Tensor, label: Tensor, gamma: float, weight: float, derive: bool) -> Found | None:
    """`FocalCosineLoss` of class indices (N, 1, *)."""
    square = input * input
    own = square.gather(1, label)
    others = square.scatter_(1, label, 0.0).sum(1, keepdim=True)
    size = others + own
    low, high = size.aminmax()
    if not (low.item() > _SMALLEST and high.item() < _LARGEST):
        return None
    length = size.sqrt()
    unit = torch.div(input, length, out=square)
    cosine = unit.gather(1, label)
    turned = torch.where(cosine > 0, others / size / (1 + cosine), 1 - cosine)  # 1 - cos without cancellation
    p = unit.softmax(1)
    own_p = p.gather(1, label)
    log_p, rest = own_p.log(), 1 - own_p
    powered = rest**gamma
    value = (turned - weight * powered * log_p).mean(dtype=torch.float64)
    if not derive:
        return finite(value, None)
    slope = weight * (gamma * powered / rest * own_p * log_p - powered)  # by log p
    mean = (p * unit).sum(1, keepdim=True)
    along = slope * (cosine - mean) - cosine  # radial part, removed because the loss does not depend on the length
    at_label = slope * (rest + cosine * (mean - cosine)) - others / size
    scale = 1 / (length * label.numel())
    gradient = unit.mul_(-along * scale).addcmul_(p, -slope * scale)
    return finite(value, gradient.scatter_(1, label, at_label * scale))


def jsd_consistency(input: Tensor, label: Tensor, views: int, alpha: float, derive: bool) -> Found | None:
    """`JSDConsistencyLoss` of class indices (N, 1, *); the input stacks the views, the labeled one first."""
    count = label.numel()
    apart = F.log_softmax(input, 1)
    p = apart.exp()
    clean = p.narrow(0, 0, label.shape[0])
    log_p, own_p = apart.narrow(0, 0, label.shape[0]).gather(1, label), clean.gather(1, label)
    wrong = clean.scatter(1, label, 0.0)
    others = wrong.sum(1, keepdim=True)
    entropy = -torch.where(own_p > 0.5, torch.log1p(-others.clamp_max(0.5)), log_p)
    by_view = (views, label.shape[0], *input.shape[1:])
    mean = p.view(by_view).mean(0)
    apart.view(by_view).sub_(mean.log_())
    apart.mul_(p)
    divergence = apart.sum(1, keepdim=True)
    value = entropy.sum(dtype=torch.float64) + alpha / views * divergence.sum(dtype=torch.float64)
    if derive:
        apart.addcmul_(p, divergence, value=-1).mul_(alpha / (views * count))
        apart.narrow(0, 0, label.shape[0]).add_(wrong.scatter_(1, label, -others), alpha=1 / count)
    return finite(value / count, apart if derive else None)


def two_way(input: Tensor, yes: Tensor, high_temperature: float, low_temperature: float, derive: bool) -> Found | None:
    """`TwoWayLoss` of labels (N, C): `high_temperature` is the temperature of positives."""
    low, high = (each.item() for each in input.aminmax())
    if not (high - low) / min(high_temperature, low_temperature) < _WIDEST:
        return None
    each = torch.where(yes, (low - input).div_(high_temperature), (input - high).div_(low_temperature)).exp_()
    positive = each * yes
    negative = each.sub_(positive)
    value = torch.zeros((), dtype=torch.float64)
    of_yes: Tensor | float = 0.0
    of_no: Tensor | float = 0.0
    for dim in (1, 0):
        yes_sum, no_sum = (sums.sum(dim, keepdim=True) for sums in (positive, negative))
        both, known = (yes_sum > 0) & (no_sum > 0), yes_sum > 0
        number = int(known.sum())
        if not number:
            return None
        hardest = high_temperature * yes_sum.double().log() + low_temperature * no_sum.double().log() + (high - low)
        value = value + torch.where(both, F.softplus(hardest, threshold=40.0), 0.0).sum() / number
        slope = torch.where(both, hardest.sigmoid() / number, 0.0).float()
        of_yes, of_no = (
            total + torch.where(both, slope / sums, 0.0) for total, sums in ((of_yes, yes_sum), (of_no, no_sum))
        )
    gradient = negative.mul_(of_no).sub_(positive.mul_(of_yes)) if derive else None
    return finite(value, gradient)


def distribution_balanced(
    input: Tensor, yes: Tensor, counts: Tensor, num_samples: int, weighting: tuple[float, float, float],
    scale: float, bias: float, gamma: float, balance: float, derive: bool,
) -> Found | None:  # fmt: skip
    """`DistributionBalancedLoss` of labels (N, C, *); `weighting` is alpha, beta and mu of the weights."""
    alpha, beta, mu = weighting
    if not beta:
        return None
    counts = counts.float().view(-1, *(1,) * (input.dim() - 2))
    rare = 1 / counts
    rarity = (rare * yes).sum(1, keepdim=True).clamp_min_(_TINY)  # a sample without positives has an infinite share
    weight = (rare * (beta / rarity)).sub_(beta * mu).sigmoid_().add_(alpha)
    moved = input - bias / scale * torch.log(num_samples / counts - 1)
    wrong = torch.where(yes, -moved, scale * moved)
    softened = F.softplus(wrong)
    p = wrong.sigmoid_()
    weight.mul_(p**gamma) if gamma != 1 else weight.mul_(p)
    count = input.numel()
    each = softened * weight
    value = (each if scale == 1 else torch.where(yes, each, each / scale)).mean(dtype=torch.float64) * balance
    if not derive:
        return finite(value, None)
    slope = softened.mul_(1 - p).mul_(gamma).add_(p)  # in an order that does not overflow
    slope.mul_(weight).mul_(balance / count)
    return finite(value, torch.where(yes, -slope, slope))


def shares(input: Tensor, target: Tensor, ignored: object) -> Tensor | None:
    """Soft or hard labels of the input's shape in float32; None if one is invalid or ignored, or for many scores."""
    if target.shape != input.shape or input.numel() > FEW or not target.is_floating_point() or input.dim() > 2:
        return None
    low, high = (each.item() for each in target.aminmax())
    return target.float() if low >= 0 and high <= 1 and not _ignores(ignored, 0, 1) else None


def aucm(
    input: Tensor, labels: Tensor, margin: float, learned: Sequence[float], derive: bool
) -> tuple[Tensor | None, Tensor | None, Sequence[float]]:
    """`AUCMLoss`: its value, its gradient, and its derivatives by a, b and alpha."""
    a, b, alpha = learned
    p, count = input.sigmoid(), input.numel()
    both, both_square = (each.sum(dtype=torch.float64).item() for each in (p, p * p))
    known = p * labels
    yes, positives = (each.sum(dtype=torch.float64).item() for each in (known, labels))
    yes_square = known.mul_(p).sum(dtype=torch.float64).item()
    negatives = count - positives
    of_yes, of_no = (1 / size if size > 0 else 0.0 for size in (positives, negatives))
    alpha = alpha if of_yes and of_no else 0.0
    mean_yes, mean_no = yes * of_yes, (both - yes) * of_no
    apart = margin + mean_no - mean_yes
    value = (yes_square * of_yes - 2 * a * mean_yes + a * a) * bool(of_yes)
    value += ((both_square - yes_square) * of_no - 2 * b * mean_no + b * b) * bool(of_no)
    value += 2 * alpha * apart - alpha * alpha
    if not math.isfinite(value):
        return None, None, ()
    if not derive:
        return torch.tensor(value), None, (0.0, 0.0, 0.0)
    # by p: of_yes (2 p - 2 a - 2 alpha) for a positive, of_no (2 p - 2 b + 2 alpha) for a negative
    factor = labels * (2 * (of_yes - of_no)) + 2 * of_no
    offset = labels * (-2 * of_yes * (a + alpha) + 2 * of_no * (b - alpha)) - 2 * of_no * (b - alpha)
    gradient = torch.addcmul(offset, factor, p).mul_(p).mul_(input.neg().sigmoid_())
    slopes = (
        2 * (a - mean_yes) * bool(of_yes),
        2 * (b - mean_no) * bool(of_no),
        2 * (alpha - apart) * bool(of_yes and of_no),
    )
    return torch.tensor(value), gradient, slopes


def wasserstein_dice(
    sums: Tensor, size: int, smooth: float, pooled: bool, labels: Tensor, gradient: Tensor | None
) -> Found | None:  # fmt: skip
    """`GeneralizedWassersteinDiceLoss` of sums (N, 3): distances, distances at background, foreground positions.

    `gradient` (N, C, S), of each position's distance, is overwritten with that of the loss; `labels` are (N, S).
    """
    given = sums.numpy()  # NumPy takes less than half the time of tensors here
    count = size * len(given) if pooled else size
    wrong, background, foreground = (given.sum(0, keepdims=True) if pooled else given).T
    empty = foreground == 0
    whole = 2 * (foreground - wrong + background) + wrong + smooth
    whole = np.where(whole == 0, 1.0, whole)
    value = torch.from_numpy(np.where(empty, wrong / count, wrong / whole)).mean()
    if gradient is None:
        return finite(value, None)
    by_wrong = np.where(empty, 1 / count, (whole + wrong) / whole**2) / len(wrong)
    by_background = np.where(empty, 0.0, -2 * wrong / whole**2) / len(wrong)
    foreground, background = (torch.from_numpy(each).float() for each in (by_wrong, by_wrong + by_background))
    each = torch.where(labels == 0, background.unsqueeze(1), foreground.unsqueeze(1))
    return finite(value, gradient.mul_(each.unsqueeze(1)))


def generalized_dice(
    sums: Mapping[str, NDArray[Any]], weighting: str, smooth: float
) -> tuple[float, dict[str, NDArray[Any]]]:
    """`GeneralizedDiceLoss` of sums (N, C) by name: the value, and the derivatives by `tp` and `pred`."""
    target, pred, tp = sums["target"], sums["pred"], sums["tp"]
    there = target > 0
    size = np.where(there, target, 1.0)
    weight = np.ones_like(size) if weighting == "uniform" else 1 / (size**2 if weighting == "square" else size)
    if weighting != "uniform" and not there.all():
        heaviest = np.where(there, weight, 0.0).max(-1, keepdims=True)
        weight = np.where(there, weight, np.where(heaviest > 0, heaviest, 1.0))
    wrong = (weight * (pred + target - 2 * tp)).sum(-1, keepdims=True)
    whole = (weight * (pred + target)).sum(-1, keepdims=True) + smooth
    whole = np.where(whole == 0, 1.0, whole)
    of_tp = weight * (-2 / whole / len(wrong))
    of_pred = weight * ((1 / whole - wrong / whole**2) / len(wrong))
    return float((wrong / whole).mean()), {"tp": of_tp, "pred": of_pred}
