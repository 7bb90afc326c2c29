"""Compares a fused operator with the reference on a small slice of real tensors: value and element-wise gradient."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from torch import Tensor

from losskit.ops import reference
from losskit.ops.columns import KernelColumns, columns_of_plan
from losskit.ops.inputs import Inputs, can_hold

MOST_POSITIONS = 8192  # per sample; few enough that an error in one element is visible in a sum
FEWEST_POSITIONS = 16
MOST_ELEMENTS = 2**19  # per sample
SAMPLES = 2
ROUNDING = 2e-5  # of float32 kernels, relative to the magnitude of a sum or to the largest gradient

Definition = Callable[[Inputs], Tensor]  # the totals in plain PyTorch


class Outcome(NamedTuple):
    """The result of a comparison."""

    elements: int
    problem: str = ""  # what differs
    is_conclusive: bool = True  # whether there was something to compare: finite values of elements that count


def slice_of(inputs: Inputs) -> Inputs:
    """Views of the middle of the tensors: at most two samples, every class, some positions."""
    shape, indices = inputs.input.shape, inputs.holds_indices
    given = (inputs.input, inputs.target.unsqueeze(1) if indices else inputs.target, inputs.weight, inputs.mask)
    tensors = [t if t is None or t.dim() == len(shape) else t.expand(shape) for t in given]
    wanted = max(FEWEST_POSITIONS, min(MOST_POSITIONS, MOST_ELEMENTS // shape[1]))
    tensors = [_middle(t, 0, wanted if len(shape) == 2 else SAMPLES) for t in tensors]
    for dim in range(2, len(shape)):
        rows = -(-wanted // math.prod(shape[dim + 1 :]))
        tensors = [_middle(t, dim, rows) for t in tensors]
        if rows > 1:
            break
    input, target, weight, mask = (None if t is None else t.detach() for t in tensors)
    assert input is not None
    assert target is not None
    target = target.squeeze(1) if indices else target
    return replace(inputs, input=input, target=target, weight=weight, mask=mask, output_shape=input.shape)


def _middle(tensor: Tensor | None, dim: int, size: int) -> Tensor | None:
    if tensor is None or tensor.shape[dim] <= size:
        return tensor
    return tensor.narrow(dim, (tensor.shape[dim] - size) // 2, size)


def compare(
    operator: Callable[..., Any], inputs: Inputs, planned: KernelColumns, defined: Definition | None = None, *,
    pooled: bool,
) -> Outcome:  # fmt: skip
    """Compare totals and gradient, computed separately as in a forward and a backward pass, with the reference.

    `defined` computes the totals in plain PyTorch if `planned` does not describe all of them (user-defined formulas).
    """
    ignored = inputs.ignore_index if can_hold(inputs.target, inputs.ignore_index) else None
    with torch.inference_mode(False), torch.no_grad():
        plain: dict[str, Any] = {
            name: tensor.clone()
            for name, tensor in zip(("input", "target", "weight", "mask", "logit_bias"), inputs.tensors, strict=True)
            if tensor is not None and tensor.is_inference()
        }
        inputs = replace(inputs, **plain)
        arguments = (*inputs.tensors, inputs.link, ignored, *planned)
        totals, _, problem = operator(*arguments, pooled=pooled, totals=True)
        elements = inputs.input.numel()
        if (problem.tolist()[0] if isinstance(problem, Tensor) else problem) or not bool(totals.isfinite().any()):
            return Outcome(elements, is_conclusive=False)
        coefficients = torch.arange(1, totals.numel() + 1, dtype=torch.float64).cos().view_as(totals)
        coefficients = coefficients.to(totals.device)
        _, gradient, _ = operator(*arguments, pooled=pooled, coefficients=coefficients)

    def by_columns(inputs: Inputs) -> Tensor:
        return reference.totals(inputs, columns_of_plan(*planned))

    found: list[str] = []
    for dtype in (torch.float64, torch.float32):  # may differ where a formula has a kink
        exact, slope = _definition(inputs, defined or by_columns, coefficients, dtype, pooled=pooled)
        if not found and not bool((slope != 0).any()):
            return Outcome(elements, is_conclusive=False)
        stored = torch.finfo(gradient.dtype).eps if gradient.dtype != torch.float32 else 0.0
        bound = ROUNDING * slope.abs().nan_to_num(0, 0, 0).max() + stored * slope.abs() + stored * 2e-3
        by_gradient = _beyond(gradient.to(torch.float64), slope, bound)
        by_totals = _beyond(totals, exact, ROUNDING * (1 + exact.abs()))
        found = [
            f"{int(beyond.sum())} of {beyond.numel()} numbers of its {name}"
            for name, beyond in (("value", by_totals), ("gradient", by_gradient))
            if bool(beyond.any())
        ]
        if not found:
            return Outcome(elements)
    return Outcome(elements, _differ(found, elements))


def compare_ranks(operator: Any, inputs: Inputs, *, pooled: bool) -> Outcome:
    """The same for ranked errors, in steps that no near tie decides.

    The errors; given these, the sums and the increments; given the increments, the gradient. `operator` is
    `ops.triton.ranks`.
    """
    input, target, _, mask, _ = inputs.tensors
    ignored = inputs.ignore_index if can_hold(target, inputs.ignore_index) else None
    given, elements = (input, target, mask, inputs.link, ignored), input.numel()
    with torch.inference_mode(False), torch.no_grad():
        totals, increments, problem = operator.rank(*given, pooled=pooled, keep_increments=True)
        if bool(problem[0]) or not bool(totals.isfinite().any()):
            return Outcome(elements, is_conclusive=False)
        coefficients = torch.arange(1, totals.numel() + 1, dtype=torch.float64).cos().view_as(totals).to(totals.device)
        gradient = operator.rank_gradient(coefficients, increments.clone(), *given, pooled=pooled).to(torch.float64)
        errors, truth, counts = operator.decoded(*given, pooled=pooled)
    with torch.inference_mode(False), torch.enable_grad():
        own = input.detach().to(torch.float64, copy=True).requires_grad_()
        exact, of_positives, that_count = reference.errors_to_rank(replace(inputs, input=own), pooled=pooled)
        errors, increments = (t.to(torch.float64).view_as(exact) for t in (errors, increments))
        truth, counts = truth.view_as(exact), counts.view_as(exact)
        signed = torch.where(truth, -increments, increments)
        (slope,) = torch.autograd.grad((exact * (signed * coefficients[..., :1])).sum(), own)
        ranked = errors.clone().requires_grad_()
        value = reference.lovasz_extension(ranked, truth, counts)
        (by_error,) = torch.autograd.grad(value.sum(), ranked)
    exact = torch.where(that_count, exact.detach(), 0.0)
    stored = torch.finfo(input.dtype).eps if input.dtype != torch.float32 else 0.0
    sums = torch.stack([value.detach(), truth.sum(-1).to(torch.float64), counts.sum(-1).to(torch.float64)], -1)
    beyond = {
        "labels": (truth != of_positives) | (counts != that_count),
        "errors": _beyond(errors, exact, ROUNDING * exact + 1e-7),
        "value": _beyond(totals, sums, ROUNDING * (1 + sums.abs())),
        "increments": _beyond(signed, torch.where(errors == 0, 0.0, by_error), 1e-6 * by_error.abs() + 1e-30),
        "gradient": _beyond(
            gradient, slope, ROUNDING * slope.abs().nan_to_num(0, 0, 0).max() + stored * (slope.abs() + 2e-3)
        ),
    }
    found = [f"{int(b.sum())} of {b.numel()} numbers of its {name}" for name, b in beyond.items() if bool(b.any())]
    return Outcome(elements, _differ(found, elements) if found else "")


def _differ(found: Sequence[str], elements: int) -> str:
    return f"{' and '.join(found)} differ from plain PyTorch's, on {elements} elements of the input"


def _beyond(a: Tensor, b: Tensor, bound: Tensor) -> Tensor:
    """Where values differ by more than the bound; NaN equals NaN."""
    return ~((a == b) | (a.isnan() & b.isnan()) | ((a - b).abs() <= bound))


def _definition(
    inputs: Inputs, defined: Definition, coefficients: Tensor, dtype: torch.dtype, *, pooled: bool
) -> tuple[Tensor, Tensor]:
    """Totals and their gradient in plain PyTorch, in float64."""
    with torch.enable_grad():
        input = inputs.input.detach().to(dtype, copy=True).requires_grad_()
        totals = defined(replace(inputs, input=input))
        totals = totals.sum(0, keepdim=True) if pooled else totals
        if not totals.requires_grad:
            return totals, torch.zeros_like(input, dtype=torch.float64)
        (slope,) = torch.autograd.grad(totals, input, coefficients)
    return totals.detach(), slope.to(torch.float64)
