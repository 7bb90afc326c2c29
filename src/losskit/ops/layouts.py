"""The properties of tensors that a plan depends on, and whether plans can be used at all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from losskit.ops import choice

_PLAIN = (Tensor, nn.Parameter)
_is_wrapped = torch._C._functorch.is_functorch_wrapped_tensor  # also true of a tensor that escaped a transform


def serves_plain_code() -> bool:
    """Whether the call runs in plain eager mode."""
    return not (
        torch.compiler.is_compiling()
        or torch._C._functorch.peek_interpreter_stack() is not None
        or torch._C._len_torch_dispatch_stack()
        or torch._C._len_torch_function_stack()
        or torch.autograd.forward_ad._current_level >= 0
        or choice.refuse_tracing()
        or choice.is_forced()
    )


def layout_of(input: Any, target: Any, weight: Any, mask: Any) -> tuple[Any, ...] | None:
    """What a plan depends on, for plain tensors with memory on one device; None for any others."""
    if type(input) not in _PLAIN or type(target) not in _PLAIN:
        return None
    here = input.device
    if not (input.is_cpu and target.is_cpu) and not (input.is_cuda and target.device == here):
        return None
    if target.requires_grad or input.is_neg() or target.is_neg() or input.layout is not torch.strided:
        return None
    if target.layout is not torch.strided or _is_wrapped(input) or _is_wrapped(target):
        return None
    known: tuple[Any, ...] = (
        here, input.shape, input.stride(), input.dtype, input.requires_grad and torch.is_grad_enabled(),
        target.shape, target.stride(), target.dtype,
    )  # fmt: skip
    if weight is None and mask is None:
        return known
    for tensor in (weight, mask):
        if tensor is None:
            known += (None,)
            continue
        if type(tensor) not in _PLAIN or tensor.device != here or tensor.requires_grad or tensor.is_neg():
            return None
        if tensor.layout is not torch.strided or _is_wrapped(tensor):
            return None
        known += (tensor.shape, tensor.stride(), tensor.dtype)
    return known


def layout_of_option(option: Tensor, device: torch.device) -> Any:
    """The same for an option (C,) whose values each call reads; False if kernels cannot read it."""
    fits = type(option) in _PLAIN and option.device == device and not option.requires_grad and option.dim() == 1
    if not fits or option.dtype not in (torch.float32, torch.float64) or option.is_neg() or _is_wrapped(option):
        return False
    return option.shape, option.stride(), option.dtype


def layout_of_number(number: Tensor) -> Any:
    """The same of a tensor of one number, which may take a gradient; False where kernels cannot."""
    fits = type(number) in _PLAIN and number.is_cpu and number.dim() == 0 and not number.is_neg()
    if not fits or number.dtype not in (torch.float32, torch.float64) or _is_wrapped(number):
        return False
    return number.dtype, number.requires_grad and torch.is_grad_enabled()


def layout_of_tensor(tensor: Tensor | None) -> Any:
    return None if tensor is None else (tensor.shape, tensor.stride(), tensor.dtype, tensor.device)


def are_laid_out(tensors: Sequence[Tensor | None], layouts: Sequence[Any]) -> bool:
    """Whether tensors have these layouts. A saved-tensor hook may return others than were saved."""
    for tensor, known in zip(tensors, layouts, strict=True):
        if tensor is None:
            if known is not None:
                return False
        elif (tensor.shape, tensor.stride(), tensor.dtype, tensor.device) != known:
            return False
    return True
