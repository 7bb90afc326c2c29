"""Sums of an element-wise formula on the difference of input and target."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from losskit.ops import choice, passes, reference
from losskit.ops.columns import Column, Difference, TermColumn, kernel_columns
from losskit.ops.formula import Program, of_difference
from losskit.ops.inputs import Inputs


def columns(formula: Difference | Program) -> list[Column]:
    """The sums of the weighted values and of the weights."""
    return [TermColumn(formula, "truth"), "count"]


def as_programs(columns: Sequence[Column]) -> list[Column]:
    """The columns of one of several losses that the formula kernel sums in one pass."""
    return [
        column._replace(term=of_difference(*column.term))
        if isinstance(column, TermColumn) and isinstance(column.term, Difference)
        else column
        for column in columns
    ]


def refusal(tensors: dict[str, Tensor | None]) -> str:
    """Why the C kernels cannot be used, or an empty string."""
    input = tensors["input"]
    assert input is not None
    reason = choice.unavailable("native", input) or choice.unfit(tensors)
    return reason or ("" if input.dim() else "a single number")


def totals(owner: str, tensors: dict[str, Tensor | None], difference: Difference) -> tuple[Tensor, Tensor] | None:
    """The sums of the weighted values and of the weights, in float64; None for the fallback to plain PyTorch."""
    reasons: dict[choice.Operator, str] = {"native": refusal(tensors), "triton": choice.NO_DIFFERENCES}
    if choice.choose(owner, 2, reasons) == "reference":
        return None
    planned = kernel_columns(columns(difference))
    assert planned is not None
    value, size = passes.totals(inputs_of(owner, tensors), planned, "native", pooled=True)
    return value.sum(), size.sum()


def defined(parts: Sequence[tuple[Callable[..., tuple[Tensor, Tensor]], Sequence[int]]], inputs: Inputs) -> Tensor:
    """Sums of losses in plain PyTorch, (1, C, K): each item is weighted values, weights, and the places of both."""
    found: dict[int, Tensor] = {}
    for weighed, (of_values, of_weights) in parts:
        values, share = weighed(inputs.input, inputs.target, weight=inputs.weight, mask=inputs.mask)
        values, size = (t.transpose(0, 1).flatten(1).sum(1, dtype=torch.float64) for t in (values, share))
        found |= {of_values: values, of_weights: reference.sized(size, inputs.weight, share)}
    return torch.stack([found[k] for k in sorted(found)], -1).unsqueeze(0)


def inputs_of(owner: str, tensors: dict[str, Tensor | None]) -> Inputs:
    """Input, target, weight and mask, flattened to one row if they have the same layout."""
    input, target = tensors["input"], tensors["target"]
    assert input is not None
    assert target is not None
    weight, mask = tensors["weight"], tensors["mask"]
    shape, size = input.shape, input.numel()
    given = [t for t in tensors.values() if t is not None]
    if all(t.is_contiguous() and t.shape == shape for t in given) or input.dim() == 1:
        input, target = _line(input, size), _line(target, size)
        weight, mask = (None if t is None else _line(t, size) for t in (weight, mask))
    return Inputs(owner, input, target, weight, mask, "difference", -100, True, None, shape)


def _line(tensor: Tensor, size: int) -> Tensor:
    """All elements as one row."""
    return tensor.expand(size).view(1, 1, size) if tensor.dim() == 1 else tensor.view(1, 1, size)
