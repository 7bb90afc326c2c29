"""Rounding: whether a loss computes in the precision of its input."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from losskit.checker.checks.tools import code, pull, require_steady, tried, value
from losskit.checker.finding import Found, Severity
from losskit.checker.registry import check
from losskit.checker.subject import Subject

_COARSE = {torch.float16: 2.0**-8, torch.bfloat16: 2.0**-5}  # relative changes that these precisions keep
_SEEDS = 3


@check(
    "rounds-input",
    Severity.WRONG,
    why="A prediction keeps three digits: small errors have no effect on the value, and tiny ones vanish.",
    fix="Compute in the precision of the input: remove .half(), .bfloat16() and the autocast around the loss.",
    consequence_of=("no-graph", "not-finite"),
)
def rounds_input(subject: Subject) -> Iterator[Found]:
    """Does the loss tell a prediction from the same prediction in half precision?"""
    require_steady(subject)
    for dtype, coarse in _COARSE.items():
        cases = [subject.example(seed) for seed in range(_SEEDS)]
        if all(_rounded(subject, dtype, coarse, *tensors) for tensors in cases):
            input, *others = cases[0]
            near = input.to(dtype).to(input.dtype)
            name = str(dtype).removeprefix("torch.")
            numbers = {"largest change of the input": float((near - input).abs().max()), "change of the value": 0.0}
            what = f"float32 scores are rounded to {name}: what lies below its precision changes nothing"
            yield Found(what, numbers, code(subject, input, *others))
            return


def _rounded(subject: Subject, dtype: torch.dtype, coarse: float, input: Tensor, *others: Tensor) -> bool:
    """Whether what a precision loses changes nothing, in float64 too, and what it keeps does."""
    if not input.is_floating_point():
        return False
    exact, rest = input.double(), [each.double() if each.is_floating_point() else each for each in others]
    near = exact.to(dtype).double()
    found = tried(value, subject, exact, *rest)
    if found is None or torch.equal(near, exact) or found != tried(value, subject, near, *rest):
        return False
    moved = tried(value, subject, near * (1 + coarse), *rest)
    return moved is not None and moved != found and bool(pull(subject, input, *others).gradient.any())
