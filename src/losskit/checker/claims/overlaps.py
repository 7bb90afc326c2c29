"""Overlaps and pixels: a perfect prediction overlaps completely, and channels stay channels."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

import torch
from torch import Tensor

from losskit.checker.checks.tools import code, labelled, value
from losskit.checker.claims.kinds import kind, taken_as
from losskit.checker.finding import Found
from losskit.checker.listening import heard
from losskit.checker.subject import Subject


@kind(r"dice|\biou|iou_?loss|jaccard|f1\b|f_?beta|overlap|tversky")
def whole_overlap(subject: Subject) -> Iterator[Found]:
    """Whether a perfect prediction has an overlap of 1, not of a half."""
    spec = subject.spec
    if not labelled(spec) or spec.scores not in ("logits", "probabilities") or spec.layout in ("signs", "soft"):
        return
    size = (16, 16) if spec.takes_spatial(2) else None  # so large that smoothing hardly counts
    tensors, wrong = (subject.example(scale=60.0, correct=answer, batch=4, size=size) for answer in (True, False))
    best, worst = value(subject, *tensors), value(subject, *wrong)
    if best > 0.6 * worst > 0.2:
        yield Found(
            "a sure and perfect prediction costs nearly as much as a wrong one: it hardly overlaps its target",
            {"perfect": best, "wrong": worst},
            code(subject, *tensors),
            None,
            "Sum the intersection over the same positions as the sizes that it is divided by.",
        )
        return
    halves = (0.5, math.log(2), *((-0.5,) if worst < 0.5 else ()))  # a weighted score may be subtracted from others
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


@kind(r"\bgdl|gdl\b|generali[sz]ed.?dice|generali[sz]eddice")
def weighted_dice(subject: Subject) -> Iterator[Found]:
    """Whether classes are weighted in the sums of one ratio, not in a ratio of each class, where weights cancel."""
    if subject.spec.kind == "multilabel" and subject.spec.layout == "same":  # one-hot labels are such a target too
        subject = subject.taking(kind="multiclass", scores=subject.spec.scores, target="one-hot")
    spec = subject.spec
    if not labelled(spec) or spec.kind != "multiclass" or spec.classes < 3:
        return
    if re.search(r"background|exclude", " ".join(spec.options)) or spec.ignore_index in range(spec.classes):
        return
    size = next((each for each in ((4, 5), (4, 5, 6)) if each in (spec.spatial, *spec.spatials)), None)
    if size is None:
        return
    costs, plain = [], []
    for seed in range(4):
        labels = (subject.labels(seed, batch=1, size=size) == 0).long() * 2  # few positions of class 1, many of class 2
        labels[0, 0, 0], labels[0, 0, 1], labels[0, 1, 1] = 0, 1, 2
        input = subject.input_of(labels, 1.0, None, torch.float64, seed)
        costs.append(value(subject, input, subject.target_of(labels, torch.float64)))
        shares = input.softmax(1) if spec.scores == "logits" else input
        hot = torch.nn.functional.one_hot(labels, spec.classes).movedim(-1, 1).double()
        both, each = (made.flatten(2).sum(2)[0] for made in (shares * hot, shares + hot))
        there = hot.flatten(2).sum(2)[0] > 0
        plain.append([_mean(2 * both / each, kept) for kept in (there, torch.ones_like(there))])
    for at in (0, 1):
        found = [cost - costs[0] for cost in costs]
        if all(math.isclose(one, plain[0][at] - row[at], abs_tol=1e-3) for one, row in zip(found, plain, strict=True)):
            tensors = input.float(), subject.target_of(labels)
            yield Found(
                "it is the mean of the Dice of each class: the weights of classes cancel in each ratio",
                {"value": costs[-1], "1 - mean of Dice": 1 - plain[-1][at]},
                code(subject, *tensors),
                None,
                "1 - 2 * (w * intersection).sum(1) / (w * union).sum(1)",
            )
            return


def _mean(ratios: Tensor, there: Tensor) -> float:
    return float(ratios[there].sum() / there.sum())


_ONE_SIDED = (
    r"tversky|beta|alpha|weight|recall|precision|sensitiv|specific|pos_|asym|boundary|focal|hausdorff|distance|"
    r"lovasz|hinge|surrog|bce|entropy|\bce\b"
)


@kind(r"dice|\biou|iou_?loss|jaccard|f1\b")
def symmetric(subject: Subject) -> Iterator[Found]:
    """Whether exchanging a mask and a sure prediction leaves the overlap."""
    if subject.spec.layout == "one-hot" and re.search(r"binary|\(n, ?1, ?h", subject.words.all):
        scores = "logits" if "logit" in subject.words.all else subject.spec.scores
        subject = taken_as(subject, ("binary", scores, "same"))
    spec = subject.spec
    if not labelled(spec) or spec.kind != "binary" or spec.layout not in ("same", "bare", "same-integers"):
        return
    if spec.scores not in ("logits", "probabilities") or re.search(_ONE_SIDED, subject.words.all):
        return
    sizes = (spec.spatial, *spec.spatials)
    size = next((each for each in ((4, 5), (4, 5, 6)) if each in sizes), (4, 5) if () in sizes else None)
    if size is None:
        return
    drawn = [subject.labels(seed, batch=2, size=size) for seed in (1, 2)]
    drawn[1] = drawn[1] * 0
    drawn[1][..., :2, :] = 1
    costs = []
    for one, other in (drawn, drawn[::-1]):
        costs.append(value(subject, subject.input_of(one, 60.0), subject.target_of(other)))
    if all(map(math.isfinite, costs)) and abs(costs[0] - costs[1]) > 0.01 * max(map(abs, costs)):
        yield Found(
            "exchanging the mask and a sure prediction changes the loss, but the overlap of two masks has no order",
            {"one order": costs[0], "the other": costs[1]},
            code(subject, subject.input_of(drawn[0], 60.0), subject.target_of(drawn[1])),
            None,
            "Use prediction and mask alike in the numerator and the denominator.",
        )


@kind(r"empty")
def documented_empty(subject: Subject) -> Iterator[Found]:
    """Whether an empty prediction for an empty mask has no loss, if the documentation says so."""
    spec = subject.spec
    if not labelled(spec) or spec.kind not in ("binary", "multilabel") or spec.layout == "signs":
        return
    if not re.search(
        r"empty[^.]{0,60}(costs? (0|nothing)|no loss|loss (of|is) (0|zero)|gives? (0|zero)|perfect)", subject.words.all
    ):
        return
    nothing = subject.labels(batch=2) * 0
    tensors = subject.input_of(nothing, 60.0), subject.target_of(nothing)
    cost = value(subject, *tensors)
    if math.isfinite(cost) and cost > 0.05:
        yield Found(
            f"an empty prediction for an empty mask has a loss of {cost:.3g}, although it is documented to have none",
            {"value": cost},
            code(subject, *tensors),
            None,
            "Add the smoothing constant to the numerator too.",
        )
