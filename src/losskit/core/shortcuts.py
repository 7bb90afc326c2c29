"""Shortcuts: faster computations of a plain call, with the same numbers as the definition of the loss.

`closed` computes the value and its derivatives together, in float32 on the CPU. The definition computes everything
else: compilation, transforms, second derivatives, weights, masks, other reductions, dtypes and devices, and ignored or
invalid labels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from types import FunctionType
from typing import Any

import torch
from torch import Tensor, nn

from losskit.ops import accelerated, choice
from losskit.ops.layouts import serves_plain_code
from losskit.ops.values import pending, raise_pending

Closed = tuple[Tensor, Sequence[Tensor | None]]  # the value, and its derivatives by the tensors and by learned ones
_PLAIN = (Tensor, nn.Parameter)
_is_wrapped = torch._C._functorch.is_functorch_wrapped_tensor


def closed(loss: Any, *tensors: Any) -> Tensor | None:
    """The loss by its closed form, or None if the definition must compute it."""
    if not serves_plain_code():
        return None
    if pending():
        raise_pending()
    if not _are_plain(tensors) or not is_defined_here(loss) or loss.reduction != "mean":
        return None
    learned = loss.learned_tensors() if hasattr(type(loss), "learned_tensors") else ()
    every = (*tensors, *learned)
    derive = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in every)
    with torch.no_grad():
        found = loss.closed_form(*tensors, derive=derive)
    if found is None:
        return None
    value: Tensor = found[0]
    gradients = [*found[1], *[None] * (len(every) - len(found[1]))]
    if derive and any(tensor.requires_grad and each is None for tensor, each in zip(every, gradients, strict=True)):
        return None
    if not hasattr(type(loss), "is_kernel"):  # a kernel records its own pass
        choice.record_closed_form(loss.name, derive=derive)
    if not derive:
        return value
    compiled = accelerated.node()
    if compiled is not None:
        call = _Call(loss, len(tensors), None, None)
        connected: Tensor = compiled.attach(value, every, gradients, call, _gradients)
        return connected
    result: Tensor = _apply(_Call(loss, len(tensors), value, gradients), *every)
    return result


def _are_plain(tensors: Sequence[Any]) -> bool:
    for tensor in tensors:
        if type(tensor) not in _PLAIN or not tensor.is_cpu or tensor.layout is not torch.strided:
            return False
        if tensor.is_neg() or tensor.is_complex() or _is_wrapped(tensor):
            return False
    first = tensors[0]
    return bool(first.dtype == torch.float32 and first.numel() > 0)


def is_defined_here(loss: Any) -> bool:
    """Whether this is a catalogue loss without class weights, replaced methods or options that need a gradient."""
    cls: Any = type(loss)
    if not cls.__module__.startswith("losskit."):
        return False
    own, buffers = vars(loss), vars(loss)["_buffers"]
    if own.get("class_weight") is not None or "class_weight" in buffers:
        return False
    if buffers and any(each is not None and each.requires_grad for each in buffers.values()):
        return False
    return _methods(cls).isdisjoint(own)


@cache
def _methods(cls: Any) -> frozenset[str]:
    """The names of what an instance can replace: methods and properties."""
    kinds = (FunctionType, property)
    return frozenset(name for base in cls.__mro__ for name, value in vars(base).items() if isinstance(value, kinds))


class _Call:
    """What the forward pass keeps for the backward pass."""

    def __init__(self, loss: Any, count: int, value: Tensor | None, gradients: Any) -> None:
        self.loss, self.generation, self.count = loss, loss.generation, count
        self.value: Tensor | None = value
        self.gradients: Sequence[Tensor | None] | None = gradients

    def check_options(self) -> None:
        """Raise an error if an option has changed since the forward pass."""
        if self.loss.generation != self.generation:
            raise RuntimeError(
                f"{self.loss.name}: an option was changed between the forward pass and a second backward pass. Change "
                "options after the last backward pass."
            )


class ClosedForm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, call: _Call, *tensors: Tensor) -> Any:
        ctx.save_for_backward(*tensors)
        ctx.call = call
        value, call.value = call.value, None
        return value

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        call = ctx.call
        gradients, call.gradients = call.gradients, None  # autograd may write to returned gradients
        return None, *_gradients(call, ctx.saved_tensors, gradients, 1.0, grads[0], ctx.needs_input_grad[1:])


def _gradients(
    call: _Call, tensors: Sequence[Any], gradients: Sequence[Tensor | None] | None, scale: float, grad: Tensor,
    needed: Sequence[bool],
) -> list[Tensor | None]:  # fmt: skip
    """The gradients by the tensors, from those of the forward pass if these are still there."""
    if torch.is_grad_enabled():
        return _differentiated(call, tensors, needed, grad)
    if gradients is None:
        call.check_options()
        gradients = call.loss.closed_form(*tensors[: call.count], derive=True)[1]
        gradients = [*gradients, *[None] * (len(tensors) - len(gradients))]
    if torch._C._functorch.is_batchedtensor(grad) or torch._C._functorch.is_legacy_batchedtensor(grad):
        return [None if each is None else each * grad for each in gradients]
    upstream = grad.item() * scale
    return [each if each is None or upstream == 1 else each.mul_(upstream) for each in gradients]


def _differentiated(call: _Call, tensors: Sequence[Any], wanted: Sequence[bool], grad: Tensor) -> list[Tensor | None]:
    """The derivatives of the definition, with a graph for second derivatives."""
    call.check_options()
    with torch.enable_grad():
        value = getattr(call.loss, "defined", call.loss.reduced)(*tensors[: call.count])
    asked = [tensor for tensor, needs in zip(tensors, wanted, strict=True) if needs]
    found = iter(torch.autograd.grad(value, asked, grad, create_graph=True, allow_unused=True))
    return [next(found) if needs else None for needs in wanted]


# Function.apply checks for functorch first; `closed` has already done so.
_apply: Callable[..., Tensor] = super(torch.autograd.Function, ClosedForm).apply
