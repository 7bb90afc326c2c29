"""Focal and Tversky losses: gamma, alpha and beta mean what they mean in papers and libraries."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from losskit.checker.checks.tools import close, code, labelled, pull, sigmoid, tried, value
from losskit.checker.finding import Found, Severity
from losskit.checker.registry import check
from losskit.checker.subject import Subject


@check(
    "gamma-below-one",
    Severity.TRAP,
    why="One prediction that is exactly correct turns the model into NaN.",
    fix="Where the base of the power is 0, select its derivative instead of computing it; or work in log space.",
    consequence_of=("not-finite",),
    applies=lambda spec: labelled(spec) and "gamma" in spec.options,
)
def gamma_below_one(subject: Subject) -> Iterator[Found]:
    """Is the gradient finite for gamma = 0.5 where a prediction is exactly correct?"""
    for scale in (20.0, 100.0):
        tensors = subject.example(scale=scale, correct=True)
        found = tried(pull, subject, *tensors, options={"gamma": 0.5})
        if found is not None and not found.finite:
            what = "gradient" if found.value.isfinite() else "value"
            yield Found(
                f"with gamma=0.5 the {what} is not finite for correct predictions of size {scale:g}",
                {"value": float(found.value)},
                code(
                    subject,
                    *tensors,
                    options={"gamma": 0.5},
                    lines=("loss = {call}.mean()", "loss.backward()", "print(loss, {input}.grad)"),
                ),
            )
            return


@check(
    "gamma-zero",
    Severity.PROPERTY,
    why="Numbers, learning rates and weights from papers, which start from cross-entropy, do not carry over.",
    fix="Modulate the cross-entropy of each position, and average over positions.",
    consequence_of=("unused-argument",),
    applies=lambda spec: labelled(spec) and "gamma" in spec.options and spec.scores == "logits",
)
def gamma_zero(subject: Subject) -> Iterator[Found]:
    """Is the focal loss with gamma = 0 the cross-entropy?"""
    options: dict[str, Any] = {"gamma": 0.0}
    labels = subject.labels(batch=3)
    tensors = subject.input_of(labels, 1.0, None), subject.target_of(labels)
    far = -subject.input_of(labels, 200.0, True)
    factor = 1.0
    for alpha, by in ((None, 1.0), (-1, 1.0), (0.5, 0.5)) if "alpha" in subject.spec.options else ():
        given = {**options, "alpha": alpha}
        if tried(value, subject, *tensors, options=given) is not None:
            options, factor = given, by
            break
    found = [value(subject, each, tensors[1], options=options) for each in (tensors[0], far)]
    right = [factor * _cross_entropy(subject, each, labels) for each in (tensors[0], far)]
    if found[1] < 5 * found[0]:
        return  # bounded: gamma is not that of a focal loss
    rate = (found[1] - found[0]) / (right[1] - right[0])  # in a sum with Dice too, the rate of the cross-entropy
    if not close(rate, 1.0, 0.02):
        yield Found(
            "with gamma=0 it is not the mean cross-entropy",
            {"gamma=0": found[0], "cross-entropy": right[0], "ratio": found[0] / right[0]},
            code(subject, *tensors, options=options),
        )


def _cross_entropy(subject: Subject, input: Tensor, labels: Tensor) -> float:
    if subject.spec.kind == "multiclass":
        return float(nn.functional.cross_entropy(input, labels))
    return float(nn.functional.binary_cross_entropy_with_logits(input.reshape(labels.shape), labels.float()))


@check(
    "prices-swapped",
    Severity.PROPERTY,
    why="alpha and beta copied from a paper or another library favour the opposite mistake.",
    fix="alpha on false positives, beta on false negatives; focal alpha on positives, as in papers and libraries.",
    consequence_of=("unused-argument",),
    applies=lambda spec: sigmoid(spec) and "alpha" in spec.options,
)
def prices_swapped(subject: Subject) -> Iterator[Found]:
    """Does alpha have its usual meaning?"""
    labels = subject.labels(batch=3)
    target = subject.target_of(labels)
    tversky = "beta" in subject.spec.options
    over, under = (subject.input_of(torch.full_like(labels, on), 2.0) for on in (1, 0))
    ratios: list[float] = []
    seen: list[list[float]] = []
    for alpha in (0.1, 0.9):
        options = {"alpha": alpha, **({"beta": 1 - alpha} if tversky else {})}
        costs = [tried(value, subject, each, target, options=options) or math.nan for each in (over, under)]
        if not all(map(math.isfinite, costs)):
            return
        ratios.append(costs[0] / max(costs[1], 1e-12))
        seen.append(costs)
    if not tversky and all(_powers(seen[0][side], seen[1][side]) for side in (0, 1)):
        return  # alpha is an exponent
    rises = ratios[1] > ratios[0] * 1.001
    if (not rises) if tversky else rises:
        said = "false positives" if tversky else "positives"
        yield Found(
            f"a larger alpha lowers the loss of {said}",
            {"false positives / false negatives at alpha=0.1": ratios[0], "at alpha=0.9": ratios[1]},
            code(subject, over, target, options={"alpha": 0.9, **({"beta": 0.1} if tversky else {})}),
        )


def _powers(small: float, large: float) -> bool:
    """Whether two losses are powers of one number, with exponents 0.1 and 0.9."""
    return (
        0 < small < 1.2
        and 0 < large < 1.2
        and math.isclose(math.log(large), 9 * math.log(small), rel_tol=0.05, abs_tol=1e-3)
    )
