"""Shapes: wrong ones are refused, and every memory layout of correct ones gives the same number."""

from __future__ import annotations

import math
import os
import re
import traceback
from collections.abc import Iterator

import torch
from torch import Tensor

from losskit.checker import roles
from losskit.checker.checks.tools import (
    BACKWARD,
    close,
    code,
    indexed,
    labelled,
    loud,
    pull,
    require_steady,
    tried,
    value,
)
from losskit.checker.finding import Found, Severity
from losskit.checker.listening import heard
from losskit.checker.registry import check
from losskit.checker.repro import literal
from losskit.checker.spec import Spec
from losskit.checker.subject import LossRaised, Subject
from losskit.checker.words import Words


@check(
    "broadcasts",
    Severity.WRONG,
    why="A forgotten unsqueeze compares every prediction with every target; training runs and learns the average.",
    fix="Raise if input.shape and target.shape differ.",
    applies=lambda spec: spec.two and spec.kind not in ("pairs", "penalty") and spec.layout != "quantiles",
)
def broadcasts(subject: Subject) -> Iterator[Found]:
    """Are targets of a wrong shape refused?"""
    spec = subject.spec
    input, target = subject.example(batch=4)
    wrong: list[tuple[str, Tensor, Tensor | None]] = []
    if spec.same_shape and spec.layout not in ("bare", "one-hot", "soft", "log-soft") and input.dim() > 1:
        column, meant = (input, target) if input.shape[1] == 1 else (input[:, :1], target[:, :1])
        squeezed = meant.squeeze(1)
        wrong.append((f"a target {tuple(squeezed.shape)} for an input {tuple(column.shape)}", squeezed, meant))
    wrong.append(("the target of one sample for a batch of 4", target[:1], None))
    for what, given, right_one in wrong:
        scores = input if right_one is None or input.shape[1] == 1 else input[:, :1]
        found, told = loud(subject, scores, given)
        if not math.isfinite(found):
            continue
        right = None if right_one is None else value(subject, scores, right_one)
        if right is not None and close(found, right):
            continue
        passed = right is not None and spec.kind == "regression" and scores.dim() == 2  # common in practice
        if passed and right is not None:  # a loss of rows, such as a cosine or a spectrum, takes no scalars
            bare = tried(value, subject, scores.squeeze(1), given)
            passed = bare is not None and close(bare, right)
        stated = subject.words.alike or (subject.words.text and not subject.words.differ)
        if spec.way.extras or spec.way.wraps or stated:
            passed = False  # its documentation does not lead to two shapes, or it takes lists of features
        yield Found(
            f"accepts {what}{' with only a warning' if told else ''} and returns a number",
            {"value": found} if right is None else {"value": found, "with the right shape": right},
            code(subject, scores, given),
            None if passed and not told else Severity.TRAP,
        )
        return


@check(
    "transposed-target",
    Severity.TRAP,
    why="A mask loaded with height and width swapped is compared with the wrong pixels.",
    fix="Raise if the shapes differ; reshape(-1) and view(-1) hide it.",
    consequence_of=("broadcasts",),
    applies=lambda spec: spec.two and spec.kind not in ("pairs", "penalty") and spec.takes_spatial(2),
)
def transposed_target(subject: Subject) -> Iterator[Found]:
    """Is a target with height and width swapped refused?"""
    require_steady(subject)
    input, target = subject.example(size=(2, 3))
    swapped = target.transpose(-1, -2).contiguous()
    found, _ = loud(subject, input, swapped)
    if math.isfinite(found):
        shapes = f"{tuple(swapped.shape)} for an input {tuple(input.shape)}"
        yield Found(
            f"accepts a target {shapes} and compares the wrong positions",
            {"value": found, "with the right target": value(subject, input, target)},
            code(subject, input, swapped),
        )


@check(
    "memory-layout",
    Severity.CONVENIENCE,
    why="Crops, permutations and channels-last models give tensors that are not contiguous.",
    fix="Use reshape or flatten instead of view.",
    applies=lambda spec: spec.kind not in ("sequence", "survival"),
)
def memory_layout(subject: Subject) -> Iterator[Found]:
    """Do non-contiguous tensors give the same number?"""
    require_steady(subject)
    size = (2, 3) if subject.spec.takes_spatial(2) else None
    tensors = subject.example(size=size, batch=3)
    right = pull(subject, *tensors)
    for what, change, said in (
        ("transposed in memory", _permuted, _permuted_code),
        ("cropped from a larger one", _cropped, _cropped_code),
    ):
        given = tuple(change(t) for t in tensors)
        found = tried(pull, subject, *given)
        repro = code(subject, *(said(t) for t in tensors), lines=BACKWARD)
        if found is None:
            yield Found(f"refuses tensors that are {what}", "", repro)
            return
        if not torch.allclose(found.value, right.value, 1e-4, 1e-6, equal_nan=True):
            numbers = {"value": float(found.value), "contiguous": float(right.value)}
            yield Found(f"tensors that are {what} give another number", numbers, repro, Severity.WRONG)
            return


def _permuted(tensor: Tensor) -> Tensor:
    """The same values, with the dimensions reversed in memory."""
    order = tuple(reversed(range(tensor.dim())))
    return tensor.permute(order).contiguous().permute(order)


def _permuted_code(tensor: Tensor) -> str:
    order = ", ".join(str(each) for each in reversed(range(tensor.dim())))
    return f"{literal(tensor)}.permute({order}).contiguous().permute({order})"


def _cropped(tensor: Tensor) -> Tensor:
    """The same values, as every second element of a larger tensor."""
    return torch.stack([tensor, torch.zeros_like(tensor)], -1)[..., 0]


def _cropped_code(tensor: Tensor) -> str:
    return f"{literal(tensor)}[..., None].repeat_interleave(2, -1)[..., 0]"


def _samples(spec: Spec) -> bool:
    return spec.labels or (spec.kind in ("regression", "distribution") and spec.layout != "images")


@check(
    "batch-of-one",
    Severity.WRONG,
    why="The last batch of an epoch often has one sample, and validation runs with one.",
    fix="Name the dimensions to reduce; squeeze() without a dimension, and std() over the batch, break here.",
    consequence_of=("not-finite",),
    applies=_samples,
)
def batch_of_one(subject: Subject) -> Iterator[Found]:
    """Does a batch of one sample work, with the same loss as the sample repeated twice?"""
    tensors = subject.example(batch=1)
    twice = tuple(torch.cat([t, t]) for t in tensors)
    whole = pull(subject, *twice)
    try:
        found = pull(subject, *tensors)
    except LossRaised as error:
        own = not _raised_on_purpose(error.original) and (labelled(subject.spec) or _squeezes(subject, tensors))
        grade = None if own else Severity.CONVENIENCE
        yield Found("raises for a batch of one sample", str(error)[:160], code(subject, *tensors), grade)
        return
    if whole.finite and not found.finite:
        numbers = {"value": float(found.value), "sample repeated twice": float(whole.value)}
        grade = None if subject.spec.labels else Severity.TRAP  # two views may be compared over the batch
        yield Found("a batch of one sample does not give a finite number", numbers, code(subject, *tensors), grade)


def _squeezes(subject: Subject, tensors: tuple[Tensor, ...]) -> bool:
    """Whether squeeze() without a dimension removes that of the samples."""
    return any(
        call.name == "squeeze" and len(call.arguments) == 1 and not call.named and call.tensors[0].shape[:1] == (1,)
        for call in heard(subject, *tensors)
    )


def _raised_on_purpose(error: BaseException) -> bool:
    """Whether the code of a loss raises this error itself: a statement outside PyTorch."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return (last.line or "").startswith(("raise", "assert")) and f"{os.sep}torch{os.sep}" not in last.filename


@check(
    "empty-batch",
    Severity.PROPERTY,
    why="A filter that empties a batch turns the model into NaN, or ends the run with an obscure error.",
    fix="Return input.sum() * 0 if there is nothing to average, or raise a ValueError that says so.",
    applies=_samples,
)
def empty_batch(subject: Subject) -> Iterator[Found]:
    """Does an empty batch, or one without positions, give a finite loss or a clear error?"""
    full = subject.example()
    given = [("an empty batch", tuple(t[:0] for t in full))]
    if subject.spec.spatial and subject.spec.labels:
        given.append(("a batch without positions", tuple(t[..., :0] for t in full)))
    for what, tensors in given:
        try:
            found = value(subject, *tensors)
        except LossRaised as error:
            if not isinstance(error.original, (ValueError, TypeError, AssertionError)):
                repro = code(subject, *tensors)
                yield Found(f"{what} raises an obscure error", str(error)[:160], repro, Severity.CONVENIENCE)
                return
            continue
        if not math.isfinite(found):
            yield Found(f"{what} gives {found}", {"value": found}, code(subject, *tensors))
            return


@check(
    "positions-matter",
    Severity.PROPERTY,
    why="The loss depends on neighbours, or treats rows and columns differently.",
    fix="Nothing, if the loss is about shapes or derivatives; otherwise look for a reshape that mixes dimensions.",
    applies=lambda spec: (labelled(spec) and spec.takes_spatial(1)) or (labelled(spec) and spec.takes_spatial(2)),
)
def positions_matter(subject: Subject) -> Iterator[Found]:
    """Is the loss the same if the positions of input and target are shuffled alike?"""
    require_steady(subject)
    size = (1, 3) if subject.spec.takes_spatial(2) else (3,)
    input, target = subject.example(size=size)
    order = torch.tensor([1, 0, 2])
    shuffled = tuple(t.flatten(-len(size))[..., order].reshape(t.shape) for t in (input, target))
    found, right = value(subject, *shuffled), value(subject, input, target)
    if not close(found, right):
        yield Found(
            "shuffling the positions of input and target alike changes the loss",
            {"shuffled": found, "before": right},
            code(subject, input, target, lines=("print({call}, " + indexed(subject, "..., [1, 0, 2]") + ")",)),
        )


def _time_first(words: Words) -> bool:
    """Whether the documentation says that steps are the first dimension, (T, B) or (time, batch, classes)."""
    steps, samples = re.compile(r"T\w?|S|L|\w*time\w*|\w*seq\w*|\w*len\w*"), re.compile(r"[NB]|\w*batch\w*")
    return any(
        len(each) > 1 and steps.fullmatch(each[0]) and samples.fullmatch(each[1]) for each in words.shapes.values()
    )


@check(
    "order-matters",
    Severity.WRONG,
    why="Shuffling the data changes the loss: samples are compared with targets of others.",
    fix="Look for a reshape that mixes the batch with another dimension, or a state kept from sample to sample.",
    applies=lambda spec: (spec.kind != "sequence" or spec.layout == "batch-first") and not spec.way.inside,
)
def order_matters(subject: Subject) -> Iterator[Found]:
    """Is the loss the same if the samples are in another order?"""
    require_steady(subject)
    words = subject.words
    several = words.say(r"\b(crops|views|augment\w+|splits)\b") or "num_splits" in subject.spec.options
    stacked = several and re.search(r"\bchunk\(|\bsplit\(|// ?2", words.code)
    if _time_first(words) or stacked or {"times", "time_grid", "t_grid"} & set(subject.spec.tensors):
        return
    tensors = subject.example(batch=4)
    order = torch.tensor([2, 0, 3, 1])
    whole = [roles.holds_no_samples(name, words) for name in subject.parameters[: len(tensors)]]
    moved = (t[order] if len(t) == 4 and not each else t for t, each in zip(tensors, whole, strict=True))
    found, right = value(subject, *moved), value(subject, *tensors)
    if not close(found, right):
        yield Found(
            "the same samples in another order give another loss",
            {"reordered": found, "before": right},
            code(subject, *tensors, lines=("print({call}, " + indexed(subject, "[2, 0, 3, 1]") + ")",)),
        )
