"""Labels: invalid ones are refused, and absent classes are handled."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from losskit.checker.checks.tools import BACKWARD, close, code, labelled, pull, require_steady, sigmoid, tried, value
from losskit.checker.finding import Found, Severity
from losskit.checker.registry import check
from losskit.checker.subject import Subject


@check(
    "labels-out-of-range",
    Severity.TRAP,
    why="A label file with one class too many, or a border label, trains the wrong objective without a message.",
    fix="Raise for a label below 0 or not below the number of classes, unless it is ignore_index.",
    applies=lambda spec: labelled(spec) and spec.indices,
)
def labels_out_of_range(subject: Subject) -> Iterator[Found]:
    """Are class indices out of range refused?"""
    input, target = subject.example()
    for wrong in (subject.spec.classes, -1, 255):
        if wrong == subject.spec.ignore_index:
            continue
        bad = target.clone()
        bad.view(-1)[0] = wrong
        found = tried(value, subject, input, bad)
        if found is not None and not math.isnan(found):
            yield Found(
                f"accepts the label {wrong} with {subject.spec.classes} classes and returns a number",
                {"value": found, "with correct labels": value(subject, input, target)},
                code(subject, input, bad),
            )
            return


_ORDERED = (
    r"ordinal|order|rank|emd\b|earth|hierarch|background|level|grade|\bage|severity|cost matri|confus|distance|first|"
    r"weight|alpha|frequen|prior|count|long.?tail|imbalance|positive|negative|binary|foreground"
)
# Code that treats the first class apart, or uses the numbers of classes as places.
_FROM_ONE = r"range\(1,|\[:, ?1|\[1:\]|!= ?0\b|> ?0\b|== ?[01]\b|>= ?1\b|arange\("


@check(
    "class-numbers-count",
    Severity.WRONG,
    why="The numbers of the classes are names: a loss that computes with them differs from dataset to dataset.",
    fix="Compare the labels with each class, or one-hot encode them, before they are summed or multiplied.",
    consequence_of=("labels-left-out", "wrong-dimension", "not-finite", "order-matters", "misused-function"),
    applies=lambda spec: labelled(spec) and spec.kind == "multiclass" and spec.indices and spec.classes > 2,
)
def class_numbers_count(subject: Subject) -> Iterator[Found]:
    """Is the loss the same if the classes are numbered in another order?"""
    require_steady(subject)
    if re.search(_ORDERED, subject.words.all) or re.search(_FROM_ONE, subject.words.code):
        return
    if subject.spec.ignore_index in range(subject.spec.classes) or _per_class(subject.build(), subject.spec.classes):
        return
    order = torch.arange(subject.spec.classes).roll(1)
    shifts = []
    for seed in range(3):
        input, target = subject.example(seed, batch=6)
        moved = value(subject, input.index_select(1, order.argsort()), order[target])
        shifts.append((value(subject, input, target), moved, input, target))
    if all(not close(before, moved, 1e-3, 1e-5) for before, moved, _, _ in shifts):
        before, moved, input, target = shifts[0]
        yield Found(
            "the loss changes if its classes are numbered in another order",
            {"value": before, "renumbered": moved},
            code(subject, input.index_select(1, order.argsort()), order[target]),
        )


def _per_class(criterion: object, classes: int) -> bool:
    """Whether a loss has a number for each class."""
    held = list(getattr(criterion, "__dict__", {}).values())
    if isinstance(criterion, nn.Module):
        held += [*criterion.buffers(recurse=False), *criterion.parameters(recurse=False)]
    rows = (each for each in held if isinstance(each, (list, tuple)) or (isinstance(each, Tensor) and each.dim() > 0))
    return any(len(each) == classes for each in rows)


@check(
    "mask-of-255",
    Severity.TRAP,
    why="Masks are often saved as 0 and 255; the minimum of the loss is then at another prediction.",
    fix="Raise for a target outside [0, 1].",
    applies=lambda spec: sigmoid(spec) and spec.layout not in ("signs", "soft"),
)
def mask_of_255(subject: Subject) -> Iterator[Found]:
    """Is a mask of 0 and 255 refused?"""
    input, target = subject.example()
    found = tried(value, subject, input, target * 255)
    if found is not None and not math.isnan(found):
        yield Found(
            "accepts a mask of 0 and 255 and returns a number",
            {"value": found, "with 0 and 1": value(subject, input, target)},
            code(subject, input, target * 255),
        )


@check(
    "one-label-only",
    Severity.WRONG,
    why="Images without any object, and images that are all object, occur in every data set.",
    fix="Look for a division by a count that is 0 there, and for 0 * log(0).",
    consequence_of=("not-finite",),
    applies=labelled,
)
def one_label_only(subject: Subject) -> Iterator[Found]:
    """Are value and gradient finite if every position has the same label?"""
    labels, spec = subject.labels(), subject.spec
    few = {
        f"if every label is {label}": torch.full_like(labels, label) for label in (0, 1) if label != spec.ignore_index
    }
    if spec.kind == "multiclass" and spec.classes > 2:
        few["if the last class is absent"] = labels.clamp_max(spec.classes - 2)
    for what, same in few.items():
        for scale, answer in ((2.0, None), (2.0, True), (2.0, False), (200.0, True)):
            tensors = subject.input_of(same, scale, answer), subject.target_of(same)
            found = tried(pull, subject, *tensors)
            if found is not None and not found.finite:
                sure = " and the prediction is confident and correct" if scale > 2 else ""
                yield Found(
                    f"value or gradient is not finite {what}{sure}",
                    {"value": float(found.value)},
                    code(subject, *tensors, lines=BACKWARD),
                )
                return


@check(
    "absent-class",
    Severity.PROPERTY,
    why="Images without the object teach nothing: false positives stay, or a correct prediction has the largest loss.",
    fix="For an absent class, add its mean predicted probability to the loss (absent='penalize' in losskit).",
    consequence_of=("no-graph",),
    applies=sigmoid,
)
def absent_class(subject: Subject) -> Iterator[Found]:
    """If no position has the label, do false positives have a larger loss than correct predictions, and a gradient?"""
    size = (16, 16) if subject.spec.takes_spatial(2) else subject.spec.spatial
    drawn = subject.labels(size=size)
    nothing = torch.zeros_like(drawn)
    target = subject.target_of(nothing)
    right, wrong = (pull(subject, subject.input_of(nothing, 4.0, correct=answer), target) for answer in (True, False))
    usual = pull(subject, subject.input_of(drawn, 4.0, correct=False), subject.target_of(drawn))
    share = float(wrong.gradient.abs().sum()) / max(float(usual.gradient.abs().sum()), 1e-30)
    numbers = {
        "correct": float(right.value),
        "all false positives": float(wrong.value),
        "share of gradient": share,
    }
    shown = f"torch.full({tuple(subject.input_of(nothing).shape)}, 4.0)", _zeros(target)
    if not (right.finite and wrong.finite):
        return
    if share < 1e-3 or float(wrong.value - right.value) < 1e-3:
        costs = "0" if float(wrong.value) < 1e-3 else "about that of a correct prediction"
        repro = code(subject, *shown, lines=BACKWARD)
        yield Found(f"if the class is absent, the loss of false positives is {costs}", numbers, repro)
    elif float(right.value) > 0.5 * float(wrong.value):
        repro = code(subject, shown[0].replace("4.0", "-4.0"), shown[1])
        yield Found("if the class is absent, the loss of a correct prediction is nearly the largest", numbers, repro)


def _zeros(target: Tensor) -> str:
    dtype = "" if target.is_floating_point() else f", dtype={target.dtype}"
    return f"torch.full({tuple(target.shape)}, {target.reshape(-1)[0].item()}{dtype})"


@check(
    "one-hot-differs",
    Severity.TRAP,
    why="Class indices and one-hot targets look alike in code, and the wrong one trains the wrong objective.",
    fix="Refuse a target whose shape is not that of class indices, or interpret it as one-hot.",
    applies=lambda spec: labelled(spec) and spec.indices,
)
def one_hot_differs(subject: Subject) -> Iterator[Found]:
    """Is a one-hot target refused, or the loss the same as with class indices?"""
    size = subject.spec.spatial
    labels = subject.labels(size=size)
    input, right = subject.input_of(labels, 1.0, None), subject.target_of(labels)
    hot = torch.nn.functional.one_hot(labels, subject.spec.classes).movedim(-1, 1).contiguous()
    for given in (hot, hot.float()):
        found = tried(value, subject, input, given)
        if found is not None and math.isfinite(found) and not close(found, value(subject, input, right)):
            said = "integer" if given is hot else "float"
            yield Found(
                f"accepts a one-hot target of {said}s and returns another number",
                {"one-hot": found, "indices": value(subject, input, right)},
                code(subject, input, given),
            )
            return


@check(
    "nan-unnoticed",
    Severity.TRAP,
    why="A model that has turned into NaN goes on training, and the loss looks normal.",
    fix="Leave NaN in the scores: no nan_to_num, and no comparison that turns it into a number.",
)
def nan_unnoticed(subject: Subject) -> Iterator[Found]:
    """Does a NaN score make the loss NaN, or raise an error?"""
    input, *others = subject.example()
    spoilt = torch.full_like(input, torch.nan)
    found = tried(value, subject, spoilt, *others)
    if found is not None and math.isfinite(found):
        yield Found("NaN scores give a finite number", {"value": found}, code(subject, spoilt, *others))
