"""Ignored positions: they have no effect."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor

from losskit.checker.checks.tools import BACKWARD, close, code, labelled, pull, require_steady, result, tried, value
from losskit.checker.finding import Found, Severity
from losskit.checker.origin import call_parameters
from losskit.checker.registry import check
from losskit.checker.spec import Spec
from losskit.checker.subject import LossRaised, Subject

LABEL = 255


class Case(NamedTuple):
    """A call in which some positions are ignored: those of the last row, or the last sample."""

    options: dict[str, Any]
    input: Tensor
    target: Tensor
    out: Tensor  # True at ignored positions, in the input's shape
    kept: tuple[Tensor, Tensor]  # the call without those positions


def ignores(spec: Spec) -> bool:
    return labelled(spec) and (spec.ignore_index is not None or spec.ignore_name in spec.options)


def label_of(spec: Spec) -> tuple[dict[str, Any], int]:
    """The ignored label, and the options that set it."""
    if spec.ignore_index is not None:
        return {}, spec.ignore_index
    return {spec.ignore_name: LABEL}, LABEL


def case_of(subject: Subject) -> Case:
    """An example whose last row, or last sample, is ignored."""
    spec = subject.spec
    options, label = label_of(spec)
    rows = bool(spec.spatial)
    input, target = subject.example(batch=1 if rows else 4, size=(3, *spec.spatial[1:]) if rows else ())
    along = input.dim() - len(spec.spatial) if rows else 0
    target_along = target.dim() - len(spec.spatial) if rows else 0
    kept = _all_but_last(input, along), _all_but_last(target, target_along)
    target = target.clone()
    target.narrow(target_along, -1, 1).fill_(label)
    out = torch.zeros_like(input, dtype=torch.bool)
    out.narrow(along, -1, 1).fill_(True)
    return Case(options, input, target, out, kept)


def _all_but_last(tensor: Tensor, along: int) -> Tensor:
    return tensor.narrow(along, 0, tensor.shape[along] - 1)


@check(
    "ignored-refused",
    Severity.WRONG,
    why="A batch with an ignored label ends the training.",
    fix="Replace ignored labels by a valid one before gather or one_hot: target.where(keep, 0).",
    applies=lambda spec: labelled(spec) and spec.ignore_index is not None,
)
def ignored_refused(subject: Subject) -> Iterator[Found]:
    """Does the loss take the label that it ignores?"""
    case = case_of(subject)
    before = tried(value, subject, *case.kept)
    try:
        value(subject, case.input, case.target)
    except LossRaised as error:
        if before is not None and isinstance(error.original, (IndexError, RuntimeError)):
            label = subject.spec.ignore_index
            said = f"raises {type(error.original).__name__} for the ignored label {label}"
            lines = "try:", "    print({call})", "except (IndexError, RuntimeError) as error:", "    print(error)"
            yield Found(said, {"raised": str(error)[:120]}, code(subject, case.input, case.target, lines=lines))


@check(
    "ignored-changes-value",
    Severity.WRONG,
    why="Positions that should be ignored are trained on.",
    fix="Select the positions that count before computing anything: input[keep], or torch.where.",
    applies=ignores,
)
def ignored_changes_value(subject: Subject) -> Iterator[Found]:
    """Is the loss the same whatever the scores are at ignored positions?"""
    require_steady(subject)
    case = case_of(subject)
    other = torch.where(case.out, _another(subject, case.input), case.input)
    found, right = (value(subject, given, case.target, options=case.options) for given in (other, case.input))
    if not close(found, right):
        yield Found(
            "scores at ignored positions change the value",
            {"value": found, "before": right},
            code(subject, other, case.target, options=case.options),
        )


def _another(subject: Subject, input: Tensor) -> Tensor:
    """Other scores of the same sort."""
    if subject.spec.scores == "logits":
        return input + 3 * torch.arange(input.numel()).reshape(input.shape)
    return input.flip(1) if input.shape[1] > 1 else 1 - input


@check(
    "ignored-gets-gradient",
    Severity.WRONG,
    why="Positions that should be ignored are trained on.",
    fix="Select the positions that count before computing anything: input[keep], or torch.where.",
    consequence_of=("ignored-changes-value",),
    applies=ignores,
)
def ignored_gets_gradient(subject: Subject) -> Iterator[Found]:
    """Is the gradient 0 at ignored positions?"""
    case = case_of(subject)
    found = pull(subject, case.input, case.target, options=case.options)
    most = float(found.gradient[case.out].abs().max())
    if found.finite and most > 1e-9:
        yield Found(
            "ignored positions get a gradient",
            {"largest there": most, "largest elsewhere": float(found.gradient[~case.out].abs().max())},
            code(subject, case.input, case.target, options=case.options, lines=BACKWARD),
        )


@check(
    "ignored-as-class",
    Severity.WRONG,
    why="Ignored positions take part as positions of a class: it gets a worse loss the more is ignored.",
    fix="Zero ignored positions in the one-hot target as well as in the probabilities, before every sum.",
    consequence_of=("ignored-changes-value",),
    applies=lambda spec: ignores(spec) and spec.layout not in ("signs", "soft"),
)
def ignored_as_class(subject: Subject) -> Iterator[Found]:
    """Does a correct prediction of all other positions keep its loss if some positions are ignored?"""
    require_steady(subject)
    spec = subject.spec
    options, label = label_of(spec)
    if not spec.spatial or (spec.indices and 0 <= label < spec.classes):
        return
    labels = subject.labels(batch=1, size=(4, *spec.spatial[1:]))
    along = labels.dim() - len(spec.spatial)
    labels = torch.cat([labels.narrow(along, 0, 2)] * 2, along)  # both halves have the same classes
    right, target = subject.input_of(labels, 20.0, True), subject.target_of(labels)
    at = target.dim() - len(spec.spatial)
    wrong = subject.input_of(labels, 20.0, False)
    best, worst = (tried(value, subject, each, target, options=options) for each in (right, wrong))
    ignored = target.clone()
    ignored.narrow(at, 2, 2).fill_(label)
    found = tried(value, subject, right, ignored, options=options)
    if best is None or worst is None or found is None or not math.isfinite(found) or not worst > best:
        return
    if found - best > 0.05 * (worst - best):
        yield Found(
            "a correct prediction of every labelled position has a larger loss if others are ignored: they count as a "
            "class",
            {"half ignored": found, "all labelled": best, "all wrong": worst},
            code(subject, right, ignored, options=options),
        )


@check(
    "ignored-counts",
    Severity.PROPERTY,
    why="The mean also divides by ignored positions: the more are ignored, the smaller the step.",
    fix="Divide by the number of positions that count.",
    consequence_of=("ignored-changes-value",),
    applies=ignores,
)
def ignored_counts(subject: Subject) -> Iterator[Found]:
    """Is ignoring a position the same as removing it?"""
    require_steady(subject)
    case = case_of(subject)
    found = value(subject, case.input, case.target, options=case.options)
    right = tried(value, subject, *case.kept, options=case.options)
    if right is not None and math.isfinite(right) and not close(found, right):
        yield Found(
            "ignoring positions is not the same as removing them",
            {"ignored": found, "removed": right, "ratio": found / right if right else math.inf},
            code(subject, case.input, case.target, options=case.options),
        )


@check(
    "nan-at-ignored",
    Severity.TRAP,
    why="Padding and missing measurements contain any value, including NaN; NaN times a mask of 0 is NaN.",
    fix="Select, don't multiply: torch.where on the scores before they are used.",
    consequence_of=("ignored-changes-value", "ignored-gets-gradient"),
    applies=ignores,
)
def nan_at_ignored(subject: Subject) -> Iterator[Found]:
    """Do value and gradient stay finite where ignored scores are NaN?"""
    case = case_of(subject)
    spoilt = torch.where(case.out, torch.nan, case.input)
    found = tried(pull, subject, spoilt, case.target, options=case.options)
    if found is None or not pull(subject, case.input, case.target, options=case.options).finite:
        return
    kept = found.gradient[~case.out]
    if not found.value.isfinite() or not found.gradient.isfinite().all():
        what = (
            "the value"
            if not found.value.isfinite()
            else "the gradient" + ("" if kept.isfinite().all() else " everywhere")
        )
        yield Found(
            f"NaN at ignored positions reaches {what}",
            {"value": float(found.value)},
            code(subject, spoilt, case.target, options=case.options, lines=BACKWARD),
        )


@check(
    "all-ignored",
    Severity.PROPERTY,
    why="A batch in which everything is ignored turns the model into NaN.",
    fix="Divide by the count if it is not 0, and return input.sum() * 0 otherwise.",
    consequence_of=("ignored-changes-value",),
    applies=ignores,
)
def all_ignored(subject: Subject) -> Iterator[Found]:
    """Is the loss finite if everything in a batch is ignored?"""
    case = case_of(subject)
    nothing = torch.full_like(case.target, label_of(subject.spec)[1])
    made = tried(result, subject, case.input, nothing, options=case.options)
    repro = code(subject, case.input, nothing, options=case.options)
    if made is None:
        yield Found("raises if everything is ignored", "", repro)
    elif made.numel() == 0 and subject.spec.scalar:
        what = f"if everything is ignored, the result has shape {tuple(made.shape)}, and backward() raises"
        yield Found(what, {"shape": str(tuple(made.shape))}, repro, Severity.WRONG)
    elif not made.isfinite().all():
        yield Found(f"{float(made.double().mean())} if everything is ignored", {"value": float(made.mean())}, repro)


def holds_labels(tensor: Tensor) -> bool:
    return not tensor.is_floating_point() and tensor.dtype != torch.bool and tensor.dim() > 0


def special_labels(subject: Subject) -> set[int]:
    """Labels that options name as padding, or as ignored."""
    defaults = {each.name: each.default for each in call_parameters(subject.build())}
    named = {**subject.origin.options, **defaults}
    return {
        each
        for name, each in named.items()
        if re.search(r"pad|ignore|blank|void", name.lower()) and isinstance(each, int) and not isinstance(each, bool)
    }


def compared_labels(subject: Subject) -> set[int]:
    """Numbers that are no usual labels, and that the code compares something with: 255, -1, -100."""
    return {int(each) for each in re.findall(r"[=!]= ?(-\d+|255)\b", subject.words.code)}
