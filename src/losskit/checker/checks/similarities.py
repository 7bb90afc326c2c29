"""Similarities: positives are pulled together, negatives pushed apart, and margins make the task harder."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from losskit.checker.checks.tools import BACKWARD, close, code, labelled, require_steady, tried, value
from losskit.checker.finding import Found, Severity
from losskit.checker.registry import check
from losskit.checker.spec import Spec
from losskit.checker.subject import Subject


@check(
    "negatives-left-out",
    Severity.WRONG,
    why="All embeddings may collapse to one point: nothing keeps different groups apart.",
    fix="Look for a minimum over distances some of which were set to 0: fill excluded distances with inf.",
    consequence_of=("no-graph", "not-finite"),
    applies=lambda spec: spec.layout == "groups",
)
def negatives_left_out(subject: Subject) -> Iterator[Found]:
    """Is the loss higher for groups that touch than for groups far apart, if its names mention a margin?"""
    require_steady(subject)
    words = ("triplet", "contrast", "margin", "hard")
    if "margin" not in subject.spec.options and not any(word in subject.name.lower() for word in words):
        return  # it may only be meant to pull together
    first = subject.example(correct=True, batch=4)[0]
    centre, around = first[:1], first[1:2] - first[:1]
    groups = torch.tensor([0, 0, 1, 1])

    def beside(other: Tensor) -> Tensor:
        return torch.cat([centre, centre + around, other, other + around])

    touching, apart = beside(centre + 0.02 * centre.flip(1)), beside(-centre)
    costs = value(subject, touching, groups), value(subject, apart, groups)
    if math.isfinite(costs[0]) and close(*costs, 1e-5):
        yield Found(
            "the loss of groups that touch is that of groups far apart",
            {"touching": costs[0], "far apart": costs[1]},
            code(subject, touching, groups, lines=BACKWARD),
        )


@check(
    "self-compared",
    Severity.WRONG,
    why="Each embedding is its own best match: the loss stays above log 2, and half of each step works against that.",
    fix="Fill the diagonal of the similarities of a batch with itself with -inf before the softmax.",
    consequence_of=("no-graph", "not-finite"),
    applies=lambda spec: spec.layout == "partners",
)
def self_compared(subject: Subject) -> Iterator[Found]:
    """Is an embedding excluded from the softmax over those that it is compared with?"""
    require_steady(subject)
    one = subject.example(batch=1)[0]
    two = torch.cat([one, -one])
    alone, apart = tried(value, subject, one, one), tried(value, subject, two, two)
    if alone is None or apart is None or not math.isfinite(apart):
        return
    same = tried(value, subject, torch.cat([one, one, one]), torch.cat([one, one, one]))
    if same is None or not close(same, math.log(6), 1e-4):
        return  # another loss of log 2, such as a sigmoid at 0
    if close(alone, math.log(2), 1e-4) and apart > math.log(2):
        yield Found(
            "the loss of one pair of equal views is log 2: each embedding is compared with itself",
            {"one pair": alone, "two pairs, opposite each other": apart},
            code(subject, one, one),
        )


def _scaled(spec: Spec) -> bool:
    """Whether it multiplies cosines by a scale, of classes given as scores or as its own centres."""
    scale = any(each in spec.options for each in ("s", "scale"))
    return scale and ((labelled(spec) and spec.kind == "multiclass") or spec.layout.startswith("several"))


def _ordered(spec: Spec) -> bool:
    return spec.layout in ("triplets", "order", "above")


def _compared(subject: Subject, seed: int) -> tuple[Tensor, ...]:
    if not subject.spec.labels:
        return subject.example(seed, correct=False if _ordered(subject.spec) else None)
    labels = subject.labels(seed)
    cosines = 0.6 * subject.input_of(labels, 1.0, None, seed=seed).tanh()
    return cosines, subject.target_of(labels)


@check(
    "margin-eases",
    Severity.WRONG,
    why="A margin should make the correct prediction harder: this one makes it easier the larger it is.",
    fix="cos(theta + m), and score - m, for the true class.",
    consequence_of=("rewards-errors", "unused-argument"),
    applies=lambda spec: any(each in spec.options for each in ("m", "margin")) and (_scaled(spec) or _ordered(spec)),
)
def margin_eases(subject: Subject) -> Iterator[Found]:
    """Does a larger margin, of scaled cosines or of triplets, never lower the loss?"""
    option = "m" if "m" in subject.spec.options else "margin"
    usual = subject.origin.options.get(option)
    if not isinstance(usual, (int, float)) or usual <= 0:
        return
    margins = [share * usual for share in (0.5, 1.0, 1.5)]
    for seed in range(5):
        tensors = _compared(subject, seed)
        costs = [tried(value, subject, *tensors, options={option: each}) for each in margins]
        known = [each for each in costs if each is not None]
        if len(known) < len(costs) or not known[0] > known[1] > known[2]:
            return
    yield Found(
        f"a larger {option} makes the loss smaller",
        {f"with {option}={margins[2]:g}": known[2], f"with {option}={margins[0]:g}": known[0]},
        code(subject, *tensors, options={option: margins[2]}),
    )
