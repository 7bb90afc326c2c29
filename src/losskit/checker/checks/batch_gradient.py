"""Checks of the gradient of a user's own batch: which labels get it, and how accumulation over parts changes it."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from losskit.checker.checks.batch import NAMED, matching, of_labels
from losskit.checker.finding import Found, Severity
from losskit.checker.registry import check
from losskit.checker.subject import LossRaised, Subject
from losskit.checker.user_batch import code_of as _code
from losskit.checker.user_batch import given


@check(
    "batch-gradient",
    Severity.PROPERTY,
    why="What gets the gradient is learned first; a background of 95 % with 95 % of the gradient drowns the object.",
    fix="If the shares are not what you want, weight classes, or use a loss that down-weights easy examples.",
    of_batch=True,
    applies=of_labels,
)
def where_gradient_goes(subject: Subject) -> Iterator[Found]:
    """Which labels of this batch get the gradient?"""
    batch = given(subject)
    if not matching(given(subject)):
        return
    _, slope = subject.gradient(*batch.tensors)
    size = slope.abs().double()
    if size.dim() > batch.labels.dim():
        size = size.sum(1)
    total = float(size.sum())
    if not (math.isfinite(total) and total > 0):
        return
    binary = batch.spec.kind != "multiclass"
    said = {}
    for c in range(min(batch.classes, NAMED)):
        here = (batch.labels == c) & batch.counts
        if bool(here.any()):
            name = ("background", "foreground")[c] if binary else f"class {c}"
            said[name] = _shares(float(size[here].sum()) / total, float(here.double().mean()))
    edges = _boundary(batch.labels, binary) & batch.counts
    if bool(edges.any()) and not bool(edges.all()):
        said["boundary"] = _shares(float(size[edges].sum()) / total, float(edges.double().mean()))
    first = max((float(size[(batch.labels == c) & batch.counts].sum()), c) for c in range(batch.classes))
    name = ("the background", "the foreground")[first[1]] if binary else f"class {first[1]}"
    yield Found(f"{name} of this batch gets {first[0] / total:.0%} of the gradient", said)


def _shares(gradient: float, labels: float) -> str:
    return f"{gradient:.0%} of the gradient, {labels:.0%} of the labels"


def _boundary(labels: Tensor, channels: bool) -> Tensor:
    """Where a neighbour along a spatial dimension has another label."""
    found = torch.zeros_like(labels, dtype=torch.bool)
    for dim in range(2 if channels else 1, labels.dim()):
        if labels.shape[dim] > 1:
            differs = labels.narrow(dim, 1, labels.shape[dim] - 1) != labels.narrow(dim, 0, labels.shape[dim] - 1)
            found.narrow(dim, 1, labels.shape[dim] - 1).logical_or_(differs)
            found.narrow(dim, 0, labels.shape[dim] - 1).logical_or_(differs)
    return found


@check(
    "batch-accumulation",
    Severity.PROPERTY,
    why="Gradient accumulation and several GPUs average the losses of parts: not the gradient of the whole batch.",
    fix="losskit.distributed.micro_batches and losskit.distributed.sync give the exact one for losses that add up.",
    of_batch=True,
)
def accumulation(subject: Subject) -> Iterator[Found]:
    """How far is the gradient of this batch, accumulated over parts, from that of the whole?"""
    batch = given(subject)
    if not matching(given(subject)):
        return
    n = batch.input.shape[0]
    if n < 2 or any(t.dim() == 0 or t.shape[0] != n for t in batch.tensors):
        return
    tensors = tuple(t.double() if t.is_floating_point() else t for t in batch.tensors)
    try:
        _, whole = subject.gradient(*tensors)
    except LossRaised:
        tensors = batch.tensors
        _, whole = subject.gradient(*tensors)
    errors = {}
    for parts in sorted({2, n} if n <= 16 else {2, 4, 8}):
        split = [[t.tensor_split(parts)[k] for t in tensors] for k in range(parts)]
        slopes = torch.cat([subject.gradient(*part)[1] / parts for part in split])
        if bool(slopes.isfinite().all()) and float(whole.norm()) > 0:
            errors[f"{parts} parts"] = float((slopes - whole).norm() / whole.norm())
    worst = max(errors.values(), default=0.0)
    if worst > 1e-3:
        lines = (
            "parts = [criterion(*part) for part in zip("
            + ", ".join(f"{t}.chunk(2)" for t in subject.spec.tensors)
            + ")]",
            f"print({subject.call_code()}, sum(parts) / 2)",
        )
        evidence = {f"gradient error in {name}": f"{error:.1%}" for name, error in errors.items()}
        what = f"accumulated over parts, the gradient of this batch is {worst:.1%} off"
        yield Found(what, evidence, _code(subject, *lines))
