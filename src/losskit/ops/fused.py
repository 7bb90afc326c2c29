"""Sums of columns in one pass over memory, and their gradient in one more: `losskit::totals`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import Tensor

from losskit.ops import native, operators, reference, values
from losskit.ops.columns import REGION_COLUMNS, Column, Difference, Formula, TermColumn
from losskit.ops.inputs import Inputs
from losskit.ops.operators import Settings, Tensors


def run(
    tensors: Tensors,
    settings: Settings,
    totals: bool,
    coefficients: Tensor | None,
    saved: native.SavedActivations | None = None,
) -> tuple[Tensor | None, Tensor | None]:
    """Totals, if requested, and the gradient by the input, if that of the totals is given as `coefficients`.

    `saved` is filled for a gradient that is requested later.
    """
    input, target, weight, mask, logit_bias = tensors
    _, link, _, places, constants, pooled, backend, late = settings
    operator: Callable[..., tuple[Tensor | None, Tensor | None, Tensor | tuple[int, float] | None]]
    if backend == "triton":
        from losskit.ops import triton

        operator = triton.run
    else:
        operator = partial(native.run, saved=saved)
    sums, gradient, problem = operator(
        input, target, weight, mask, logit_bias, link, settings.ignored(target), places, constants,
        pooled=pooled, totals=totals, coefficients=coefficients,
    )  # fmt: skip
    if totals:
        assert sums is not None
        values.report_problem(settings.owner, input.shape[1], problem, sums, late=late)
    return sums, gradient


def _totals(tensors: Tensors, settings: Settings) -> Tensor:
    sums, _ = run(tensors, settings, True, None)
    assert sums is not None
    return sums


def _gradient(grad: Tensor, tensors: Tensors, settings: Settings) -> Tensor:
    _, gradient = run(tensors, settings, False, grad)
    assert gradient is not None
    return gradient


def _reference(inputs: Inputs, settings: Settings) -> Tensor:
    if settings.link == "difference":
        return reference.differences(inputs, Difference(*settings.constants[:2]))
    result = reference.totals(inputs, _columns(settings))
    return result.sum(0, keepdim=True) if settings.pooled else result


def _columns(settings: Settings) -> list[Column]:
    """The columns of a plan, in order."""
    found: dict[int, Column] = dict(zip(settings.places, REGION_COLUMNS, strict=False))
    for slot, place in enumerate(settings.places[len(REGION_COLUMNS) :]):
        formula = Formula(*settings.constants[slot // 4 * 4 : slot // 4 * 4 + 4])
        found[place] = TermColumn(formula, "truth" if slot % 4 < 2 else "every", slot % 2)
    return [found[place] for place in sorted(found) if place >= 0]


operators.register("totals", _totals, _gradient, _reference, additive=True)
