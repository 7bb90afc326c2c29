"""Heads that predict a mean and a spread in one tensor: the best spread is that of the errors."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

import torch
from torch import Tensor

from losskit.checker.checks.tools import BACKWARD, code, pull, tried
from losskit.checker.claims.kinds import kind
from losskit.checker.finding import Found
from losskit.checker.subject import Subject

_LIKELIHOOD = r"gauss|normal|\bnll|likelihood|heterosced|aleatoric"
_OTHERS = r"crps|student|laplac|mixture|evidential|beta.?nll|quantile"


def _readings(raw: float) -> list[float]:
    """What a number may mean as a standard deviation."""
    positive = math.log1p(math.exp(raw))
    found = [math.exp(raw), math.exp(raw / 2), positive, math.sqrt(positive)]
    return [*found, raw, math.sqrt(raw)] if raw > 0 else found


def _settled(subject: Subject, target: Tensor, error: float, first: bool) -> float | None:
    """The number in the half of the spread at which its slope turns from falling to rising."""
    mean, zeros = torch.full_like(target, error), torch.zeros_like(target)
    width = target.shape[-1]

    def slope(raw: float) -> float:
        halves = [zeros + raw, mean] if first else [mean, zeros + raw]
        found = tried(pull, subject, torch.cat(halves, -1), zeros)
        if found is None or not found.finite:
            return math.nan
        part = found.gradient[..., :width] if first else found.gradient[..., width:]
        return float(part.sum())

    grid = [0.5 * n - 6 for n in range(25)]
    slopes = [slope(each) for each in grid]
    if any(map(math.isnan, slopes)):
        return None
    turns = [n for n in range(len(slopes) - 1) if slopes[n] < 0 <= slopes[n + 1]]
    if len(turns) != 1:
        return math.nan
    low, high = grid[turns[0]], grid[turns[0] + 1]
    for _ in range(9):
        middle = (low + high) / 2
        low, high = (middle, high) if slope(middle) < 0 else (low, middle)
    return (low + high) / 2


@kind(_LIKELIHOOD)
def best_spread(subject: Subject) -> Iterator[Found]:
    """Whether the best spread for errors of one size is that size."""
    if not subject.spec.two or re.search(_OTHERS, subject.words.all) or subject.spec.way.inside:
        return
    input, target = subject.example(batch=2)
    if input.shape[:-1] != target.shape[:-1] or input.dim() != 2 or input.shape[-1] != 2 * target.shape[-1]:
        return
    settled = {}
    for first in (False, True):
        found = [_settled(subject, target, error, first) for error in (1.0, 2.0)]
        if None in found:
            return
        near = [
            math.isfinite(raw or 0.0) and any(abs(each - error) < 0.04 * error for each in _readings(raw or 0.0))
            for raw, error in zip(found, (1.0, 2.0), strict=True)
        ]
        if all(near):
            return
        settled[first] = found
    given = torch.cat([torch.full_like(target, 2.0), torch.zeros_like(target)], -1)
    best = settled[False][1]
    what = (
        "no spread is best"
        if best is None or not math.isfinite(best)
        else f"the best number of the spread is {best:.4g}"
    )
    yield Found(
        f"for errors of 2 {what}: read as a variance, a standard deviation or the logarithm of either it is not that "
        "of the errors",
        {"best": best, "logarithm of the variance": math.log(4.0)},
        code(subject, given, torch.zeros_like(target), lines=BACKWARD),
        None,
        "0.5 * (log_var + (y - mean) ** 2 * torch.exp(-log_var)), with the raw second half as log_var.",
    )
