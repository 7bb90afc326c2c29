"""Checks of a user's own batch: why does my loss not go down?"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from losskit.checker.draws import activated
from losskit.checker.finding import Found, Severity
from losskit.checker.registry import check
from losskit.checker.spec import Spec
from losskit.checker.subject import LossRaised, Subject
from losskit.checker.user_batch import Given, given
from losskit.checker.user_batch import code_of as _code

NAMED = 8  # classes that a finding may name one by one


def of_labels(spec: Spec) -> bool | str:
    return spec.labels or "the target does not contain labels"


def matching(batch: Given) -> bool:
    """Whether input and target have the shapes and dtypes from which labels can be read."""
    same = not batch.spec.same_shape or batch.input.numel() == batch.target.numel()
    return same and batch.input.is_floating_point() and batch.input.numel() > 0


@check(
    "batch-refused",
    Severity.WRONG,
    why="Training stops, or continues with NaN, at a batch like this.",
    fix="Follow the error message; where the value is not finite, look for the cause in the input first.",
    consequence_of=("batch-shapes",),
    of_batch=True,
)
def refused(subject: Subject) -> Iterator[Found]:
    """Does the loss accept this batch and return a finite number?"""
    batch = given(subject).tensors
    repro = _code(subject, f"print({subject.call_code()})")
    try:
        value = subject.value(*batch)
    except LossRaised as error:
        yield Found("the loss refuses this batch", str(error), repro)
        return
    if not bool(torch.isfinite(value)):
        bad = [
            n
            for n, t in zip(subject.spec.tensors, batch, strict=False)
            if t.is_floating_point() and not t.isfinite().all()
        ]
        cause = f"; {' and '.join(bad)} of the batch is itself not finite" if bad else "; the batch itself is finite"
        yield Found(f"the loss of this batch is {float(value):g}", f"value {float(value):g}{cause}", repro)


@check(
    "batch-shapes",
    Severity.WRONG,
    why="Every prediction is compared with every target, or nothing is compared: the loss is meaningless.",
    fix="input.squeeze(1) or target.unsqueeze(1), as the loss expects; floating-point scores; at least two classes.",
    of_batch=True,
)
def shapes(subject: Subject) -> Iterator[Found]:
    """Do input and target of this batch match: shapes, dtype, more than one class?"""
    batch, spec = given(subject), subject.spec
    input, target = batch.input, batch.target
    name, other = spec.tensors[0], spec.tensors[min(1, len(spec.tensors) - 1)]
    repro = _code(subject, f"print({name}.shape, {name}.dtype, {other}.shape, {other}.dtype)")
    seen = f"{name} {tuple(input.shape)} {input.dtype}, {other} {tuple(target.shape)} {target.dtype}"
    if not input.is_floating_point():
        yield Found(f"the input is {str(input.dtype).removeprefix('torch.')}, which has no gradient", seen, repro)
    elif spec.same_shape and spec.two and input.shape != target.shape:
        what = f"target {tuple(target.shape)} and input {tuple(input.shape)} differ in shape"
        yield Found(what, seen, repro)
    elif spec.kind == "multiclass" and input.dim() > 1 and input.shape[1] == 1:
        yield Found("the input has one class, so its softmax is always 1 and the loss is constant", seen, repro)


@check(
    "batch-activation",
    Severity.WRONG,
    why="A softmax or sigmoid applied twice leaves the loss on a plateau: it falls a little, then stays far above 0.",
    fix="Pass the model's output before its last softmax or sigmoid, or use a loss of probabilities.",
    of_batch=True,
    applies=lambda spec: spec.scores in ("logits", "probabilities", "log_probabilities") or "it takes other inputs",
)
def activation(subject: Subject) -> Iterator[Found]:
    """Is the input what the loss takes: logits, probabilities, or log-probabilities?"""
    batch = given(subject)
    input = batch.input.double()
    if input.numel() == 0:
        return
    low, high = float(input.min()), float(input.max())
    evidence = {"smallest": low, "largest": high}
    sums = input.sum(1) if input.dim() > 1 else input
    rows = input.dim() > 1 and input.shape[1] > 1
    adds_up = rows and bool(((sums - 1).abs() < 1e-3).all())
    repro = _code(subject, f"print({subject.spec.tensors[0]}.min(), {subject.spec.tensors[0]}.max())")
    inside = low >= 0 and high <= 1
    if subject.spec.scores == "logits" and inside and (adds_up or input.numel() >= 32):
        twice = "a softmax" if adds_up else "a sigmoid"
        said = "and its classes sum to 1" if adds_up else "everywhere"
        yield Found(
            f"the input is within [0, 1] {said}: {twice} was applied, and the loss applies its own", evidence, repro
        )
    elif subject.spec.scores == "probabilities" and not (low >= -1e-6 and high <= 1 + 1e-6):
        yield Found(
            "the loss takes probabilities, and the input goes outside [0, 1]: it looks like logits",
            evidence,
            repro,
            fix="Apply sigmoid (or softmax over classes) to the model's output, or use a loss of logits.",
        )
    elif subject.spec.scores == "log_probabilities" and rows and bool(((input.exp().sum(1) - 1).abs() > 1e-3).any()):
        total = float(input.exp().sum(1).mean())
        yield Found(
            "the loss takes log-probabilities, and these classes do not sum to 1",
            {**evidence, "sum of probabilities": total},
            repro,
            fix="Pass output.log_softmax(1), or use a loss of logits.",
        )


@check(
    "batch-labels",
    Severity.WRONG,
    why="Labels out of range make the loss small, negative or erratic, and the model learns from them.",
    fix="Divide a 0/255 mask by 255; map labels to 0..C-1; set ignore_index to the label to leave out.",
    consequence_of=("batch-shapes",),
    of_batch=True,
    applies=of_labels,
)
def labels(subject: Subject) -> Iterator[Found]:
    """Are all labels in the range that the loss expects?"""
    batch, spec = given(subject), subject.spec
    if spec.indices:
        values = batch.target[(batch.target < 0) | (batch.target >= batch.classes)]
        wanted = f"0 to {batch.classes - 1}"
    elif spec.layout == "signs":
        values, wanted = batch.target[batch.target.abs() != 1], "1 and -1"
    else:
        values, wanted = batch.target[(batch.target < 0) | (batch.target > 1)], "0 to 1"
    if spec.ignore_index is not None:
        values = values[values != spec.ignore_index]
    if values.numel():
        seen = sorted(set(values.flatten()[:10000].tolist()))[:NAMED]
        said = ", ".join(f"{v:g}" for v in seen)
        share = values.numel() / batch.target.numel()
        repro = _code(subject, f"print({spec.tensors[1]}.unique())")
        yield Found(
            f"the target contains {said}, outside {wanted}",
            f"{values.numel()} of {batch.target.numel()} labels ({share:.1%}); ignore_index is {spec.ignore_index}",
            repro,
        )


@check(
    "batch-no-gradient",
    Severity.NO_GRADIENT,
    why="Without a gradient nothing is learned, whatever the learning rate.",
    fix="Look for .item(), .detach(), thresholds and argmax inside the loss; compute in log space.",
    of_batch=True,
    consequence_of=("batch-shapes", "batch-refused", "batch-activation", "batch-labels"),
)
def no_gradient(subject: Subject) -> Iterator[Found]:
    """Do the wrong predictions in this batch get a gradient?"""
    batch = given(subject)
    if not matching(given(subject)):
        return
    value, slope = subject.gradient(*batch.tensors)
    call = subject.call_code()
    name = subject.spec.tensors[0]
    repro = _code(subject, f"{name}.requires_grad_()", f"{call}.backward()", f"print({name}.grad.abs().max())")
    if not bool(value.isfinite()):
        return
    if not bool((slope != 0).any()):
        if not _perfect(batch):
            yield Found("the gradient of this batch is 0 everywhere", f"loss {float(value):g}", repro)
        return
    if not batch.spec.labels:
        return
    wrong = _wrong(batch)
    dead = wrong & (slope.abs().amax(1) if wrong.dim() < slope.dim() else slope.abs()).le(1e-6 * slope.abs().mean())
    share = float(dead.sum() / wrong.sum().clamp_min(1))
    if share > 0.1:
        evidence = f"{int(dead.sum())} of {int(wrong.sum())} wrong predictions"
        yield Found(f"{share:.0%} of the wrong predictions in this batch get no gradient", evidence, repro)


def _wrong(batch: Given) -> Tensor:
    """Where the prediction is wrong, in the shape of the labels."""
    if batch.spec.kind == "multiclass":
        return (batch.input.argmax(1) != batch.labels) & batch.counts
    middle = {"probabilities": 0.5, "log_probabilities": math.log(0.5)}.get(batch.spec.scores, 0.0)
    return ((batch.input > middle).long() != batch.labels) & batch.counts


def _perfect(batch: Given) -> bool:
    return batch.spec.labels and not bool(_wrong(batch).any())


@check(
    "batch-descent",
    Severity.WRONG,
    why="An optimizer follows the gradient; if that does not lead down, the loss does not go down.",
    fix="Compare the gradient with finite differences; look for a wrong sign, a detached factor, or a step function.",
    of_batch=True,
    consequence_of=("batch-shapes", "batch-refused", "batch-no-gradient", "batch-labels"),
)
def descent(subject: Subject) -> Iterator[Found]:
    """Does a small step against the gradient lower the loss of this batch?"""
    batch = given(subject)
    if not matching(given(subject)):
        return
    tensors = tuple(t.double() if t.is_floating_point() else t for t in batch.tensors)
    try:
        value, slope = subject.gradient(*tensors)
    except LossRaised:
        return  # no double precision
    size = float(slope.norm())
    if not (math.isfinite(size) and size > 0):
        return
    reach = float(tensors[0].std()) if tensors[0].numel() > 1 else 1.0
    best, at = math.inf, 0.0
    for step in (1e-1, 1e-2, 1e-3, 1e-4, 1e-5):
        moved = tensors[0] - step * (reach or 1.0) * slope / slope.abs().max()
        if subject.spec.scores == "probabilities":
            moved = moved.clamp(0, 1)
        after = float(subject.value(moved, *tensors[1:]))
        if after < best:
            best, at = after, step
    if not best < float(value):
        name, *others = subject.spec.tensors
        stepped = f"{name} - 1e-3 * {name}.grad / {name}.grad.abs().max()"
        lines = (f"{name}.requires_grad_()", f"loss = {subject.call_code()}", "loss.backward()")
        repro = _code(subject, *lines, f"print(loss, criterion({', '.join([stepped, *others])}))")
        evidence = {"loss": float(value), "lowest after a step": best, "with a step of": at}
        yield Found("no step against the gradient lowers the loss of this batch", evidence, repro)


@check(
    "batch-floor",
    Severity.PROPERTY,
    why="A loss at its floor cannot go lower, however far from 0 that is.",
    fix="Compare with the floor, not with 0. To lower the floor, look at label smoothing and for an extra activation.",
    of_batch=True,
    applies=of_labels,
)
def floor(subject: Subject) -> Iterator[Found]:
    """How low can the loss of this batch go?"""
    batch, spec = given(subject), subject.spec
    if not matching(given(subject)):
        return
    if not bool(batch.counts.any()) or (spec.indices and int(batch.labels[batch.counts].max()) >= batch.classes):
        return
    known = batch.labels.where(batch.counts, 0).clamp_min(0)
    costs = {}
    for name, correct in (("right", True), ("wrong", False)):
        answers = []
        for scale in (1.0, 2.0, 4.0, 8.0):
            if spec.kind == "multiclass":
                hot = torch.nn.functional.one_hot(known, batch.classes).movedim(-1, 1).double()
                scores = scale * (2 * (hot if correct else hot.roll(1, 1)) - 1)
            else:
                scores = scale * (2.0 * known - 1).double() * (1 if correct else -1)
            answer = activated(scores, spec.kind, spec.scores).to(batch.input.dtype)
            answers.append(float(subject.value(answer, *batch.tensors[1:])))
        costs[name] = min(answers) if correct else max(answers)
    now = float(subject.value(*batch.tensors))
    span = costs["wrong"] - costs["right"]
    if math.isfinite(span) and costs["right"] > 0.05 * abs(costs["wrong"]):
        evidence = {"now": now, "all predictions correct": costs["right"], "all predictions wrong": costs["wrong"]}
        yield Found(f"the loss of this batch cannot fall below {costs['right']:.4g}; it is {now:.4g} now", evidence)


@check(
    "batch-absent",
    Severity.PROPERTY,
    why="An absent class gets no gradient, or only the gradient of its false positives.",
    fix="Check what the loss does with absent classes; sample so that rare classes occur, or weight them.",
    of_batch=True,
    applies=of_labels,
)
def absent(subject: Subject) -> Iterator[Found]:
    """Which classes are absent from this batch?"""
    batch = given(subject)
    if not matching(given(subject)):
        return
    if batch.spec.kind == "multiclass":
        inside = batch.counts & (batch.labels >= 0) & (batch.labels < batch.classes)
        rows = len(batch.labels), -1
        flat = batch.labels.where(inside, 0).reshape(rows)
        hot = torch.nn.functional.one_hot(flat, batch.classes) * inside.reshape(rows).unsqueeze(-1)
        there = hot.sum(1) > 0  # (N, C)
        missing = [c for c in range(batch.classes) if not bool(there[:, c].any())]
        share = 1 - float(there.double().mean())
        if share > 0:
            never = f"classes {', '.join(map(str, missing[:NAMED]))} never occur; " if missing else ""
            what = f"{share:.0%} of the (sample, class) pairs of this batch are absent"
            yield Found(what, f"{never}{there.numel()} pairs of {there.shape[0]} samples and {batch.classes} classes")
        return
    positive = ((batch.labels == 1) & batch.counts).reshape(len(batch.labels), -1)
    empty = int((~positive.any(1)).sum())
    if empty and positive.shape[1] > 1:
        evidence = f"{float(positive.double().mean()):.2%} of all labels are positive"
        yield Found(f"{empty} of {len(positive)} samples of this batch have no foreground", evidence)


@check(
    "batch-ignored",
    Severity.PROPERTY,
    why="Ignored labels must not count in the denominator either; a sample without labels teaches nothing.",
    fix="Check that ignore_index is the label you mean to leave out.",
    of_batch=True,
    applies=lambda spec: of_labels(spec) if spec.ignore_index is not None else "it ignores no label",
)
def ignored(subject: Subject) -> Iterator[Found]:
    """How much of this batch is ignored?"""
    batch = given(subject)
    if not matching(given(subject)):
        return
    left_out = ~batch.counts
    if bool(left_out.any()):
        whole = int(left_out.reshape(len(left_out), -1).all(1).sum())
        share = float(left_out.double().mean())
        if bool(left_out.all()):
            what = "every label of this batch is ignored: there is nothing to learn from"
            yield Found(what, f"{batch.spec.ignore_name} {batch.spec.ignore_index}", severity=Severity.WRONG)
            return
        evidence = f"ignore_index {batch.spec.ignore_index}; {whole} of {len(left_out)} samples are ignored entirely"
        yield Found(f"{share:.1%} of the labels of this batch are ignored", evidence)
