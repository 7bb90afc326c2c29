"""The tensors and options of a loss in the form common to all operators."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor

# log_softmax: the input holds log-probabilities; difference: the target holds real numbers, not labels
NO_LABEL = torch.iinfo(torch.int64).min  # an `ignore_index` that ignores nothing
Link = Literal["sigmoid", "softmax", "log_softmax", "difference"]


@dataclass(frozen=True, eq=False)
class Inputs:
    """Tensors as passed by the caller, with the shapes below. Constructed only by `losskit.core.contract`."""

    owner: str  # the loss, for messages
    input: Tensor  # (N, C, *)
    target: Tensor  # (N, *) class indices, or (N, C, *)
    weight: Tensor | None  # broadcasts to (N, C, *)
    mask: Tensor | None  # bool, broadcasts to (N, C, *)
    link: Link
    ignore_index: int
    from_logits: bool
    logit_bias: Tensor | None  # (C,), added to the logits of each position
    output_shape: torch.Size  # for reduction="none": (N, *) under softmax, the shape of the input under sigmoid

    @property
    def holds_indices(self) -> bool:
        return self.target.dim() == self.input.dim() - 1

    @property
    def tensors(self) -> tuple[Tensor, Tensor, Tensor | None, Tensor | None, Tensor | None]:
        return self.input, self.target, self.weight, self.mask, self.logit_bias

    @property
    def num_classes(self) -> int:
        return self.input.shape[1]

    @property
    def is_plain(self) -> bool:
        """Whether every tensor has memory: no compilation, no transform and no fake tensors."""
        if torch.compiler.is_compiling() or torch._C._functorch.peek_interpreter_stack() is not None:
            return False
        for tensor in self.tensors:
            if tensor is None:
                continue
            if torch._C._functorch.is_functorch_wrapped_tensor(tensor) or isinstance(tensor, FakeTensor):
                return False
        return True

    def equals(self, other: Inputs) -> bool:
        """Whether one pass can compute both, given that both have the same tensors."""
        return (
            self.link == other.link
            and self.ignore_index == other.ignore_index
            and self.from_logits == other.from_logits
            and self.logit_bias is other.logit_bias
        )


def computing_dtype(tensor: Tensor) -> torch.dtype:
    """float32 for half precision, otherwise the dtype of the tensor; for complex tensors, that of the real part."""
    dtype = tensor.real.dtype if tensor.is_complex() else tensor.dtype
    return torch.float32 if dtype in (torch.float16, torch.bfloat16) else dtype


def summing_dtype(tensor: Tensor) -> torch.dtype:
    """Sums use float64, if the device supports it."""
    return torch.float32 if tensor.device.type == "mps" else torch.float64


def can_branch(tensor: Tensor) -> bool:
    """Whether Python may read the values: eager code on the CPU, outside vmap."""
    if torch.compiler.is_compiling() or tensor.device.type != "cpu" or isinstance(tensor, FakeTensor):
        return False
    while torch._C._functorch.is_functorch_wrapped_tensor(tensor):
        if torch._C._functorch.is_batchedtensor(tensor):
            return False
        tensor = torch._C._functorch.get_unwrapped(tensor)
    return True


def can_hold(tensor: Tensor, value: int) -> bool:
    """Whether this dtype can represent the value: comparing uint8 with -100 would match 156."""
    if tensor.dtype == torch.bool:
        return False
    if tensor.is_floating_point():
        return True
    limits = torch.iinfo(tensor.dtype)
    return limits.min <= value <= limits.max
