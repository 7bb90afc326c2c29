"""Cut terms: a part of the loss that an option weighs changes with the prediction and gives it no gradient."""

from __future__ import annotations

import re
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from losskit.checker.checks.jumps import thresholded_term
from losskit.checker.checks.several_tensors import prediction_without_gradient
from losskit.checker.checks.tools import BACKWARD, code, is_random, pull, tried
from losskit.checker.finding import Found, Severity
from losskit.checker.listening import graph_ends, heard
from losskit.checker.registry import check
from losskit.checker.subject import Subject
from losskit.checker.words import helpers_of

_BOUNDS = r"free|floor|min|max|cl[ia]mp?|bits|capacity|thresh|margin|eps|smooth|gamma|temp|tau|delta|beta1|range|sigma"
_LEAST = 1e-6

_OF_DATA = r"\b(p|w|params?|param\w*|weights?)\.data\b(\.(pow|norm|square|abs|sum)\(| ?\*\*)"

Shares = tuple[float, float]  # of what the option does not weigh, and of what it weighs


@check(
    "term-without-gradient",
    Severity.WRONG,
    why="The term is in the number that is logged, and trains nothing.",
    fix="Compute the term of the prediction outside torch.no_grad(), and without .detach() or .item().",
    consequence_of=("no-graph", "not-finite", "unused-argument"),
    applies=lambda spec: not spec.way.inside,
)
def term_without_gradient(subject: Subject) -> Iterator[Found]:
    """Does each term have a gradient if it changes with the prediction?"""
    if (cut := next(prediction_without_gradient(subject), None)) is not None:
        yield cut
        return
    if (step := next(thresholded_term(subject), None)) is not None:
        yield step
        return
    if (penalty := re.search(_OF_DATA, f"{subject.words.code}\n{helpers_of(subject.build())}")) is not None:
        what = f"{penalty[1]}.data has no graph: the penalty is in the value, and shrinks no weight"
        yield Found(what, {"code": penalty[0]}, code(subject, *subject.example(batch=3)), None, f"Use {penalty[1]}.")
        return
    criterion = subject.build()
    trained = isinstance(criterion, nn.Module) and any(True for _ in criterion.parameters())
    if trained or is_random(subject):
        return  # a term may train the parameters alone
    for option, default in subject.origin.options.items():
        mixes = isinstance(default, float) and default > 0 and option in subject.spec.options
        if not mixes or re.search(_BOUNDS, option):
            continue
        tensors = subject.example(batch=3, dtype=torch.float64)
        if tried(pull, subject, *tensors) is None:
            tensors = subject.example(batch=3)
        parts = {f"the term that {option} weighs": (0.0, 1.0), "the rest": (1.0, 0.0)}
        parts[f"what is left with {option}=1"] = (1.0, 1.0)
        for which, shares in parts.items():
            found = _is_cut(subject, option, default, tensors, shares)
            if found:
                ends = graph_ends(heard(subject, *tensors))
                at = f": its graph ends at {', '.join(ends[:2])}" if ends else ""
                yield Found(
                    f"{which} changes with the prediction and gets no gradient{at}",
                    {"change of the term": found, "its gradient": 0.0},
                    code(subject, *subject.example(batch=3), lines=BACKWARD),
                )
                return


def _is_cut(subject: Subject, option: str, default: float, tensors: tuple[Tensor, ...], shares: Shares) -> float:
    """How much a term without gradient changes with the prediction; 0 if there is none."""
    moved = tensors[0] + 0.1 * torch.randn(tensors[0].shape, generator=torch.Generator().manual_seed(5)).to(tensors[0])
    if subject.spec.scores in ("probabilities", "positive", "rates"):
        moved = tensors[0] * 0.93
    sizes = []
    for input in (tensors[0], moved):
        given = (input, *tensors[1:])
        term = _term(subject, option, default, given, shares)
        if term is None or any(float(each.abs().max()) > _LEAST for each in term[1]):
            return 0.0
        sizes.append(term[0])
    change = abs(sizes[1] - sizes[0])
    return change if change > 1e-4 * max(1.0, abs(sizes[0])) else 0.0


def _term(
    subject: Subject, option: str, default: float, tensors: tuple[Tensor, ...], shares: Shares
) -> tuple[float, list[Tensor]] | None:
    """A sum of the two terms of a loss that is linear in an option, and its gradients; None if it is not."""
    places = [n for n, each in enumerate(tensors) if each.is_floating_point()]
    values, slopes = [], []
    weights = (default, 0.75 * default, 0.5 * default)
    for weight in weights:
        pulled = [tried(pull, subject, *tensors, options={option: weight}, of=place) for place in places]
        if any(each is None or not each.finite for each in pulled):
            return None
        values.append(float(pulled[0].value))  # type: ignore[union-attr]
        slopes.append([each.gradient for each in pulled if each is not None])
    precision = 1e-6 if tensors[0].dtype == torch.float64 else 1e-5
    if abs(values[0] + values[2] - 2 * values[1]) > precision * max(1.0, abs(values[1])):
        return None
    if abs(values[0] - values[2]) < 1e-9:
        return None  # no term of its own
    step = weights[0] - weights[2]
    by = (values[0] - values[2]) / step
    tilts = [(a - b) / step for a, b in zip(slopes[0], slopes[2], strict=True)]
    left = [a - default * b for a, b in zip(slopes[0], tilts, strict=True)]
    total = shares[0] * (values[0] - default * by) + shares[1] * by
    return total, [shares[0] * a + shares[1] * b for a, b in zip(left, tilts, strict=True)]
