"""Smoothed labels: the target distribution that a cross-entropy uses."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch

from losskit.checker.checks.tools import code, labelled, tried, value
from losskit.checker.claims.fitting import explained
from losskit.checker.claims.kinds import kind
from losskit.checker.finding import Found
from losskit.checker.subject import Subject

SMOOTHING = ("smoothing", "label_smoothing", "smooth", "epsilon", "eps", "ls", "ls_eps", "lb_smooth", "alpha")
_SHARE = 0.2


def _option(subject: Subject) -> str | None:
    """The option that smooths labels, if its value is a share."""
    named = [each for each in SMOOTHING if each in subject.spec.options and "smooth" in each]
    others = [each for each in SMOOTHING if each in subject.spec.options]
    for each in named or others:
        given = subject.origin.options.get(each)
        if isinstance(given, float) and 0 <= given < 0.5 and not 0 < given < 1e-3:
            return each
    return None


@kind(r"smooth")
def smoothed_labels(subject: Subject) -> Iterator[Found]:
    spec, option = subject.spec, _option(subject)
    if option is None or not labelled(spec) or spec.scores != "logits" or spec.layout in ("soft", "signs"):
        return
    if spec.kind == "multiclass" and spec.softmax and spec.classes > 2:
        yield from _of_classes(subject, option)
    if spec.kind in ("binary", "multilabel"):
        yield from _of_flags(subject, option)


def _of_classes(subject: Subject, option: str) -> Iterator[Found]:
    """Whether the shares of all classes add up to 1, and the true class has the most."""
    options, classes = {option: _SHARE}, subject.spec.classes
    size = () if () in subject.spec.spatials else None
    labels = torch.zeros_like(subject.labels(batch=1, size=size)) + (1 if subject.spec.ignore_index != 1 else 0)
    target = subject.target_of(labels)
    inputs = [subject.input_of(labels, 1.5, None, torch.float64, seed) for seed in range(12)]
    costs = [tried(value, subject, each, target, options=options) for each in inputs]
    logs = [each.log_softmax(1) for each in inputs]
    true = torch.stack([-each[:, int(labels.reshape(-1)[0])].mean() for each in logs])
    every = torch.stack([-each.sum(1).mean() for each in logs])
    found = explained(costs, true, every)
    if found is None:
        return
    share, other = found[0] + found[1], found[1]
    total = share + (classes - 1) * other
    positions = labels.numel()
    if any(math.isclose(total, n, rel_tol=4e-3) for n in (1, positions, 1 / classes, positions / classes)):
        if share < other:
            yield _found(subject, inputs[0], target, option, share, other, "the true class has the smallest share")
        return
    if not 0.3 < total < 3 or classes < 3:
        return  # weighted in some other way
    yield _found(
        subject,
        inputs[0],
        target,
        option,
        share,
        other,
        f"the shares of the {classes} classes add up to {total:.4g}, not to 1",
    )


def _found(
    subject: Subject, input: torch.Tensor, target: torch.Tensor, option: str, share: float, other: float, what: str
) -> Found:
    even = _SHARE / subject.spec.classes
    numbers = {"share of the true class": share, "it should be": 1 - _SHARE + even, "of each other": other}
    fix = f"(1 - {option}) * one_hot + {option} / num_classes"
    return Found(
        f"with {option}={_SHARE:g} {what}",
        numbers,
        code(subject, input.float(), target, options={option: _SHARE}),
        None,
        fix,
    )


def _of_flags(subject: Subject, option: str) -> Iterator[Found]:
    """Whether smoothed targets of 0 and 1 stay in [0, 1], each on its side of a half."""
    options = {option: _SHARE}
    found = []
    for label in (0, 1):
        labels = torch.full_like(subject.labels(batch=1), label)
        target = subject.target_of(labels)
        sides = [
            subject.input_of(labels * 0 + 1, n, correct, torch.float64) for n in (1.0, 2.0) for correct in (True, False)
        ]
        costs = [tried(value, subject, each, target, options=options) for each in sides]
        if None in costs:
            return
        shares = [((costs[n + 1] - costs[n]) / (n / 2 + 1) + 1) / 2 for n in (0, 2)]  # type: ignore[operator]
        if not math.isclose(*shares, abs_tol=1e-3):
            return  # not linear in the target
        found.append(shares[0])
    lopsided = found[0] > 1e-3 and found[1] > 1 - 1e-3
    lopsided = lopsided or (abs(found[0]) < 1e-3 and math.isclose(found[1], 1 - _SHARE / 2, abs_tol=1e-3))
    if found[0] < -1e-3 or found[1] > 1 + 1e-3 or not found[0] < 0.5 < found[1] or lopsided:
        numbers = {"target for 1": found[1], "it should be": 1 - _SHARE / 2, "target for 0": found[0]}
        labels = torch.ones_like(subject.labels(batch=1))
        tensors = subject.input_of(labels, 1.0), subject.target_of(labels)
        yield Found(
            f"with {option}={_SHARE:g} 0 and 1 become {found[0]:.3g} and {found[1]:.3g}",
            numbers,
            code(subject, *tensors, options=options),
            None,
            f"target * (1 - {option}) + {option} / 2",
        )
