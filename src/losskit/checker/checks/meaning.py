"""Meaning: PyTorch functions get the inputs they expect, and every class, sample and weight has its effect."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from losskit.checker.checks.axes import along_axes, cosine_of_columns
from losskit.checker.checks.effects import CLASS_WEIGHTS
from losskit.checker.checks.tools import (
    BACKWARD,
    classes_last,
    close,
    code,
    labelled,
    pull,
    require_steady,
    tried,
    value,
)
from losskit.checker.finding import Found, Severity
from losskit.checker.listening import Called, heard
from losskit.checker.registry import check
from losskit.checker.roles import LOGS
from losskit.checker.spec import Spec
from losskit.checker.subject import Subject


@check(
    "misused-function",
    Severity.WRONG,
    why="The function computes something else than its name says: its minimum is not at the correct prediction.",
    fix="Pass what it expects: log_softmax before nll_loss and kl_div, logits to cross_entropy and *_with_logits.",
    anyhow=True,
)
def misused_function(subject: Subject) -> Iterator[Found]:
    """Do PyTorch functions get what they expect: logits, probabilities, or log-probabilities?"""
    tensors = subject.example(scale=3.0)
    logs = subject.spec.scores == "log_probabilities" and not re.search(r"log.?(prob|softmax)", subject.words.all)
    if (subject.spec.kind == "sequence" or logs) and "logit" in subject.words.names:
        noise = torch.randn(tensors[0].shape, generator=torch.Generator().manual_seed(0))
        tensors = tensors[0] + noise, *tensors[1:]
    outside = float(tensors[0].min()) < -1e-3 and float(tensors[0].max()) > 1 + 1e-3
    for call in heard(subject, *tensors):
        said = _misuse(call, outside) or _exchanged(call, tensors[0], subject.spec)
        if said and not (call.name in _TAKE_LOGS and _passed_on(call, tensors[0]) and not _says_scores(subject)):
            yield Found(said, {"smallest": _least(call), "largest": _most(call)}, code(subject, *tensors))
            return


_TAKE_LOGS = ("nll_loss", "kl_div", "nll_loss_nd")


def _passed_on(call: Called, input: Tensor) -> bool:
    """Whether the loss passes its own input on: then the caller computes log-probabilities."""
    first = call.given(0, "input")
    if not isinstance(first, Tensor) or first.numel() != input.numel():
        return False
    return torch.equal(first.detach().flatten().sort().values, input.to(first).flatten().sort().values)


_OF_TARGETS = ("binary_cross_entropy_with_logits", "binary_cross_entropy")


def _exchanged(call: Called, input: Tensor, spec: Spec) -> str:
    """Whether the input of the loss is the target of a function, and the labels are its input."""
    second = call.given(1, "target")
    if not spec.labels or call.name not in _OF_TARGETS or not isinstance(second, Tensor) or second.numel() < 3:
        return ""
    own = second.numel() == input.numel() and torch.equal(
        second.detach().flatten().sort().values, input.to(second).flatten().sort().values
    )
    first = call.given(0, "input")
    labels = isinstance(first, Tensor) and bool((first.abs() * (first.abs() - 1) == 0).all())
    return f"{call.name} gets the labels as its input, and the prediction as its target" if own and labels else ""


def _says_scores(subject: Subject) -> bool:
    """Whether the names or the documentation of a loss say that it takes scores, or probabilities."""
    words = subject.words
    if re.search(r"logit|score", words.names):
        return True
    said = words.text.lower()
    return re.search(r"logit|score|raw|probabilit", said) is not None and not re.search(LOGS, said)


def _misuse(call: Called, outside: bool) -> str:
    """What is wrong with the first argument of a call; `outside`: the loss itself got no probabilities."""
    first = call.given(0, "input")
    if (
        not isinstance(first, Tensor)
        or not first.is_floating_point()
        or first.numel() == 0
        or call.made is NotImplemented
    ):
        return ""
    inside = bool((first >= 0).all() and (first <= 1).all()) and bool((first != 0).any()) and first.numel() > 1
    sums = first.detach().sum(1) if first.dim() > 1 and first.shape[1] > 1 else None
    adds_up = sums is not None and bool(((sums - 1).abs() < 1e-3).all())
    if call.name in _TAKE_LOGS and bool((first > 1e-4).any()):
        held = "probabilities" if inside else "numbers above 0"
        return f"{call.name} expects log-probabilities, but gets {held}"
    if call.name == "ctc_loss" and bool((first.detach().logsumexp(-1).abs() > 1e-2).any()):
        return "ctc_loss expects log-probabilities, but gets numbers whose exponentials do not add up to 1"
    if call.name == "cross_entropy" and outside and inside and adds_up:
        return "cross_entropy applies log_softmax itself, but gets the output of a softmax"
    if call.name == "binary_cross_entropy_with_logits" and outside and inside:
        return "binary_cross_entropy_with_logits applies a sigmoid itself, but gets the output of one"
    return ""


def _least(call: Called) -> float:
    return float(call.given(0, "input").min())


def _most(call: Called) -> float:
    return float(call.given(0, "input").max())


@check(
    "wrong-dimension",
    Severity.WRONG,
    why="Scores of different samples or positions compete, and the classes of one position do not.",
    fix="softmax(1) and log_softmax(1): classes are dimension 1 of (N, C, ...).",
    applies=lambda spec: (
        (labelled(spec) and spec.kind == "multiclass" and spec.scores != "probabilities")
        or (spec.layout == "alone" and len(spec.spatial) == 2)
        or (spec.two and spec.kind in ("regression", "distribution"))
        or spec.kind in ("pairs", "penalty")
    ),
)
def wrong_dimension(subject: Subject) -> Iterator[Found]:
    """Does a softmax run over classes rather than samples or positions, and a variation over all positions?"""
    yield from cosine_of_columns(subject) if subject.spec.kind in ("pairs", "penalty", "regression") else ()
    if subject.spec.layout == "alone" or subject.spec.kind in ("regression", "distribution"):
        yield from along_axes(subject)
        return
    if not labelled(subject.spec):
        return
    input, target = subject.example(batch=4)
    before = value(subject, input, target)
    documented = [subject.words.shapes.get(name, ()) for name in subject.parameters[:2]]
    if len(documented) == 2 and documented[1] and documented[0][:-1] == documented[1]:
        return  # classes are documented as the last dimension
    if _unmoved(subject, input, target, 1, before) or close(value(subject, 2 * input, target), before):
        return
    for dim in (d for d in range(input.dim()) if d != 1 and input.shape[d] > 1):
        if _unmoved(subject, input, target, dim, before):
            if dim == input.dim() - 1 and classes_last(subject, input, target):
                return
            what = "samples" if dim == 0 else "positions"
            dim_said = f"dimension {dim} of {tuple(input.shape)}"
            lines = (
                f"shift = torch.randn_like({{input}}.narrow({dim}, 0, 1))",
                "print({call}, " + _plus(subject) + ")",
            )
            rows = dim == input.dim() - 1 and () in subject.spec.spatials and not subject.words.say(_MAPS)
            yield Found(
                f"a softmax runs over {dim_said}: {what} compete, not classes",
                {"value": before, f"with one number added along dimension {dim}": before},
                code(subject, input, target, lines=lines),
                Severity.TRAP if rows else None,  # of (N, C) it is right
            )
            return


_MAPS = r"segment|pixel|voxel|\bmaps?\b|image|\bH, ?W\b|token|sequence|steps|\(\w+, ?\w+, ?\w+|\*\)|\.\.\."


def _plus(subject: Subject) -> str:
    name = subject.spec.tensors[0]
    return subject.call_code().replace(name, f"{name} + shift", 1)


def _unmoved(subject: Subject, input: Tensor, target: Tensor, dim: int, before: float) -> bool:
    """Whether adding numbers that are constant along a dimension changes nothing."""
    size = [1 if d == dim else n for d, n in enumerate(input.shape)]
    shift = torch.randn(size, generator=torch.Generator().manual_seed(1))
    return close(value(subject, input + shift, target), before, 1e-4, 1e-6)


_SMALLEST = r"small.?loss|smallest loss|co.?teaching|forget.?rate|noisy.?label|trimmed"  # large losses do not count


@check(
    "labels-left-out",
    Severity.WRONG,
    why="What does not change the loss is not learned: a class, or part of the batch, stays as it was.",
    fix="Look for a range that ends one early, a slice of the batch, and a factor that is 0 for some labels.",
    consequence_of=("not-finite", "wrong-answers-unlearnt"),
    applies=lambda spec: labelled(spec) and spec.layout != "soft",
)
def labels_left_out(subject: Subject) -> Iterator[Found]:
    """Does a wrong prediction raise the loss in each class, and in each sample?"""
    require_steady(subject)
    if re.search(_SMALLEST, subject.words.all):
        return
    labels = subject.labels(batch=4)
    target, right = subject.target_of(labels), subject.input_of(labels, 3.0, True)
    best = value(subject, right, target)
    span = value(subject, subject.input_of(labels, 3.0, False), target) - best
    if not (math.isfinite(span) and span > 0):
        return
    for what, input in _mistakes(subject, labels, right):
        if torch.equal(input, right):
            continue  # a class that no sample has
        cost = value(subject, input, target) - best
        slope = pull(subject, input, target).gradient
        if abs(cost) < 1e-5 * span and not slope[input != right].any():
            yield Found(
                f"wrong predictions {what} do not raise the loss",
                {"wrong there": best + cost, "all correct": best, "all wrong": best + span},
                code(subject, input, target, lines=BACKWARD),
            )
            return
    if subject.spec.kind == "multiclass" and subject.spec.classes > 2:
        yield from _last_without_a_term(subject)


def _last_without_a_term(subject: Subject) -> Iterator[Found]:
    """Whether confusing the last class raises the loss half as much as another, as if a sum over classes omits it.

    A class weight of a half has this effect where the class is missed, but not where it is predicted for another.
    """
    last = subject.spec.classes - 1
    if subject.spec.ignore_index in range(last + 1):
        return
    zeros = torch.zeros_like(subject.labels(batch=2))

    def cost(label: int, said: int) -> float:
        right, answer = zeros + label, zeros + said
        inputs = (subject.input_of(each, 6.0, True) for each in (answer, right))
        wrong, best = (value(subject, each, subject.target_of(right)) for each in inputs)
        return wrong - best

    for one in range(1, last):
        missed, seen = (cost(one, 0), cost(last, 0)), (cost(0, one), cost(0, last))
        if not all(close(lasts, 0.5 * others, 0.02) and lasts > 0 for others, lasts in (missed, seen)):
            return
    yield Found(
        f"class {last}, the last one, has no term of its own: confusing it raises the loss half as much as others",
        {f"{last} for 0": seen[1], f"{last - 1} for 0": seen[0]},
        code(subject, subject.input_of(zeros + last, 6.0, True), subject.target_of(zeros), lines=BACKWARD),
    )


def _mistakes(subject: Subject, labels: Tensor, right: Tensor) -> Iterator[tuple[str, Tensor]]:
    """Correct predictions except for one class, or one sample."""
    spec = subject.spec
    wrong = subject.input_of(labels, 3.0, False)
    if spec.kind == "multiclass":
        low = subject.input_of((labels + 1) % spec.classes, 3.0, True)
        for c in range(spec.classes):
            if c != spec.ignore_index:
                one = right.clone()
                at = (labels == c) if labels.dim() == right.dim() - 1 else labels.squeeze(1) == c
                one[:, c] = torch.where(at, low.amin(1), right[:, c])
                yield f"where the label is {c}", one
    else:
        for c in (0, 1):
            yield f"where the label is {c}", torch.where((labels == c).reshape(right.shape), wrong, right)
    for c in range(spec.classes if spec.kind == "multilabel" and spec.layout == "same" else 0):
        one = right.clone()
        one[:, c] = wrong[:, c]
        yield f"of class {c}", one
    for n in range(len(right)):
        one = right.clone()
        one[n] = wrong[n]
        yield f"in sample {n} of {len(right)}", one


def _softmax(spec: Spec) -> bool:
    return labelled(spec) and spec.kind == "multiclass" and spec.scores == "logits" and spec.softmax


@check(
    "divides-by-classes",
    Severity.PROPERTY,
    why="The mean includes the zeros of a one-hot target: the step shrinks with the number of classes.",
    fix="Sum over the classes first: .sum(1).mean().",
    applies=lambda spec: _softmax(spec) and spec.classes > 1,
)
def divides_by_classes(subject: Subject) -> Iterator[Found]:
    """Is a cross-entropy the mean over positions only, not over classes too?"""
    ratios = []
    for seed in range(3):
        labels = subject.labels(seed, batch=3)
        input = subject.input_of(labels, 1.0, None, seed=seed)
        right = float(torch.nn.functional.cross_entropy(input, labels))
        ratios.append(value(subject, input, subject.target_of(labels)) / right)
    if all(close(ratio, 1 / subject.spec.classes, 1e-4) for ratio in ratios):
        yield Found(
            f"it is the cross-entropy divided by the {subject.spec.classes} classes",
            {"value": ratios[-1] * right, "cross-entropy": right},
            code(subject, input, subject.target_of(labels)),
        )


@check(
    "focal-of-mean",
    Severity.PROPERTY,
    why="The factor depends on the mean of the batch: a hard example gets no more weight than an easy one beside it.",
    fix="Compute the factor for each position, and take the mean last.",
    applies=lambda spec: labelled(spec) and spec.scores == "logits" and spec.layout not in ("signs", "soft"),
)
def focal_of_mean(subject: Subject) -> Iterator[Found]:
    """Does a focal factor depend on each position rather than on the mean of the batch?"""
    labels = subject.labels(batch=2, size=() if () in subject.spec.spatials else None)
    target, others = subject.target_of(labels), subject.spec.classes - 1
    cost, back = _entropy(max(others, 1), subject.spec.kind == "multiclass")
    even = 1.0
    harder = 0.9
    easier = back(2 * cost(even) - cost(harder))

    def at(first: float, second: float) -> float:
        scales = torch.tensor([first, second]).reshape(2, *(1,) * (target_shape - 1))
        return value(subject, subject.input_of(labels, 1.0, True) * scales, target)

    target_shape = subject.input_of(labels, 1.0, True).dim()
    same, apart = at(even, even), at(harder, easier)
    rises = [(at(s, s) - same) / (cost(s) - cost(even)) for s in (harder, easier)]
    if close(same, apart, 1e-4) and not close(rises[0], rises[1], 0.02):
        tensors = subject.input_of(labels, 1.0, True), target
        yield Found(
            "the factor is that of the mean cross-entropy: batches of equal mean have equal loss, whatever is in them",
            {"two equally hard examples": same, "a hard and an easy one": apart},
            code(subject, *tensors),
            Severity.WRONG if "focal" in subject.words.all else None,
        )


def _entropy(others: int, softmax: bool) -> tuple[Callable[[float], float], Callable[[float], float]]:
    """The cross-entropy of a correct prediction with scores `s` and `-s`, and its inverse."""
    by = 2.0 if softmax else 1.0
    return (
        lambda s: math.log1p(others * math.exp(-by * s)),
        lambda c: -math.log(math.expm1(c) / others) / by,
    )


@check(
    "weight-in-factor",
    Severity.WRONG,
    why="A class weight of 2 should count a sample twice; here it also changes how hard the sample looks.",
    fix="Compute the factor from the unweighted cross-entropy, and multiply by the weight last.",
    consequence_of=("unused-argument",),
    applies=lambda spec: (
        labelled(spec) and spec.classes > 1 and any(each in spec.options for each in (*CLASS_WEIGHTS, "alpha"))
    ),
)
def weight_in_factor(subject: Subject) -> Iterator[Found]:
    """Does a class weight of 2 double the loss, or not change it if the mean is weighted?"""
    tensors = subject.example(batch=3)
    by_class = isinstance(subject.origin.options.get("alpha"), (list, tuple, Tensor))  # else one number for all
    focal = {"gamma": 2.0} if subject.origin.options.get("gamma") == 0 else {}  # which has no factor
    for option in (*CLASS_WEIGHTS, *(["alpha"] if by_class else [])):
        if option not in subject.spec.options:
            continue
        weights = [torch.full((subject.spec.classes,), n) for n in (1.0, 2.0, 3.0)]
        costs = [tried(value, subject, *tensors, options={option: each, **focal}) for each in weights]
        if None in costs:
            continue
        first, second, third = (each or 0.0 for each in costs)
        if not close(third - second, second - first, 1e-3, 1e-4 * abs(first)):
            options = {option: torch.full((subject.spec.classes,), 2.0), **focal}
            yield Found(
                f"{option} of 2 multiplies the loss by {second / first:.3g}, and 3 by {third / first:.3g}",
                {"with 1": first, "with 2": second, "with 3": third},
                code(subject, *tensors, options=options),
            )
            return
