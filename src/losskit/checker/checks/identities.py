"""Identities: what a loss equals, and whether its scores are read as intended."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch

from losskit.checker.checks.tools import close, code, labelled, require_steady, tried, value
from losskit.checker.finding import Found, Severity
from losskit.checker.listening import heard
from losskit.checker.registry import check
from losskit.checker.spec import Spec
from losskit.checker.subject import Subject


def hard(spec: Spec) -> bool:
    """Whether a correct prediction can be exactly correct."""
    return labelled(spec) and spec.layout != "soft"


@check(
    "activated-twice",
    Severity.WRONG,
    why="The loss reads scores in [0, 1] as logits: correct predictions keep a high loss, and gradients are small.",
    fix="Remove the sigmoid or softmax before a loss that applies its own.",
    consequence_of=("not-finite",),
    applies=lambda spec: hard(spec) and spec.scores == "logits" and spec.layout != "signs",
)
def activated_twice(subject: Subject) -> Iterator[Found]:
    """Is the loss of the most confident correct prediction near 0, relative to the most confident wrong one?"""
    right, wrong = (subject.example(scale=40.0, correct=answer, batch=4) for answer in (True, False))
    surer = subject.example(scale=400.0, correct=False, batch=4)
    costs = [value(subject, *each) for each in (right, wrong, surer)]
    span = costs[1] - costs[0]
    squeezed = all(map(math.isfinite, costs)) and close(costs[1], costs[2], 1e-4)
    heard_twice, may_be = _twice(subject, right)
    if squeezed and span > 0 and may_be and costs[0] > (0.02 if heard_twice else 0.15) * span:
        yield Found(
            "scores of +-40 are squeezed as if they were probabilities: the loss of a correct prediction stays above 0",
            {"surest correct": costs[0], "surest wrong": costs[1], "ten times as sure": costs[2]},
            code(subject, *right),
        )


_ACTIVATIONS = ("sigmoid", "softmax", "log_softmax", "logsigmoid", "cross_entropy", "binary_cross_entropy_with_logits")


def _twice(subject: Subject, tensors: tuple[torch.Tensor, ...]) -> tuple[bool, bool]:
    """Whether an activation is seen to get the output of another, and whether that is possible, seen or not."""
    everything = heard(subject, *tensors)
    if any(call.name == "data_ptr" for call in everything):
        return False, True  # the numbers are read by code that cannot be observed
    calls = [call for call in everything if call.name in _ACTIVATIONS]
    fed = [call for call in calls if call.tensors and _within(call.tensors[0])]
    return bool(fed), bool(fed) or len(calls) > 1 or not calls


def _within(tensor: torch.Tensor) -> bool:
    """Whether all numbers are in [0, 1], as after an activation."""
    return bool((tensor.detach() >= 0).all() and (tensor.detach() <= 1).all())


@check(
    "perfect-costs",
    Severity.PROPERTY,
    why="The loss has a floor, or goes below 0: its size does not say how much is left to learn.",
    fix="Nothing, if label smoothing or a constant is intended.",
    consequence_of=("activated-twice", "rewards-errors", "not-finite"),
    applies=hard,
)
def perfect_costs(subject: Subject) -> Iterator[Found]:
    """Is the loss of a perfect prediction 0?"""
    require_steady(subject)
    tensors = subject.example(scale=40.0, correct=True, batch=4)
    found = value(subject, *tensors)
    if math.isfinite(found) and abs(found) > 1e-2:
        yield Found(f"the loss of a perfect prediction is {found:.4g}", {"value": found}, code(subject, *tensors))


@check(
    "outside-probabilities",
    Severity.TRAP,
    why="A forgotten sigmoid or softmax goes unnoticed: logits in place of probabilities give a plausible number.",
    fix="Raise if a score is outside the expected range, or take logits and apply the activation inside.",
    applies=lambda spec: spec.two and spec.scores in ("probabilities", "log_probabilities"),
)
def outside_probabilities(subject: Subject) -> Iterator[Found]:
    """Are logits refused where probabilities, or their logarithms, are expected?"""
    input, target = subject.example()
    drawn = torch.randn(input.shape, generator=torch.Generator().manual_seed(0))
    logits = 2 * drawn + (1.0 if subject.spec.scores == "log_probabilities" else 0.0)
    found = tried(value, subject, logits, target)
    if found is not None and math.isfinite(found):
        said = subject.spec.scores.replace("_", "-")
        yield Found(f"accepts logits as {said} and returns a number", {"value": found}, code(subject, logits, target))


@check(
    "one-against-the-rest",
    Severity.PROPERTY,
    why="It is one sigmoid per class, not a softmax: other numbers than cross-entropy's, and it does not train argmax.",
    fix="Use log_softmax over the classes; or call it multi-label.",
    applies=lambda spec: labelled(spec) and spec.kind == "multiclass" and spec.scores == "logits",
)
def one_against_the_rest(subject: Subject) -> Iterator[Found]:
    """Does adding one number to all scores of a position change nothing, as under a softmax?"""
    input, target = subject.example()
    found, right = value(subject, input + 2.0, target), value(subject, input, target)
    if not close(found, right, 1e-3, 1e-5):
        yield Found(
            "adding 2 to every class's score changes the loss",
            {"plus 2": found, "before": right},
            code(subject, input, target, lines=("print({call}, " + _plus(subject) + ")",)),
        )


def _plus(subject: Subject) -> str:
    name = subject.spec.tensors[0]
    return subject.call_code().replace(name, f"{name} + 2", 1)


@check(
    "two-classes-differ",
    Severity.PROPERTY,
    why="Moving from one sigmoid channel to two softmax channels changes the loss, with the same predictions.",
    fix="Nothing, if the classes are averaged; otherwise use the same formula for both.",
    consequence_of=("one-against-the-rest",),
    applies=lambda spec: labelled(spec) and spec.scores == "logits" and {"binary", "multiclass"} <= _kinds(spec),
)
def two_classes_differ(subject: Subject) -> Iterator[Found]:
    """Is a softmax over two classes the sigmoid of their difference?"""
    binary, multiclass = (_as(subject, kind) for kind in ("binary", "multiclass"))
    labels = binary.labels(batch=3)
    logit, target = binary.input_of(labels, 1.0, None), binary.target_of(labels)
    channel = logit.reshape(labels.shape)
    two = torch.cat([torch.zeros_like(channel), channel], 1)
    indices = labels if multiclass.spec.layout == "indices-channel" else labels.squeeze(1)
    if multiclass.spec.layout == "one-hot":
        indices = torch.cat([1 - labels, labels], 1).float()
    found, right = tried(value, multiclass, two, indices), value(binary, logit, target)
    if found is not None and not close(found, right, 1e-3, 1e-5):
        yield Found(
            "a softmax over two classes is not the sigmoid of their difference",
            {"two classes": found, "sigmoid": right},
            code(multiclass, two, indices),
        )


def _kinds(spec: Spec) -> set[str]:
    return {spec.kind, *(way[0] for way in spec.also if way[1] == spec.scores)}


def _as(subject: Subject, kind: str) -> Subject:
    """The subject called as a loss of this kind."""
    if subject.spec.kind == kind:
        return subject
    way = next(way for way in subject.spec.also if way[:2] == (kind, subject.spec.scores))
    return subject.taking(kind=way[0], scores=way[1], target=way[2])
