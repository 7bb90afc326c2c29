"""Extreme logits against mpmath at 50 digits: every value and every derivative to the precision of its dtype."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import pytest
import torch
from mpmath import MPContext  # type: ignore[import-untyped]
from torch import Tensor

from losskit import (
    BCEWithLogitsLoss,
    CrossEntropyLoss,
    DiceLoss,
    FocalLoss,
    GeneralizedCrossEntropyLoss,
    Loss,
    SymmetricCrossEntropyLoss,
)

mp: Any = MPContext()
mp.dps = 50
Number = Any  # an mpf


class Term(NamedTuple):
    """A loss's f(log p of the truth) and its derivative, where p is the probability of the truth and q is 1 - p."""

    value: Callable[[Number, Number, Number], Number]
    slope: Callable[[Number, Number, Number], Number]


def focal(gamma: float) -> Term:
    return Term(
        lambda log_p, p, q: -(q**gamma) * log_p,
        lambda log_p, p, q: gamma * p * q ** (gamma - 1) * log_p - q**gamma,
    )


Q, ALPHA, FLOOR = mp.mpf(0.7), mp.mpf(0.1), mp.log(mp.mpf(1e-4))
TERMS = {
    "cross-entropy": Term(lambda log_p, p, q: -log_p, lambda log_p, p, q: mp.mpf(-1)),
    "focal 2": focal(2.0),
    "focal 0.5": focal(0.5),
    "gce": Term(lambda log_p, p, q: -mp.expm1(Q * log_p) / Q, lambda log_p, p, q: -mp.exp(Q * log_p)),
    "sce": Term(lambda log_p, p, q: -ALPHA * log_p - FLOOR * q, lambda log_p, p, q: -ALPHA + FLOOR * p),
}
LOSSES: dict[str, tuple[Loss, Loss]] = {  # of the sigmoid, of the softmax
    "cross-entropy": (BCEWithLogitsLoss(), CrossEntropyLoss()),
    "focal 2": (FocalLoss(gamma=2.0), FocalLoss(gamma=2.0)),
    "focal 0.5": (FocalLoss(gamma=0.5), FocalLoss(gamma=0.5)),
    "gce": (GeneralizedCrossEntropyLoss(), GeneralizedCrossEntropyLoss()),
    "sce": (SymmetricCrossEntropyLoss(), SymmetricCrossEntropyLoss()),
}
ROUNDING = 4 * torch.finfo(torch.float64).eps  # of one minus a score, which is made of float64 sums
EXTREMES = [20.0, -20.0, 100.0, -100.0, 1e4, -1e4]

dtypes = pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["single", "double"])
logit = pytest.mark.parametrize("z", EXTREMES)
term = pytest.mark.parametrize("name", TERMS)


def log_probability(z: Sequence[Number], truth: int) -> tuple[Number, Number, Number]:
    """log p, p and 1 - p of one of several scores, none of which cancels."""
    others = mp.fsum(mp.exp(x - z[truth]) for i, x in enumerate(z) if i != truth)
    log_p = -mp.log1p(others)
    return log_p, mp.exp(log_p), others / (1 + others)


def exact(term: Term, z: Sequence[float], truth: int) -> tuple[Number, list[Number]]:
    """The loss of a truth among scores, and its derivative in each score."""
    scores = [mp.mpf(x) for x in z]
    log_p, p, q = log_probability(scores, truth)
    slope = term.slope(log_p, p, q)
    # d log p_truth / dz_i is 1 - p_truth for the truth and -p_i for others
    slopes = [slope * (q if i == truth else -log_probability(scores, i)[1]) for i in range(len(scores))]
    return term.value(log_p, p, q), slopes


def check(loss: Loss, x: Tensor, target: Tensor, value: Number, slopes: list[Number], atol: float = 0.0) -> None:
    x.requires_grad_()
    found = loss(x, target)
    (gradient,) = torch.autograd.grad(found, x)
    finfo = torch.finfo(x.dtype)
    rtol = 1e-5 if x.dtype == torch.float32 else 1e-12
    wanted = torch.tensor([float(s) for s in slopes], dtype=x.dtype)
    exact_value = torch.tensor(float(value), dtype=x.dtype)
    torch.testing.assert_close(found.detach(), exact_value, rtol=rtol, atol=atol + finfo.tiny)
    torch.testing.assert_close(gradient.flatten(), wanted, rtol=rtol, atol=finfo.tiny)


@term
@logit
@pytest.mark.parametrize("truth", [0.0, 1.0, 0.25])
@dtypes
def test_sigmoid(name: str, z: float, truth: float, dtype: torch.dtype) -> None:
    yes, yes_slopes = exact(TERMS[name], [z, 0.0], 0)
    no, no_slopes = exact(TERMS[name], [z, 0.0], 1)
    value, slope = truth * yes + (1 - truth) * no, truth * yes_slopes[0] + (1 - truth) * no_slopes[0]
    check(LOSSES[name][0], torch.tensor([[z]], dtype=dtype), torch.tensor([[truth]]), value, [slope])


@term
@logit
@pytest.mark.parametrize("truth", [0, 1, 2])
@dtypes
def test_softmax(name: str, z: float, truth: int, dtype: torch.dtype) -> None:
    scores = [z, 0.0, -z / 2]
    value, slopes = exact(TERMS[name], scores, truth)
    check(LOSSES[name][1], torch.tensor([scores], dtype=dtype), torch.tensor([truth]), value, slopes)


@logit
@pytest.mark.parametrize("truth", [[1, 1, 0], [0, 0, 1], [1, 0, 1]])
@dtypes
def test_dice(z: float, truth: list[int], dtype: torch.dtype) -> None:
    scores = [z, -z / 4, z / 2]
    p = [log_probability([mp.mpf(x), mp.mpf(0)], 0)[1] for x in scores]
    q = [log_probability([mp.mpf(x), mp.mpf(0)], 1)[1] for x in scores]
    size = mp.fsum(p) + sum(truth)
    # 1 - 2 TP / size, whose numerator is FP + FN
    value = mp.fsum(b if t else a for a, b, t in zip(p, q, truth, strict=True)) / size
    overlap = 2 * mp.fsum(a * t for a, t in zip(p, truth, strict=True))
    slopes = [a * b * (overlap - 2 * t * size) / size**2 for a, b, t in zip(p, q, truth, strict=True)]
    check(DiceLoss(), torch.tensor([[scores]], dtype=dtype), torch.tensor([[truth]]), value, slopes, ROUNDING)


@logit
@dtypes
def test_dice_of_two_classes(z: float, dtype: torch.dtype) -> None:
    """Two pixels with truths 0 and 1, both scored as z and z / 2 for class 0 against 0 for class 1."""
    (a, not_a), (b, not_b) = (log_probability([mp.mpf(x), mp.mpf(0)], 0)[1:] for x in (z, z / 2))
    zero, one = a + b + 1, not_a + not_b + 1
    value = (1 - 2 * a / zero + 1 - 2 * not_b / one) / 2
    first = a * not_a * ((2 * a - 2 * zero) / zero**2 - 2 * not_b / one**2) / 2
    second = b * not_b * (2 * a / zero**2 + (2 * one - 2 * not_b) / one**2) / 2
    x = torch.tensor([[[z, z / 2], [0.0, 0.0]]], dtype=dtype)
    check(DiceLoss(), x, torch.tensor([[0, 1]]), value, [first, second, -first, -second], ROUNDING)
