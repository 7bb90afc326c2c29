"""Sums of columns in one pass over memory, and their gradient in a second one: `losskit::totals`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import Tensor

from losskit.ops import choice, first_use, native, operators, reference, values
from losskit.ops.columns import Difference, columns_of_plan
from losskit.ops.inputs import Inputs
from losskit.ops.operators import Settings, Tensors


def run(
    tensors: Tensors,
    settings: Settings,
    totals: bool,
    coefficients: Tensor | None,
    saved: native.SavedActivations | None = None,
) -> tuple[Tensor | None, Tensor | None]:
    """Totals, if requested, and the gradient by the input, if `coefficients` (the gradient of the totals) is given.

    `saved` receives the activations for a gradient that is requested later.
    """
    input, target, weight, mask, logit_bias = tensors
    _, link, _, places, constants, pooled, backend, late = settings
    operator: Callable[..., tuple[Tensor | None, Tensor | None, Tensor | tuple[int, float] | None]]
    if backend == "triton":
        from losskit.ops import triton

        operator = triton.run
    else:
        operator = partial(native.run, saved=saved)
    try:
        sums, gradient, problem = operator(
            input, target, weight, mask, logit_bias, link, settings.ignored(target), places, constants,
            pooled=pooled, totals=totals, coefficients=coefficients,
        )  # fmt: skip
    except Exception as error:
        if backend != "triton" or choice.is_forced() or first_use.is_shortage(error):
            raise
        inputs = operators.inputs_of(tensors, settings)
        first_use.failed(first_use.form_and_tile(inputs, (places, constants), pooled=pooled), settings.owner, error)
        return _by_definition(tensors, settings, totals, coefficients)
    if totals:
        assert sums is not None
        values.report_problem(settings.owner, input.shape[1], problem, sums, late=late)
    return sums, gradient


def _by_definition(
    tensors: Tensors, settings: Settings, totals: bool, coefficients: Tensor | None
) -> tuple[Tensor | None, Tensor | None]:
    """The same in plain PyTorch, after a launch that raised."""
    sums = operators.sums_by_definition("totals", tensors, settings).detach() if totals else None
    gradient = None
    if coefficients is not None:
        gradient = operators.gradient_by_definition("totals", coefficients, tensors, settings)
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
    result = reference.totals(inputs, columns_of_plan(settings.places, settings.constants))
    return result.sum(0, keepdim=True) if settings.pooled else result


def _check(inputs: Inputs) -> list[Tensor]:
    return [] if inputs.link == "difference" else values.check(inputs)


operators.register("totals", _totals, _gradient, _reference, _check, additive=True)
