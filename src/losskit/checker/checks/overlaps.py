"""Overlaps: what a correct prediction gives without foreground, in several channels, and beside a wrong one."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

import torch

from losskit.checker.checks.tools import close, code, is_random, labelled, sigmoid, tried, value
from losskit.checker.finding import Found, Severity
from losskit.checker.registry import check
from losskit.checker.subject import Subject


@check(
    "below-zero",
    Severity.WRONG,
    why="One image without the object outweighs all others: its loss is a large negative number.",
    fix="Add the same constant to the numerator and the denominator.",
    consequence_of=("rewards-errors", "one-label-only"),
    applies=lambda spec: labelled(spec) and spec.layout not in ("signs", "soft"),
)
def below_zero(subject: Subject) -> Iterator[Found]:
    """Does an overlap count once, with and without foreground, in one channel and in several?"""
    yield from _doubled(subject)
    if not sigmoid(subject.spec):
        return
    labels = subject.labels(batch=2)
    nothing = torch.zeros_like(labels)
    usual = value(subject, subject.input_of(labels, 20.0, True), subject.target_of(labels))
    tensors = subject.input_of(nothing, 20.0, True), subject.target_of(nothing)
    found = value(subject, *tensors)
    if math.isfinite(found) and found < (-0.5 if usual > -0.05 else 10 * usual):
        numbers = {"without foreground": found, "usual": usual}
        what = f"without foreground, the loss of a correct prediction is {found:.4g}"
        yield Found(what, numbers, code(subject, *tensors))
    yield from _of_channels(subject)


@check(
    "smoothed-below-only",
    Severity.WRONG,
    why="A perfect prediction has a loss above 0, the more the smaller the object, and an empty mask has the worst.",
    fix="Add the same constant to the numerator and the denominator.",
    consequence_of=("rewards-errors", "one-label-only", "not-finite"),
    applies=lambda spec: sigmoid(spec) and spec.layout not in ("signs", "soft") and bool(spec.spatial),
)
def smoothed_below_only(subject: Subject) -> Iterator[Found]:
    """Is the constant of a ratio in its numerator too, so that a perfect prediction of a small object has no loss?"""
    if not re.search(_OVERLAP, subject.words.all) or is_random(subject):
        return
    costs, counts = [], (1, 2, 4)
    for count in counts:
        labels = torch.zeros_like(subject.labels(batch=1))
        if labels.numel() < counts[-1] or labels.shape[1] > 1:
            return
        labels.view(-1)[:count] = 1
        tensors = subject.input_of(labels, 30.0, True), subject.target_of(labels)
        costs.append(value(subject, *tensors))
    if not all(0.05 < each < 1 for each in costs):
        return
    shares = [(1 / each - 1) / count for each, count in zip(costs, counts, strict=True)]  # of s / (a * count + s)
    if all(close(each, shares[0], 1e-2) for each in shares):
        yield Found(
            f"a perfect prediction of {counts[-1]} positive elements has a loss of {costs[-1]:.4g}, and of one "
            f"{costs[0]:.4g}: the constant is in the denominator only",
            {"perfect": costs[-1], "right": 0.0},
            code(subject, *tensors),
        )


_OVERLAP = r"dice|iou|jaccard|tversky|overlap"


def _doubled(subject: Subject) -> Iterator[Found]:
    """Whether an overlap counts twice: from 1 for a wrong prediction, the loss falls to -1 for a correct one."""
    words = subject.words
    if not re.search(_OVERLAP, words.all) or re.search(r"cross_?entropy|bce|\.log\(|focal|mse", words.code):
        return
    right, wrong = (subject.example(batch=2, correct=answer, scale=20.0) for answer in (True, False))
    best, worst = value(subject, *right), value(subject, *wrong)
    if -1.1 < best < -0.5 and 0.5 < worst < 1.1:
        yield Found(
            f"correct predictions have a loss of {best:.4g} and wrong ones {worst:.4g}: the overlap counts twice",
            {"correct": best, "wrong": worst},
            code(subject, *right),
            None,
            "2 * intersection belongs to the sum of both areas, intersection alone to their union.",
        )


def _of_channels(subject: Subject) -> Iterator[Found]:
    """Whether three channels, all correct, have a loss far below that of one, as if each added its overlap."""
    if subject.spec.layout != "same" or not re.search(_OVERLAP, subject.words.all):
        return
    one, three = (subject.example(batch=2, classes=n, correct=True, scale=20.0) for n in (1, 3))
    costs = [tried(value, subject, *each) for each in (one, three)]
    if costs[0] is not None and costs[1] is not None and abs(costs[0]) < 0.05 and costs[1] < -0.5:
        numbers = {"three channels": costs[1], "one channel": costs[0]}
        what = (
            f"with three channels the loss of a correct prediction is {costs[1]:.4g}: overlaps are added, not averaged"
        )
        yield Found(what, numbers, code(subject, *three))
