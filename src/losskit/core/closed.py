"""Losses in closed form: the value and its derivatives at once, in plain eager code of float32 on the CPU.

The definition of a loss serves everything else: compilation, transforms, second derivatives, weights, masks, other
reductions, dtypes and devices, and labels that do not count or are an error.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from losskit.core.passes import REPLACED
from losskit.ops.layouts import layout_of, serves_plain_code
from losskit.ops.values import pending, raise_pending

Closed = tuple[Tensor, Sequence[Tensor | None]]  # the value, and its derivatives by the input and by learned tensors
_DEFINING = REPLACED | {"own_columns", "per_position", "prepare"}


def closed(loss: Any, input: Any, target: Any) -> Tensor | None:
    """The loss by its closed form, or None where its definition serves."""
    if not serves_plain_code():
        return None
    if pending():
        raise_pending()
    if layout_of(input, target, None, None) is None or not input.is_cpu or input.dtype != torch.float32:
        return None
    if not _is_plain(loss) or not input.numel():
        return None
    learned = loss.learned_tensors()
    derive = torch.is_grad_enabled() and (input.requires_grad or any(tensor.requires_grad for tensor in learned))
    with torch.no_grad():
        found = loss.closed_form(input, target, derive)
    if found is None or not derive:
        return None if found is None else found[0]
    result: Tensor = _apply(input, _Call(loss, target, found), *learned)
    return result


def _is_plain(loss: Any) -> bool:
    """Whether the closed form computes what the loss defines, with its options."""
    if not type(loss).__module__.startswith("losskit.") or loss.reduction != "mean":
        return False
    return getattr(loss, "class_weight", None) is None and vars(loss).keys().isdisjoint(_DEFINING)


class _Call:
    """What a call leaves for the backward pass."""

    def __init__(self, loss: Any, target: Tensor, found: Closed) -> None:
        self.loss, self.generation, self.target = loss, loss.generation, target
        self.value = found[0]
        self.gradients: Sequence[Tensor | None] | None = found[1]

    def check_options(self) -> None:
        """Raise where the loss is no longer that of the forward pass."""
        if self.loss.generation != self.generation:
            raise RuntimeError(
                f"{self.loss.name}: an option was changed between the forward pass and a second backward pass. Change "
                "options after the last backward pass."
            )


class _Closed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, input: Tensor, call: _Call, *learned: Tensor) -> Tensor:
        ctx.save_for_backward(input, call.target, *learned)
        ctx.call = call
        value, call.value, call.target = call.value, None, None  # type: ignore[assignment] # autograd holds them
        return value

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        tensors, call = ctx.saved_tensors, ctx.call
        if torch.is_grad_enabled():
            wanted = ctx.needs_input_grad[:1] + ctx.needs_input_grad[2:]
            return _scaled(_differentiated(call, tensors, wanted), grad, in_place=False)
        gradients, call.gradients = call.gradients, None  # autograd may write to what it is given
        if gradients is None:
            call.check_options()
            gradients = call.loss.closed_form(*tensors[:2], True)[1]
        batched = torch._C._functorch.is_batchedtensor(grad) or torch._C._functorch.is_legacy_batchedtensor(grad)
        return _scaled(gradients, grad, in_place=not batched)


def _scaled(gradients: Sequence[Tensor | None], grad: Tensor, *, in_place: bool) -> tuple[Tensor | None, ...]:
    first, *rest = gradients
    if first is not None:
        if not in_place:
            first = first * grad
        elif (upstream := grad.item()) != 1:
            first = first.mul_(upstream)
    return first, None, *(None if each is None else each * grad.to(each.dtype) for each in rest)


def _differentiated(call: _Call, tensors: Sequence[Any], wanted: Sequence[bool]) -> list[Tensor | None]:
    """The derivatives of the definition, with a graph of their own."""
    call.check_options()
    input, target, *learned = tensors
    with torch.enable_grad():
        value = call.loss.defined(input, target)
    asked = [tensor for tensor, needs in zip((input, *learned), wanted, strict=True) if needs]
    found = iter(torch.autograd.grad(value, asked, create_graph=True, allow_unused=True))
    return [next(found) if needs else None for needs in wanted]


# Function.apply looks for functorch first, which the guards have done.
_apply: Callable[..., Tensor] = super(torch.autograd.Function, _Closed).apply
