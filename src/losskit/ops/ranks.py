"""Sums of errors by rank: `losskit::ranks`, the Lovász extension of the Jaccard loss.

totals(inputs) -> (N or 1, C, 3)    Lovász extensions, and counts of positives and of elements
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from losskit.ops import choice, comparison, first_use, native, operators, reference, values
from losskit.ops.inputs import Inputs, can_branch, can_hold
from losskit.ops.operators import Settings, Tensors

_SORTED_AT_ONCE = 2**32  # elements addressable by a 32-bit position
_PLACES = [0, 1, 2]  # all three columns are summed


def totals(inputs: Inputs, *, pooled: bool) -> Tensor:
    """Lovász extensions and counts of positives and of elements, (N, C, 3) in float64; (1, C, 3) if pooled.

    All are NaN if an invalid label is reported later.
    """
    reasons, tried = _reasons(inputs, pooled=pooled)
    with choice.noting(tried.note):
        chosen = choice.choose(inputs.owner, 3, reasons)
    if chosen == "reference":
        bad = _check(inputs)
        result = reference.ranks(inputs, pooled=pooled)
        return result + sum(bad) if bad else result
    late = inputs.input.device.type != "cpu" or not all(t is None or can_branch(t) for t in inputs.tensors)
    settings = Settings(inputs.owner, inputs.link, inputs.ignore_index, _PLACES, [], pooled, chosen, late)
    if inputs.is_plain:
        keep_increments = inputs.input.requires_grad and torch.is_grad_enabled()
        return _Plain.apply(inputs.input, inputs.tensors, settings, keep_increments)  # type: ignore[no-any-return, no-untyped-call]
    return operators.sums("ranks", inputs.tensors, settings)


def _reasons(inputs: Inputs, *, pooled: bool) -> tuple[dict[choice.Operator, str], first_use.Verdict]:
    """Why each fused operator cannot be used, and what was compared."""
    reasons: dict[choice.Operator, str] = {"native": _refusal("native", inputs, pooled=pooled)}
    tried = first_use.Verdict()
    if not (reasons["native"] or choice.is_forced() or choice.is_recorded()):
        return reasons, tried
    reasons["triton"] = _refusal("triton", inputs, pooled=pooled)
    if reasons["native"] and not reasons["triton"] and not choice.is_forced():
        tried = first_use.decided(_form(inputs, pooled=pooled), inputs, lambda part: compared(part, pooled=pooled))
        reasons["triton"] = tried.problem
    return reasons, tried


def _refusal(operator: choice.Operator, inputs: Inputs, *, pooled: bool) -> str:
    reason = choice.refusal(operator, inputs, ([], []))
    if reason:
        return reason
    if operator == "native":
        together = inputs.input.numel() if pooled else inputs.input.shape[2:].numel()
        return "" if together < _SORTED_AT_ONCE else f"more than {_SORTED_AT_ONCE} elements are ranked together"
    from losskit.ops.triton import ranks  # imports Triton, an optional dependency

    return ranks.refusal(inputs.input.shape, inputs.link, pooled=pooled)


def _form(inputs: Inputs, *, pooled: bool) -> first_use.Form:
    """What the Triton kernels are specialized for, besides sizes."""
    input, target, _, mask, _ = inputs.tensors
    ignores = can_hold(target, inputs.ignore_index)
    return (input.device, "ranks", inputs.link, input.dtype, target.dtype, inputs.holds_indices, ignores, mask is None,
            pooled, pooled and input.dim() == 2)  # fmt: skip


def compared(part: Inputs, *, pooled: bool) -> str:
    """The difference between the Triton kernels and plain PyTorch."""
    from losskit.ops.triton import ranks

    first_use.within_limit(lambda: ranks.compile_kernels(part, pooled=pooled))
    outcome = comparison.compare_ranks(ranks, part, pooled=pooled)
    return outcome.problem if outcome.is_conclusive else first_use.NOTHING_TO_COMPARE


def _kernels(settings: Settings) -> Any:
    """The module of the chosen operator: `rank` and `rank_gradient`."""
    if settings.backend == "native":
        return native
    from losskit.ops.triton import ranks

    return ranks


def _or_reference(work: Callable[[], Any], instead: Callable[[], Any], tensors: Tensors, settings: Settings) -> Any:
    """The result of kernels, or that of plain PyTorch after a launch that raised."""
    try:
        return work()
    except Exception as error:
        if settings.backend == "native" or choice.is_forced() or first_use.is_shortage(error):
            raise
        inputs = operators.inputs_of(tensors, settings)
        form = _form(inputs, pooled=settings.pooled)
        first_use.failed((*form, first_use.tile_of(inputs)), settings.owner, error)
        return instead()


def _sums(tensors: Tensors, settings: Settings, *, keep_increments: bool) -> tuple[Tensor, Tensor | None]:
    """The sums and, if kept, the signed per-element increments of the Jaccard loss: the gradient by the errors."""
    input, target, _, mask, _ = tensors

    def ranked() -> Any:
        return _kernels(settings).rank(
            input, target, mask, settings.link, settings.ignored(target), pooled=settings.pooled,
            keep_increments=keep_increments,
        )  # fmt: skip

    def plain() -> Any:
        return operators.sums_by_definition("ranks", tensors, settings).detach(), None, None

    sums, increments, problem = _or_reference(ranked, plain, tensors, settings)
    values.report_problem(settings.owner, input.shape[1], problem, sums, late=settings.late)
    return sums, increments


def _input_gradient(grad: Tensor, increments: Tensor, tensors: Tensors, settings: Settings) -> Tensor:
    """The gradient by the input, which may overwrite the increments."""
    input, target, _, mask, _ = tensors
    given = (grad, increments, input, target, mask, settings.link, settings.ignored(target))
    result: Tensor = _or_reference(
        lambda: _kernels(settings).rank_gradient(*given, pooled=settings.pooled),
        lambda: operators.gradient_by_definition("ranks", grad, tensors, settings), tensors, settings,
    )  # fmt: skip
    return result


def _ranks(tensors: Tensors, settings: Settings) -> Tensor:
    return _sums(tensors, settings, keep_increments=False)[0]


def _gradient(grad: Tensor, tensors: Tensors, settings: Settings) -> Tensor:
    input, target, _, mask, _ = tensors
    ignore = settings.ignored(target)

    def ranked() -> Any:
        return _kernels(settings).rank(
            input, target, mask, settings.link, ignore, pooled=settings.pooled, keep_increments=True
        )[1]

    increments = _or_reference(ranked, lambda: None, tensors, settings)
    if increments is None:
        return operators.gradient_by_definition("ranks", grad, tensors, settings)
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
        ctx.increments = [] if increments is None else [increments]
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
