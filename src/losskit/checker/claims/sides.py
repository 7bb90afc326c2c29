"""Options and counts that favour one label: those of positives or negatives, and those of rare classes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from losskit.checker.checks.tools import BACKWARD, code, labelled, pull, sigmoid, tried, value
from losskit.checker.claims.kinds import kind
from losskit.checker.finding import Found
from losskit.checker.subject import Subject

_POSITIVE = r"(^|_)(pos|positives?|fg|foreground|obj)(_|$)"
_NEGATIVE = r"(^|_)(neg|negatives?|bg|background|noobj)(_|$)"


@kind(r"pos|neg|foreground|background|_fg|_bg|obj|asymmetric")
def options_of_sides(subject: Subject) -> Iterator[Found]:
    """Whether an option named after positives or negatives changes the loss of those."""
    spec = subject.spec
    if not sigmoid(spec) or spec.layout == "signs":
        return
    for option in spec.options:
        default = subject.origin.options.get(option)
        side = _side(option)
        if side is None or isinstance(default, bool) or not isinstance(default, (int, float)):
            continue
        moved = [_effect(subject, label, option, default) for label in (side, 1 - side)]
        if None not in moved and moved[0] < 1e-7 and moved[1] > 1e-3:  # type: ignore[operator]
            names = ("negatives", "positives")
            labels = torch.full_like(subject.labels(batch=2), side)
            tensors = subject.input_of(labels, 1.0, None), subject.target_of(labels)
            yield Found(
                f"{option} changes the loss of the {names[1 - side]} alone, not that of the {names[side]}",
                {f"change for {names[side]}": moved[0], f"for {names[1 - side]}": moved[1]},
                code(subject, *tensors, options={option: default + 1}),
                None,
                f"Apply {option} where the target is {side}.",
            )
            return


def _side(option: str) -> int | None:
    found = [re.search(each, option.lower()) is not None for each in (_NEGATIVE, _POSITIVE)]
    return found.index(True) if sum(found) == 1 else None


def _effect(subject: Subject, label: int, option: str, default: float) -> float | None:
    labels = torch.full_like(subject.labels(batch=2), label)
    tensors = subject.input_of(labels, 1.0, None), subject.target_of(labels)
    costs = [tried(value, subject, *tensors, options={option: each}) for each in (default, default + 1)]
    if costs[0] is None or costs[1] is None:
        return None
    return abs(costs[1] - costs[0]) / max(abs(costs[0]), 1e-12)


_COUNTS = r"(cls|class|sample|img|num|label)\w*_?(num|count|freq|dist|per)|^counts?$|freq|prior|per_class|per_cls"
_RARE = (
    r"long.?tail|class.?balanc|imbalanc|inverse|re-?balanc|effective num|median freq|logit.?adjust|balanced.?softmax|"
    r"\bldam|rare class|frequen"
)


_NO_BALANCE = r"focal|dice|tversky|\biou|jaccard|overlap"  # which balance by their formula


@kind(r"balanc|imbalanc|rarer|long.?tail|inverse", code=r"numel\(\) - \w*pos|num_neg|n_neg")
def rare_label(subject: Subject) -> Iterator[Found]:
    """Whether the rarer of 0 and 1 in a batch counts more, if the weights are computed from the batch."""
    spec = subject.spec
    if not sigmoid(spec) or spec.layout == "signs" or re.search(_NO_BALANCE, subject.words.all):
        return
    if any(re.search(_COUNTS, option.lower()) for option in spec.options):
        return  # the weights are those of the training set, not of the batch
    labels = torch.zeros_like(subject.labels(batch=8))
    labels[0] = 1
    target = subject.target_of(labels)
    right, wrong = (subject.input_of(labels, 2.0, answer) for answer in (True, False))

    def cost(at: int) -> float | None:
        input = right.clone()
        input[at] = wrong[at]
        return tried(value, subject, input, target)

    best, rare, frequent = tried(value, subject, right, target), cost(0), cost(1)
    other = tried(value, subject, right, 1 - target) if spec.layout == "same" else None
    if best is None or rare is None or frequent is None or other is None:
        return
    if 0 < rare - best < 0.9 * (frequent - best):
        yield Found(
            "an error in the one sample of 8 that is positive has a smaller loss than one in a negative",
            {"the positive": rare - best, "a negative": frequent - best},
            code(subject, right, target),
            None,
            "Weight positives by the share of negatives, and negatives by the share of positives.",
        )


@kind(_RARE, code=r"cls_num_list|samples_per_cl|class_counts|bincount|class_freq")
def rare_classes(subject: Subject) -> Iterator[Found]:
    """Whether an absent class leaves the loss finite, and a rare one counts more than a frequent one."""
    spec = subject.spec
    if not labelled(spec) or spec.kind != "multiclass" or spec.classes < 3 or spec.layout == "soft":
        return
    yield from _absent(subject)
    yield from _favoured(subject)


def _absent(subject: Subject) -> Iterator[Found]:
    labels = subject.labels(batch=6) % 2
    if subject.spec.ignore_index in (0, 1):
        return
    tensors = subject.input_of(labels, 1.0, None), subject.target_of(labels)
    found = tried(pull, subject, *tensors)
    if found is not None and not found.finite:
        yield Found(
            f"if a class is absent from the batch ({subject.spec.classes - 1} here), the loss is not finite",
            {"value": float(found.value)},
            code(subject, *tensors, lines=BACKWARD),
            None,
            "Give an absent class a weight of 0 or of a count of 1: counts.clamp(min=1).",
        )


def _favoured(subject: Subject) -> Iterator[Found]:
    """Class 0 is frequent and class 1 is rare, in the option or in the batch."""
    spec = subject.spec
    options: dict[str, Any] = {}
    for option in spec.options:
        if re.search(_COUNTS, option.lower()) and not isinstance(subject.origin.options.get(option), bool):
            options = {option: torch.tensor([600.0, 10.0] + [100.0] * (spec.classes - 2))}
            if isinstance(subject.origin.options.get(option), (list, tuple)):
                options = {option: options[option].long().tolist()}
    labels = torch.zeros_like(subject.labels(batch=8, size=() if () in spec.spatials else None))
    labels[-1] = 1
    target = subject.target_of(labels)

    def cost(at: int) -> float | None:
        """The loss if this sample alone is undecided."""
        input = subject.input_of(labels, 2.0)
        input[at] = input[at] * 0 if spec.scores == "logits" else input[at] * 0 + 1 / spec.classes
        return tried(value, subject, input, target, options=options)

    best = tried(value, subject, subject.input_of(labels, 2.0), target, options=options)
    rare, frequent = cost(-1), cost(0)
    if rare is None or frequent is None or best is None:
        return
    if 0 < rare - best < 0.95 * (frequent - best):
        yield Found(
            "an error in the rare class has a smaller loss than one in the frequent class",
            {"rare": rare - best, "frequent": frequent - best},
            code(subject, _undecided(subject, labels), target, options=options),
            None,
            "The rarer the class, the larger its weight or margin; logit adjustment adds tau * log(prior).",
        )


def _undecided(subject: Subject, labels: Tensor) -> Tensor:
    input = subject.input_of(labels, 2.0)
    input[-1] = input[-1] * 0
    return input


@kind(r"weight|alpha")
def class_weights(subject: Subject) -> Iterator[Found]:
    """Whether the weight of a class multiplies the loss of its own samples."""
    spec = subject.spec
    if (
        not labelled(spec)
        or spec.kind != "multiclass"
        or spec.classes < 3
        or spec.scores not in ("logits", "probabilities")
    ):
        return
    labels = torch.zeros_like(subject.labels(batch=3, size=() if () in spec.spatials else None))
    for n in range(3):
        labels[n] = n
    if spec.ignore_index in (0, 1, 2):
        return
    target = subject.target_of(labels)
    right = subject.input_of(labels, 2.0)
    even = subject.input_of(labels, 1e-3 if spec.scores == "logits" else 0.05)
    for option in ("weight", "weights", "class_weight", "class_weights", "alpha", "ce_weight"):
        if option not in spec.options or isinstance(subject.origin.options.get(option), (bool, int, float)):
            continue
        weights = torch.tensor([1.0, 1.0, 6.0] + [1.0] * (spec.classes - 3))
        listed = isinstance(subject.origin.options.get(option), (list, tuple))
        options: dict[str, Any] = {option: weights.tolist() if listed else weights}
        best = tried(value, subject, right, target, options=options)
        rises: list[float] = []
        for n in range(3):
            input = right.clone()
            input[n] = even[n]
            cost = tried(value, subject, input, target, options=options)
            if cost is None or best is None:
                return
            rises.append(cost - best)
        if min(rises) > 0 and max(rises) > 2 * min(rises) and rises[2] < 0.9 * max(rises):
            heavy = rises.index(max(rises))
            yield Found(
                f"the {option} of class 2 multiplies the loss of class {heavy}",
                {"error in class 2": rises[2], f"in class {heavy}": rises[heavy]},
                code(subject, right, target, options=options),
                None,
                f"{option}[target] for each position.",
            )
            return
