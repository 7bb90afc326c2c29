"""Edges: valid tensors at which a square root, an angle or a ratio has no finite slope."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from losskit.checker.checks.several_tensors import pairs_of
from losskit.checker.subject import Subject

Edges = Iterator[tuple[str, tuple[Tensor, ...]]]


def exact(subject: Subject) -> Edges:
    """Each example, and what it is."""
    yield from _alone(subject)
    yield from _collinear(subject)
    yield from _coinciding(subject)
    yield from _cosines(subject)
    yield from _negative(subject)
    yield from _left_out(subject)
    yield from _even(subject)
    yield from _matched(subject)
    yield from _censored(subject)
    yield from _within_margin(subject)


_FAR = 50.0
_NEGATIVE = r"neg|(^|_)non|dissim|impost|other|different|unlike|random"


def _within_margin(subject: Subject) -> Edges:
    """Embeddings whose negatives are farther than any margin: no pair counts."""
    names = subject.spec.tensors
    if not (re.search(r"margin|triplet|contrast", subject.words.all) and subject.spec.layout.startswith("several")):
        return
    tensors = subject.example(batch=4)
    if any(each.dim() != 2 or each.shape != tensors[0].shape for each in tensors):
        return
    away = [re.search(_NEGATIVE, name.lower()) is not None for name in names]
    if 0 < sum(away) < len(away):
        given = (tensors[0] + _FAR if far else tensors[0].clone() for far in away)
        yield "negatives farther than the margin, where no pair counts", tuple(given)


def _censored(subject: Subject) -> Edges:
    """A batch in which every sample is censored, as small batches of rare events are."""
    names = subject.spec.tensors
    events = [at for at, name in enumerate(names) if re.fullmatch(r"events?(_?\w+)?|\w*_events?|status", name.lower())]
    if len(events) == 1 and (subject.spec.kind == "survival" or re.search(r"surv|cox|hazard", subject.words.all)):
        tensors = list(subject.example(batch=4))
        tensors[events[0]] = torch.zeros_like(tensors[events[0]])
        yield "a batch in which every sample is censored", tuple(tensors)


def _alone(subject: Subject) -> Edges:
    if subject.spec.layout == "groups":
        embeddings, groups = subject.example(batch=5)
        yield "a sample that is alone in its group", (embeddings, torch.cat([groups[:4], groups[:1] + 9]))


def _collinear(subject: Subject) -> Edges:
    """Embeddings in the direction of the weights of a class, of the loss itself."""
    criterion = subject.build()
    if not isinstance(criterion, nn.Module):
        return
    input, *others = subject.example(batch=4)
    for weights in (each.detach().float() for each in criterion.parameters()):
        if input.dim() != 2 or weights.dim() != 2 or weights.shape[1] != input.shape[1]:
            continue
        rows = weights[torch.arange(len(input)) % len(weights)]
        for what, given in (("", rows), ("opposite to ", -rows)):
            yield f"embeddings {what}in the direction of the weights of a class", (3 * given, *others)


def _coinciding(subject: Subject) -> Edges:
    """Embeddings at one point."""
    if subject.spec.scores != "embeddings":
        return
    tensors = subject.example(batch=4)
    same = tuple(each.clone() if each.shape == tensors[0].shape else each for each in tensors)
    for each in same:
        if each.dim() == 2 and each.shape == tensors[0].shape:
            each[:2] = tensors[0][:1]
    yield "embeddings that coincide", same


_ANGLES = r"arc ?face|arc ?margin|angular.?margin|sphere ?face|additive angular|\barc\b"


def _cosines(subject: Subject) -> Edges:
    """Cosines of exactly 1 and -1."""
    spec = subject.spec
    if not (spec.labels and spec.kind == "multiclass" and spec.indices and not spec.spatial):
        return
    if re.search(_ANGLES, subject.words.all) and re.search(r"cosine|\bcos\b", subject.words.all):
        labels = subject.labels(batch=4)
        hot = torch.nn.functional.one_hot(labels, spec.classes).float()
        yield "cosines of 1 for the class and -1 for others", (2 * hot - 1, subject.target_of(labels))


_RAW = (
    r"\braw\b|no activation|without (an )?activation|before (any|an|the) activation|any sign|unbounded|linear (layer|"
    r"output|head)|last (fully|linear)"
)


def _negative(subject: Subject) -> Edges:
    """Negative numbers in a prediction that is documented as the raw output of a layer."""
    names = subject.parameters
    if subject.spec.kind not in ("regression", "penalty") or not names:
        return
    tensors = subject.example(batch=2)
    for at, name in enumerate(names[: len(tensors)]):
        place = subject.place(at)
        if re.search(_RAW, subject.words.clauses.get(name, "")) and tensors[place].is_floating_point():
            given = (*tensors[:place], -tensors[place].abs() - 0.1, *tensors[place + 1 :])
            yield f"negative {name}, documented as the raw output of a layer", given


def _left_out(subject: Subject) -> Edges:
    """Predictions of 0 and below, if the code leaves them out of a loss of positive numbers."""
    spec = subject.spec
    if spec.kind == "regression" and spec.scores == "positive" and spec.two:
        name = (subject.parameters or ("input",))[subject.order(0)].lower()
        if re.search(rf"\b{re.escape(name)} ?(>=?|<=?) ?\(?(0|self\.\w+|\w*eps)|where\(", subject.words.code):
            input, *others = subject.example(batch=2)
            for what, shift in (("0", 0.0), ("below 0", -0.3)):
                given = input.clone()
                given.reshape(-1)[0] = shift
                if math.isfinite(subject.value(given, *others)):
                    yield f"a prediction {what}, which it leaves out", (given, *others)


def _even(subject: Subject) -> Edges:
    """Predictions for a target of one number everywhere, where differences and variances are 0."""
    spec = subject.spec
    if spec.kind != "regression" or spec.layout not in ("same", "bare", "quantiles") or spec.scores != "values":
        return
    input, *others = subject.example()
    positive = subject.words.say(r"\bpositive\b|> ?0")
    for what, number in (("0", 0.0), ("one number", 0.5))[positive:]:
        constant = [torch.full_like(others[0], number), *others[1:]]
        yield f"a prediction for a target of {what} everywhere", (input, *constant)
        yield (
            f"a correct prediction for a target of {what} everywhere",
            (torch.full_like(input, number), *constant),
        )
        yield f"a prediction of {what} everywhere", (torch.full_like(input, number), *others)


def _matched(subject: Subject) -> Edges:
    """Predictions that equal their targets, where these are known by their names alone."""
    if not subject.spec.layout.startswith("several"):
        return
    tensors = subject.example(batch=4)
    for at, to in pairs_of(subject, tensors):
        names = subject.spec.tensors[at], subject.spec.tensors[to]
        given = list(tensors)
        given[at] = tensors[to].clone()
        yield f"{names[0]} equal to {names[1]}", tuple(given)
