"""Launches that a plan prepares, so that a call supplies addresses and nothing else.

The first call passes tensors to Triton, which compiles each kernel or loads it from its cache. Later calls pass
addresses to the compiled kernels, which takes a fraction of the time. Triton compiles for what it was given: a call
with an address that is no multiple of 16, on another current device, or under a profiler of launches goes through
Triton again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from operator import itemgetter
from typing import Any

import torch
from torch import Tensor

from losskit.ops.triton.kernels.hooks import runtime
from losskit.ops.triton.launch import Launch, launch

_UNALIGNED = 15  # bits of an address; Triton compiles for addresses in which they are 0
_PIECE = 256  # bytes to which each tensor of an allocation is aligned


def stream_of(device: torch.device) -> int | None:
    """The current stream of a device, for prepared launches; None where launches must go through Triton."""
    for hook in (runtime.launch_enter_hook, runtime.launch_exit_hook):
        if getattr(hook, "calls", hook):  # of a profiler
            return None
    if device.type != "cuda" or torch._C._cuda_getDevice() != device.index:
        return None
    stream: int = torch._C._cuda_getCurrentRawStream(device.index)
    return stream


def addresses_of(tensors: Sequence[Tensor | None]) -> tuple[list[int | None], bool]:
    """The address of each tensor, and whether all are aligned as Triton expects."""
    found: list[int | None] = []
    bits = 0
    for tensor in tensors:
        address = None if tensor is None else tensor.data_ptr()
        bits |= address or 0
        found.append(address)
    return found, not bits & _UNALIGNED


def bytes_of(tensors: Sequence[Tensor | None]) -> list[Tensor | None]:
    """The tensors, with bool as uint8."""
    return [t.view(torch.uint8) if t is not None and t.dtype == torch.bool else t for t in tensors]


class _Step:
    """A launch whose arguments are places among the values of a call."""

    def __init__(self, one: Launch, places: Sequence[int]) -> None:
        self.kernel, self.programs, _, self.options = one
        self.pick = itemgetter(*places)
        self.constants = tuple(one.options[name] for name in one.kernel.arg_names[len(places) :])
        self.run: Any = None  # of the compiled kernel
        self.function: Any = None
        self.metadata: Any = None


class Steps:
    """The launches of a forward or of a backward pass."""

    def __init__(self, launches: Sequence[Launch], places: Sequence[Sequence[int]]) -> None:
        self.steps = [_Step(one, of_one) for one, of_one in zip(launches, places, strict=True)]
        self.are_prepared = False

    def first(self, supplied: Sequence[Any], *, are_aligned: bool, only_compiled: bool = False) -> None:
        """Launch by Triton, given tensors; prepare later launches if these are aligned."""
        prepares = are_aligned and not only_compiled
        for step in self.steps:
            arguments = step.pick(supplied)
            made = launch(step.kernel, step.programs, arguments, step.options, only_compiled=only_compiled)
            if prepares:
                step.run = getattr(made, "run", None)
                step.function, step.metadata = getattr(made, "function", None), getattr(made, "packed_metadata", None)
        if prepares:
            self.are_prepared = all(step.run is not None and step.function is not None for step in self.steps)

    def again(self, stream: int, supplied: Sequence[Any]) -> None:
        """Launch the compiled kernels, given addresses."""
        for step in self.steps:
            step.run(
                step.programs, 1, 1, stream, step.function, step.metadata, None, None, None,
                *step.pick(supplied), *step.constants,
            )  # fmt: skip


class Room:
    """The named tensors of one allocation."""

    def __init__(self) -> None:
        self.pieces: dict[str, tuple[int, Sequence[int], torch.dtype]] = {}
        self.offsets: list[int] = []
        self.size = 0

    def add(self, name: str, shape: Sequence[int], dtype: torch.dtype) -> None:
        self.pieces[name] = self.size, shape, dtype
        self.offsets.append(self.size)
        self.size += -(-math.prod(shape) * dtype.itemsize // _PIECE) * _PIECE

    def tensors(self, memory: Tensor) -> list[Tensor]:
        return [self.tensor(memory, name) for name in self.pieces]

    def tensor(self, memory: Tensor, name: str) -> Tensor:
        start, shape, dtype = self.pieces[name]
        return memory[start : start + math.prod(shape) * dtype.itemsize].view(dtype).view(*shape)
