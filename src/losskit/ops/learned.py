"""Plans of losses whose formula reads 0-dim tensors, such as learned options. Their gradients are sums of the pass."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from typing_extensions import Self

from losskit.ops.finish import LossStruct
from losskit.ops.plan import Call, FusedLoss, Plan


class PlanOfNumbers(Plan):
    """A plan whose programs read the values of 0-dim tensors, set in each call."""

    differentiated: tuple[str, ...] = ()  # the numbers that require gradients: one part each, after that of the loss

    def differentiating(self, names: Sequence[str]) -> Self:
        """The same plan, with gradients by these numbers."""
        self.differentiated = tuple(names)
        return self

    def with_numbers(self, numbers: Mapping[str, Tensor]) -> Self:
        """The plan of one call."""
        twin = object.__new__(type(self))
        twin.__dict__.update(self.__dict__)
        twin.struct = LossStruct.from_buffer_copy(self.struct)
        twin.struct.call.number = type(self.struct.call.number)(*[number.item() for number in numbers.values()])
        twin.address = ctypes.byref(twin.struct)
        return twin

    def __call__(self, call: Call) -> Tensor:
        if not self.differentiated:
            return super().__call__(call)
        assert call.numbers is not None
        call.values = torch.empty(1 + len(self.differentiated), dtype=self.number.dtype, device="cpu")
        value: Tensor = _apply(call.input, call, *call.numbers.values())
        return value


class FusedLossOfNumbers(FusedLoss):
    """The whole loss as one node, with gradients by the input and by numbers."""

    @staticmethod
    def forward(ctx: Any, input: Tensor, call: Call, *numbers: Tensor) -> Tensor:
        assert call.numbers is not None
        tensors = input, call.target, call.weight, call.mask
        names, values = tuple(call.numbers), call.values
        call.numbers = None  # saved by autograd
        if input.requires_grad:
            value = FusedLoss.forward(ctx, input, call)
        else:
            value = call.plan.evaluate(call, None, None, call.plan.mode)
            call.input = call.target = call.weight = call.mask = call.values = None  # type: ignore[assignment]
        ctx.save_for_backward(*tensors, *numbers)
        ctx.call, ctx.names, ctx.values = call, names, values
        return value

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        tensors, call = ctx.saved_tensors, ctx.call
        call.numbers = dict(zip(ctx.names, tensors[4:], strict=True))
        if torch.is_grad_enabled():
            return _differentiated(ctx, tensors, call, grad)
        by_input = FusedLoss.gradient(tensors[:4], call, grad) if ctx.needs_input_grad[0] else None
        values = dict(zip(call.plan.differentiated, ctx.values[1:], strict=True))
        by_numbers = [(grad * values[name]).to(t.dtype) if name in values else None for name, t in call.numbers.items()]
        return by_input, None, *by_numbers


_apply: Callable[..., Tensor] = super(torch.autograd.Function, FusedLossOfNumbers).apply


def _differentiated(ctx: Any, tensors: Any, call: Call, grad: Tensor) -> tuple[Tensor | None, ...]:
    """The gradients with a graph of their own, for a second derivative."""
    again = call.with_tensors(tensors[:4])
    with torch.enable_grad():
        value = again.by_operators()
    wanted = [ctx.needs_input_grad[0], False, *ctx.needs_input_grad[2:]]
    inputs = [tensor for tensor, needed in zip((again.input, None, *tensors[4:]), wanted, strict=True) if needed]
    found = iter(torch.autograd.grad(value, inputs, grad, create_graph=True, materialize_grads=True))
    return tuple(next(found) if needed else None for needed in wanted)
