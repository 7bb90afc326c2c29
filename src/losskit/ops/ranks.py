"""Sums of errors by rank: `losskit::ranks`, the Lovász extension of the Jaccard loss.

totals(inputs) -> (N or 1, C, 3)    Lovász extensions, and counts of positives and of elements
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from losskit.ops import choice, native, operators, reference, values
from losskit.ops.inputs import Inputs, can_branch
from losskit.ops.operators import Settings, Tensors

_SORTED_AT_ONCE = 2**32  # elements addressable by a 32-bit position
_PLACES = [0, 1, 2]  # all three columns are summed


def totals(inputs: Inputs, *, pooled: bool) -> Tensor:
    """Lovász extensions and counts of positives and of elements, (N, C, 3) in float64; (1, C, 3) if pooled.

    All are NaN if an invalid label is reported later.
    """
    reasons: dict[choice.Operator, str] = {
        "native": _refusal(inputs, pooled=pooled),
        "triton": "ranks need a sort, which uses torch.sort on a GPU",
    }
    if choice.choose(inputs.owner, 3, reasons) == "reference":
        bad = _check(inputs)
        result = reference.ranks(inputs, pooled=pooled)
        return result + sum(bad) if bad else result
    late = not all(t is None or can_branch(t) for t in inputs.tensors)
    settings = Settings(inputs.owner, inputs.link, inputs.ignore_index, _PLACES, [], pooled, "native", late)
    if inputs.is_plain:
        keep_increments = inputs.input.requires_grad and torch.is_grad_enabled()
        return _Plain.apply(inputs.input, inputs.tensors, settings, keep_increments)  # type: ignore[no-any-return, no-untyped-call]
    return operators.sums("ranks", inputs.tensors, settings)


def _refusal(inputs: Inputs, *, pooled: bool) -> str:
    reason = choice.refusal("native", inputs, ([], []))
    together = inputs.input.numel() if pooled else inputs.input.shape[2:].numel()
    return reason or ("" if together < _SORTED_AT_ONCE else f"more than {_SORTED_AT_ONCE} elements are ranked together")


def _sums(tensors: Tensors, settings: Settings, *, keep_increments: bool) -> tuple[Tensor, Tensor]:
    """The sums and, if kept, the signed per-element increments of the Jaccard loss: the gradient by the errors."""
    input, target, _, mask, _ = tensors
    sums, increments, problem = native.rank(
        input, target, mask, settings.link, settings.ignored(target), pooled=settings.pooled,
        keep_increments=keep_increments,
    )  # fmt: skip
    values.report_problem(settings.owner, input.shape[1], problem, sums, late=settings.late)
    return sums, increments


def _input_gradient(grad: Tensor, increments: Tensor, tensors: Tensors, settings: Settings) -> Tensor:
    """The gradient by the input, which may overwrite the increments."""
    input, target, _, mask, _ = tensors
    ignore = settings.ignored(target)
    return native.rank_gradient(
        grad, increments, input, target, mask, settings.link, ignore, pooled=settings.pooled
    )  # fmt: skip


def _ranks(tensors: Tensors, settings: Settings) -> Tensor:
    return _sums(tensors, settings, keep_increments=False)[0]


def _gradient(grad: Tensor, tensors: Tensors, settings: Settings) -> Tensor:
    input, target, _, mask, _ = tensors
    ignore = settings.ignored(target)
    _, increments, _ = native.rank(
        input, target, mask, settings.link, ignore, pooled=settings.pooled, keep_increments=True
    )  # fmt: skip
    return _input_gradient(grad, increments, tensors, settings)


def _reference(inputs: Inputs, settings: Settings) -> Tensor:
    return reference.ranks(inputs, pooled=settings.pooled)


def _check(inputs: Inputs) -> list[Tensor]:
    return values.check(inputs) + values.check_hard(inputs)


operators.register("ranks", _ranks, _gradient, _reference, _check, additive=False)


class _Plain(torch.autograd.Function):
    """The operator outside transforms: the sort of the forward pass also yields the increments."""

    @staticmethod
    def forward(ctx: Any, input: Tensor, tensors: Tensors, settings: Settings, keep_increments: bool) -> Tensor:  # noqa: ARG004
        values.raise_pending()
        sums, increments = _sums(tensors, settings, keep_increments=keep_increments)
        ctx.save_for_backward(*tensors)
        ctx.settings = settings
        ctx.increments = [increments] if keep_increments else []
        return sums

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        tensors, settings = ctx.saved_tensors, ctx.settings
        if torch.is_grad_enabled():
            gradient = operators.gradient("ranks", grads[0], tensors, settings)
        elif ctx.increments:  # overwritten, so usable only once
            gradient = _input_gradient(grads[0], ctx.increments.pop(), tensors, settings)
        else:
            gradient = _gradient(grads[0], tensors, settings)
        return gradient, None, None, None
