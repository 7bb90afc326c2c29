"""Ordinal losses: thresholds below the label are raised, those above are lowered, and far mistakes exceed near ones."""

from __future__ import annotations

import re
from collections.abc import Iterator

import torch

from losskit.checker import roles
from losskit.checker.checks.tools import BACKWARD, code, labelled, pull, tried, value
from losskit.checker.claims.kinds import kind, taken_as
from losskit.checker.finding import Found
from losskit.checker.subject import Subject


def _has_thresholds(subject: Subject) -> bool:
    named = subject.spec.layout == "ranks" and re.search(r"level|threshold|\branks\b", subject.words.all)
    return bool(named) or roles.of_thresholds(subject.words)


@kind(r"ordinal|coral|corn\b|corn_|cornloss|rank|threshold|level|grade|\bage\b|cumulative")
def thresholds(subject: Subject) -> Iterator[Found]:
    """K - 1 logits of P(label > k)."""
    if not subject.spec.two or not _has_thresholds(subject):
        return
    subject = taken_as(subject, ("ordinal", "logits", "ranks"))
    count = subject.spec.classes if subject.spec.classes > 1 else 4
    for label in range(count + 1):
        ranks = torch.full((2,), label)
        input = torch.zeros(2, count)
        found = tried(pull, subject, input, ranks)
        if found is None or not found.finite:
            return
        slope = found.gradient[0]
        for k in range(count):
            up = k < label
            wrong = slope[k] > 1e-7 if up else slope[k] < -1e-7
            if wrong or (k == label and abs(slope[k]) < 1e-9):
                shape = "off by one" if k in (label, label - 1) else "inverted"
                way = "lowers" if up else "raises" if wrong else "does not move"
                yield Found(
                    f"with K = {count + 1} classes, a label of {label} {way} threshold {k}: the levels are {shape}",
                    {f"gradient of threshold {k}": float(slope[k]), "label": label},
                    code(subject, input, ranks, lines=BACKWARD),
                    None,
                    "levels = (labels[:, None] > torch.arange(K - 1)): level k is 1 if the label is above k.",
                )
                return


@kind(
    r"ordinal|\bemd|earth.?mover|wasserstein|\bsord\b|ranked probability|\brps\b|kappa|cumulative|ordered class|"
    r"far(ther)? (class|mistake)"
)
def near_misses(subject: Subject) -> Iterator[Found]:
    """Scores (N, C) of ordered classes: confusing neighbours costs less than confusing classes that are far apart."""
    if _has_thresholds(subject):
        return
    if subject.spec.layout == "ranks":
        if "softmax" not in subject.words.code:
            return  # its scores are those of thresholds, which do not compete
        subject = taken_as(subject, ("multiclass", "logits", "indices"))
    spec = subject.spec
    if not labelled(spec) or spec.kind != "multiclass" or spec.classes < 3:
        return
    if any(re.search(r"matrix|^m$|ground|(dist|cost)s?$", name) for name in spec.options):
        return  # an option gives the distances between classes
    labels = torch.zeros_like(subject.labels(batch=4))
    target = subject.target_of(labels)
    inputs = [subject.input_of(labels + away, 2.0) for away in (1, spec.classes - 1)]
    costs = [tried(value, subject, each, target) for each in inputs]
    if costs[0] is not None and costs[1] is not None and costs[1] < costs[0] + 1e-5 * (1 + abs(costs[0])):
        yield Found(
            "confusing neighbouring classes has no smaller loss than confusing the first class with the last",
            {"neighbours": costs[0], "first and last": costs[1]},
            code(subject, inputs[1], target),
            None,
            "Compare cumulative probabilities (cumsum over the classes), or weight by the distance of the classes.",
        )
