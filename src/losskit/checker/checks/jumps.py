"""Jumps: where the value of a loss changes at once, however small the step of the prediction."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from losskit.checker.checks.tools import code, is_random, labelled, pull
from losskit.checker.finding import Found, Severity
from losskit.checker.listening import graph_ends, heard
from losskit.checker.registry import check
from losskit.checker.subject import LossRaised, Subject

_POINTS = 65
_LEAST = 1e-3  # of the span of the loss
_NARROW = 1e-9  # of the way
_BESIDE = 1e-3  # of the way: an example that can be written down lies clearly on one side

At = Callable[[float], tuple[Tensor, ...]]


@dataclass(frozen=True)
class Jump:
    """Two neighbouring points of a way, and the loss at each."""

    before: tuple[Tensor, ...]
    after: tuple[Tensor, ...]
    values: tuple[float, float]

    @property
    def size(self) -> float:
        return abs(self.values[1] - self.values[0])


def largest_jump(subject: Subject, start: Tensor, end: Tensor, others: Sequence[Tensor]) -> Jump | None:
    """The largest jump on the straight line from one prediction to another; None if the loss is continuous there."""
    way = end - start

    def at(share: float) -> tuple[float, float]:
        found = pull(subject, start + share * way, *others)
        return float(found.value), float((found.gradient * way).sum())

    shares = [n / (_POINTS - 1) for n in range(_POINTS)]
    points = [at(each) for each in shares]
    values = [each[0] for each in points]
    span = max(values) - min(values)
    if not span < torch.inf or span == 0:
        return None
    gaps = [(_gap(points[n], points[n + 1], shares[1]), n) for n in range(_POINTS - 1)]
    for gap, n in sorted(gaps, reverse=True)[:3]:
        low, high = (shares[n], points[n]), (shares[n + 1], points[n + 1])
        while gap > _LEAST * span and high[0] - low[0] > _NARROW:
            middle = (low[0] + high[0]) / 2
            between = (middle, at(middle))
            halves = [_gap(a[1], b[1], b[0] - a[0]) for a, b in ((low, between), (between, high))]
            gap = max(halves)
            low, high = (low, between) if halves[0] >= halves[1] else (between, high)
        if gap > _LEAST * span:
            before, after = ((start + each * way, *others) for each in (low[0] - _BESIDE, high[0] + _BESIDE))
            return Jump(before, after, (low[1][0], high[1][0]))
    return None


def _gap(one: tuple[float, float], other: tuple[float, float], step: float) -> float:
    """By how much the value changes beyond what the gradients at both ends explain."""
    return abs(other[0] - one[0] - step * (one[1] + other[1]) / 2)


_CHOOSES = (
    r"thresh|conf|hard|mining|ohem|top|pseudo|match|assign|select|active|semi|easy|ignore|quanti[sz]|straight|"
    r"codebook|nearest|cluster|anchor|trim|curricul|reliab|worst|rank|sort|sign|direction|spike|gate|prun|bins?\b|"
    r"prior|keep|valid|mask_?out|noise|noisy"
)
_CUT = r"> ?=? ?(0?\.5|self\.thr|thr)|\.round\(|round\(|argmax"


def thresholded_term(subject: Subject) -> Iterator[Found]:
    """Whether a term of a loss of labels is computed from a thresholded prediction, beside one that is not."""
    if not labelled(subject.spec) or subject.spec.layout == "soft" or is_random(subject):
        return
    if not re.search(_CUT, subject.words.code) or re.search(_CHOOSES, subject.words.all):
        return
    labels = subject.labels(batch=2)
    target = subject.target_of(labels, torch.float64)
    start, end = (subject.input_of(labels, 1.5, answer, torch.float64) for answer in (False, True))
    try:
        jump = largest_jump(subject, start, end, (target,))
    except LossRaised:
        return
    ends = graph_ends(heard(subject, start, target))
    if jump is not None and ends:
        yield Found(
            f"the loss jumps by {jump.size:.3g} where predictions cross a threshold: a term of it is computed from "
            f"thresholded predictions and has no gradient, which ends at {', '.join(ends[:2])}",
            {"before the threshold": jump.values[0], "after it": jump.values[1]},
            code(subject, *jump.after),
            None,
            "Compute the term from the probabilities.",
        )


_CONTINUOUS = (
    r"huber|smooth_?l1|\bwing|adaptive_?wing|awing|log_?cosh|charbonnier|tukey|biweight|cauchy|welsch|geman|hampel|"
    r"balanced_?l1|barron|robust|logcosh|wing_?loss"
)
_ALIKE = ("same", "bare", "heatmap")  # layouts in which prediction and target have one shape


@check(
    "branches-apart",
    Severity.WRONG,
    why="The loss falls by a step where the branches meet, and its gradient does not say so.",
    fix="Choose the constants so that both branches have the same value where they meet.",
    consequence_of=("not-finite",),
    applies=lambda spec: spec.two and spec.layout in _ALIKE and spec.scores in ("values", "probabilities"),
)
def branches_apart(subject: Subject) -> Iterator[Found]:
    """Do the branches of a robust error meet?"""
    if not re.search(_CONTINUOUS, subject.words.all) or is_random(subject):
        return
    for reach in (0.69,) if subject.spec.scores == "probabilities" else (1.0, 4.0, 40.0):
        shown = subject.example(correct=True, dtype=torch.float64)
        target = torch.full_like(shown[1], 0.3)
        start = target.clone()
        end = target + reach
        try:
            jump = largest_jump(subject, start + 1e-3 * reach, end, (target, *shown[2:]))
        except LossRaised:
            continue
        if jump is not None:
            moved = float((jump.after[0] - target).abs().max())
            yield Found(
                f"the loss jumps by {jump.size:.3g} at errors of about {moved:.3g}: its branches do not meet",
                {"just below": jump.values[0], "just above": jump.values[1]},
                code(subject, *jump.after),
            )
            return
