"""Losses of several terms: all terms are summed, or all are averaged, over the batch and over what a sample holds."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

import torch

from losskit.checker.checks.tools import additive, close, code, is_random, pull, tried, value
from losskit.checker.claims.kinds import kind
from losskit.checker.finding import Found
from losskit.checker.subject import Subject

_RATIOS = {2: (1.0, 0.5), 3: (1.0, 1 / 3)}


def _ratio(subject: Subject, tensors: tuple[torch.Tensor, ...], place: int, times: int) -> float | None:
    """The slope of a tensor in a batch in which each sample occurs so often, relative to that of the batch."""
    again = tuple(torch.cat([each] * times) for each in tensors)
    one, other = (tried(pull, subject, *given, of=place) for given in (tensors, again))
    if one is None or other is None or not one.finite or not other.finite:
        return None
    before, after = one.gradient.double(), other.gradient[: len(one.gradient)].double()
    moved = before.abs() > 1e-3 * before.abs().max()
    if not bool(moved.any()):
        return None
    ratios = after[moved] / before[moved]
    return float(ratios.mean()) if float(ratios.max() - ratios.min()) < 1e-3 else None


@kind(r".")
def of_one_batch(subject: Subject) -> Iterator[Found]:
    """Whether all tensors are summed, or all averaged, over the batch."""
    spec = subject.spec
    if len(spec.tensors) < 3 or spec.way.inside or spec.labels or not additive(spec) or is_random(subject):
        return
    names = {*spec.tensors, *subject.parameters}
    if any(re.search(rf"\bin (zip|enumerate)?\(?[^)\n]*\b{name}\b", subject.words.code) for name in names):
        return  # a list of tensors: its terms are added up
    tensors = subject.example(batch=4)
    if any(each.dim() == 0 or len(each) != 4 for each in tensors):
        return
    rolled = tuple(each.roll(1, 0) for each in tensors)
    if not _same(tried(value, subject, *tensors), tried(value, subject, *rolled)):
        return  # the rows of a table are no samples
    found = {}
    for place, tensor in enumerate(tensors):
        if not tensor.is_floating_point():
            continue
        ratios = [_ratio(subject, tensors, place, times) for times in (2, 3)]
        if None in ratios:
            continue
        side = [
            n
            for n in (0, 1)
            if all(abs((r or 0.0) - _RATIOS[t][n]) < 1e-3 for r, t in zip(ratios, (2, 3), strict=True))
        ]
        if side:
            found[spec.tensors[place]] = side[0]
    summed, averaged = ([name for name, side in found.items() if side == n] for n in (0, 1))
    if summed and averaged:
        yield Found(
            f"the term of {' and '.join(summed)} is summed over the batch and that of {' and '.join(averaged)} is "
            "averaged: their ratio depends on the batch size",
            "",
            code(subject, *tensors),
            None,
            "Sum both terms over each sample, and take the mean of both over the batch.",
        )


def _same(one: float | None, other: float | None) -> bool:
    return one is not None and other is not None and close(one, other)


def grows(before: float, after: float, times: float) -> bool:
    """Whether a term grows in proportion to the number of elements."""
    return math.isclose(after, times * before, rel_tol=0.02)


NATS = re.compile(
    r"elbo|evidence|lower bound|\bnats\b|variational bound|per (image|sample|example|datapoint|data point)"
)
