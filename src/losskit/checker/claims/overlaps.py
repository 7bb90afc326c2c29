"""Overlaps and pixels: a perfect prediction overlaps completely, and channels stay channels."""

from __future__ import annotations

import math
from collections.abc import Iterator

from losskit.checker.checks.tools import code, labelled, value
from losskit.checker.claims.kinds import kind
from losskit.checker.finding import Found
from losskit.checker.listening import heard
from losskit.checker.subject import Subject


@kind(r"dice|\biou|iou_?loss|jaccard|f1\b|f_?beta|overlap|tversky")
def whole_overlap(subject: Subject) -> Iterator[Found]:
    """Whether a perfect prediction has an overlap of 1, not of a half."""
    spec = subject.spec
    if not labelled(spec) or spec.scores not in ("logits", "probabilities") or spec.layout in ("signs", "soft"):
        return
    tensors, wrong = (subject.example(scale=60.0, correct=answer, batch=4) for answer in (True, False))
    best, worst = value(subject, *tensors), value(subject, *wrong)
    halves = (0.5, -0.5, math.log(2))
    if worst > best and any(math.isclose(best, each, abs_tol=0.02) for each in halves):
        dice = "dice" in subject.words.all or "f1" in subject.words.all
        fix = "2 * intersection / (a.sum() + b.sum())" if dice else "union = a.sum() + b.sum() - intersection"
        yield Found(
            "a perfect prediction overlaps its target by a half: "
            + ("a factor 2 is missing" if dice else "the union counts the intersection twice"),
            {"perfect": best, "wrong": worst},
            code(subject, *tensors),
            None,
            fix,
        )


@kind(".")
def channels(subject: Subject) -> Iterator[Found]:
    """Whether scores (N, C, H, W) or one-hot labels (N, H, W, C) are permuted, not merely viewed in another shape."""
    spec = subject.spec
    if not labelled(spec) or spec.kind != "multiclass" or spec.way.last:
        return
    size = next((each for each in ((4, 5), (5,), (4, 5, 6)) if each in (spec.spatial, *spec.spatials)), None)
    if size is None or spec.classes in (*size, 1, 2):
        return
    tensors = subject.example(scale=10.0, correct=True, batch=2, size=size)
    wrong = subject.example(scale=10.0, correct=False, batch=2, size=size)
    best, worst = value(subject, *tensors), value(subject, *wrong)
    if not best > 0.2 * worst:
        return
    first, last = tensors[0].shape, (tensors[0].shape[0], *size, spec.classes)
    for call in heard(subject, *tensors):
        if (
            call.name not in ("view", "reshape", "view_as", "flatten")
            or not call.tensors
            or not hasattr(call.made, "shape")
        ):
            continue
        given, made = call.tensors[0], call.made.shape
        what = ""
        if given.shape == first and given.is_contiguous() and made[-1:] == (spec.classes,) and len(made) < len(first):
            what = f"{call.name} makes rows of {spec.classes} of scores {tuple(first)}: a row holds pixels, not classes"
        elif given.shape == last and made == first and given.is_contiguous():
            what = f"{call.name} turns one-hot labels {last} into {tuple(first)} without moving the classes"
        if what:
            numbers = {"perfect": best, "wrong": worst}
            fix = "permute(0, 2, 3, 1) before reshape(-1, C); permute(0, 3, 1, 2) after one_hot."
            yield Found(what, numbers, code(subject, *tensors), None, fix)
            return
