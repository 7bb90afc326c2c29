"""PyTorch's CTC loss as an operator with fixed shapes, for torch.compile and vmap, with its exact derivative."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def ctc(
    log_probs: Tensor, targets: Tensor, input_lengths: Tensor, target_lengths: Tensor, blank: int, zero_infinity: bool
) -> Tensor:
    """Per-sample losses (N,), for log_probs (T, N, C) and targets (N, S) or concatenated."""
    given = (log_probs, targets, input_lengths, target_lengths, blank, zero_infinity)
    losses: Tensor = _CTC.apply(*given)[0] if torch.is_grad_enabled() else _ctc(*given, False)[0]  # type: ignore[no-untyped-call]
    return losses


@torch.library.custom_op("losskit::ctc", mutates_args=())
def _ctc(
    log_probs: Tensor,
    targets: Tensor,
    input_lengths: Tensor,
    target_lengths: Tensor,
    blank: int,
    zero_infinity: bool,
    derive: bool,
) -> tuple[Tensor, Tensor]:
    """Per-sample losses and, if `derive`, their derivative, (T, N, C)."""
    given = (log_probs, targets, input_lengths, target_lengths)
    losses, log_alpha = torch.ops.aten._ctc_loss.Tensor(*given, blank, zero_infinity)
    derivative = log_probs.new_empty(0)
    if derive:
        ones = torch.ones_like(losses)
        derivative = torch.ops.aten._ctc_loss_backward.Tensor(ones, *given, losses, log_alpha, blank, zero_infinity)
        # PyTorch adds a term that the derivative of log_softmax subtracts; removing it gives the exact derivative.
        steps = torch.arange(log_probs.shape[0], device=log_probs.device).unsqueeze(1)
        read = (steps < input_lengths.to(log_probs.device)) & (losses != torch.inf)  # (T, N)
        derivative = torch.where(read.unsqueeze(2), derivative - log_probs.exp(), derivative)
    if zero_infinity:
        losses = torch.where(losses == torch.inf, 0.0, losses)
    return losses.clone(), derivative.contiguous()


@_ctc.register_fake
def _(log_probs: Tensor, *given: Any) -> tuple[Tensor, Tensor]:
    derivative = torch.empty_like(log_probs, memory_format=torch.contiguous_format) if given[-1] else None
    return log_probs.new_empty(log_probs.shape[1]), log_probs.new_empty(0) if derivative is None else derivative


@_ctc.register_vmap
def _(
    info: Any,
    in_dims: tuple[Any, ...],
    log_probs: Tensor,
    targets: Tensor,
    input_lengths: Tensor,
    target_lengths: Tensor,
    blank: int,
    zero_infinity: bool,
    derive: bool,
) -> tuple[tuple[Tensor, Tensor], tuple[int, int | None]]:
    """Fold the vmap dimension into the samples."""
    size = info.batch_size
    given = [
        t.expand(size, *t.shape) if dim is None else t.movedim(dim, 0)
        for t, dim in zip((log_probs, targets, input_lengths, target_lengths), in_dims, strict=False)
    ]
    folded = given[0].transpose(0, 1).flatten(1, 2)  # (T, B N, C)
    losses, derivative = _ctc(folded, *(t.flatten(0, 1) for t in given[1:]), blank, zero_infinity, derive)
    losses = losses.unflatten(0, (size, -1))
    if not derive:
        return (losses, derivative), (0, None)
    return (losses, derivative.unflatten(1, (size, -1)).transpose(0, 1)), (0, 0)


class _CTC(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(
        log_probs: Tensor,
        targets: Tensor,
        input_lengths: Tensor,
        target_lengths: Tensor,
        blank: int,
        zero_infinity: bool,
    ) -> tuple[Tensor, Tensor]:
        result: tuple[Tensor, Tensor] = _ctc(
            log_probs, targets, input_lengths, target_lengths, blank, zero_infinity, True
        )
        return result

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
        ctx.mark_non_differentiable(output[1])
        ctx.save_for_backward(output[1], inputs[0])

    @staticmethod
    def backward(ctx: Any, grad: Tensor, _: Any) -> tuple[Any, ...]:
        return _Backward.apply(grad, *ctx.saved_tensors), None, None, None, None, None  # type: ignore[no-untyped-call]


class _Backward(torch.autograd.Function):
    """The derivative as a function of log_probs too, so that a second derivative raises instead of being 0."""

    generate_vmap_rule = True

    @staticmethod
    def forward(grad: Tensor, derivative: Tensor, log_probs: Tensor) -> Tensor:  # noqa: ARG004
        return grad.view(1, -1, 1) * derivative

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        """Nothing is saved."""

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        raise NotImplementedError("CTCLoss supports first derivatives only, but a second derivative was requested.")
