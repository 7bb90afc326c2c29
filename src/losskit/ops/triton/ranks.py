"""Losses of ranked errors on a GPU: four launches and one sort of the keys of all classes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from losskit.ops.inputs import Inputs, can_hold
from losskit.ops.triton.kernels import ranks as kernels
from losskit.ops.triton.launch import LARGEST_TILE, LINE, TILE, WHOLE_TILE, Work, on, power_of_two

MOST_CLASSES = LARGEST_TILE  # of softmax, which a tile contains
MOST_BITS = 31  # of the number of a group and a position in it, whose key has 64 bits
_TILE = 1024  # keys
_SIZE = 8  # tiles of a program
_MOST_CHUNKS = 4096  # of a group


def refusal(shape: Sequence[int], link: str, *, pooled: bool) -> str:
    """Why a batch of this shape cannot be ranked, or an empty string."""
    if link == "softmax" and power_of_two(shape[1]) > MOST_CLASSES:
        return f"the errors of more than {MOST_CLASSES} classes"
    n, c, s = shape[0], shape[1], math.prod(shape[2:])
    groups, places = (c, n * s) if pooled else (n * c, s)
    bits = (groups - 1).bit_length() + (places - 1).bit_length()
    return f"the keys of so many elements have more than {64 - 1} bits" if bits > MOST_BITS else ""


class _Ranked(Work):
    """The launches of one call."""

    def __init__(
        self, input: Tensor, target: Tensor, mask: Tensor | None, link: str, ignore: int | None, *, pooled: bool,
        coefficients: Tensor | None = None, only_compiled: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(
            input, target, None, mask, None, link, ignore, (0, 1, 2), (), pooled, coefficients is None, coefficients,
            only_compiled=only_compiled,
        )  # fmt: skip
        self.groups, self.places = (self.c, self.n * self.s) if pooled else (self.n * self.c, self.s)
        self.place_bits = (self.places - 1).bit_length()
        self.of_sample = self.s if pooled else self.c * self.places  # between samples, in keys and increments

    def stored(self, memory: Tensor) -> Any:
        """Keys or increments as an argument of kernels."""
        return memory, self.of_sample, self.places, 1

    def reads(self) -> tuple[int, tuple[Any, ...], dict[str, Any]]:
        """Programs, sizes and options of a kernel that reads the input."""
        if self.link == "softmax":
            block = power_of_two(self.c)
            line = min(LINE, power_of_two(self.s)) if self._positions_adjacent() else 1
            positions = min(max(line, WHOLE_TILE // block), power_of_two(self.s), max(1, LARGEST_TILE // block))
        else:
            block, positions = self._tile()
            block = min(block, TILE)
        blocks = -(-self.c // block)
        tiles, size, chunks = self._cut(block, positions)
        numbers = self.c, self.s, tiles, size, chunks, blocks, self.ignore or 0, self.rounding
        options = {
            **self._target_options(),
            "WIDE": self._column_options(positions)["WIDE"],
            "CB": block,
            "P": positions,
        }
        return self.n * blocks * chunks, numbers, options

    def keys(self) -> tuple[Tensor, Tensor]:
        """The key of each element, (groups, places), and the problems that programs detected."""
        programs, numbers, options = self.reads()
        keys = torch.empty((self.groups, self.places), dtype=torch.int64, device=self.device)
        problems = torch.empty(programs, dtype=torch.int64, device=self.device)
        kernel = kernels.softmax_errors if self.link == "softmax" else kernels.sigmoid_errors
        self._launch(
            kernel, programs, self.input, self.target, self.mask, self.stored(keys), problems, *numbers,
            POOLED=self.pooled, PLACE_BITS=self.place_bits, **options,
        )  # fmt: skip
        return keys, problems

    def sums(self, keys: Tensor, problems: Tensor, *, keep: bool) -> tuple[Tensor, Tensor | None, Tensor]:
        """Totals, signed increments and the first problem."""
        tile = min(_TILE, power_of_two(self.places))
        tiles = -(-self.places // tile)
        size = min(max(_SIZE, -(-tiles // _MOST_CHUNKS)), tiles)
        chunks = -(-tiles // size)
        sorted = keys.view(-1).sort().values
        found = torch.empty((self.groups * chunks, 2), dtype=torch.int64, device=self.device)
        sizes = self.places, size, chunks
        programs = self.groups * chunks
        options: dict[str, Any] = {"PLACE_BITS": self.place_bits, "TILE": tile}
        self._launch(kernels.count_labels, programs, sorted, found, *sizes, **options)
        kept = torch.empty((self.groups, self.places), dtype=torch.float32, device=self.device) if keep else None
        shape = (chunks if self.pooled else self.n * chunks, self.c, 3)
        partials = torch.empty(shape, dtype=torch.float64, device=self.device)
        self._launch(
            kernels.increments, programs, sorted, found, kept, partials, *sizes, self.c,
            POOLED=self.pooled, KEEP=keep, CHUNKS=min(power_of_two(chunks), 1024), **options,
        )  # fmt: skip
        totals, problem = self._reduced(partials, problems)
        return totals, kept, problem

    def gradient_of(self, increments: Tensor) -> Tensor:
        programs, numbers, options = self.reads()
        given = self.gradient, self.stored(increments), self.coefficients
        if self.link == "softmax":
            inputs = self.input, self.target, self.mask
            self._launch(kernels.softmax_rank_gradient, programs, *inputs, *given, *numbers, **options)
        else:
            options = {name: options[name] for name in ("WIDE", "CB", "P")}
            self._launch(kernels.sigmoid_rank_gradient, programs, *given, *numbers[:6], **options)
        assert self.made is not None
        return self.made


def rank(
    input: Tensor, target: Tensor, mask: Tensor | None, link: str, ignore: int | None, *, pooled: bool,
    keep_increments: bool,
) -> tuple[Tensor, Tensor | None, Tensor]:  # fmt: skip
    """Lovász extensions, counts of positives and of elements, (N or 1, C, 3), and signed increments per element.

    The first invalid label is (kind, value), on the device.
    """
    work = _Ranked(input, target, mask, link, ignore, pooled=pooled)
    with on(work.device):
        return work.sums(*work.keys(), keep=keep_increments)


def rank_gradient(
    coefficients: Tensor, increments: Tensor, input: Tensor, target: Tensor, mask: Tensor | None, link: str,
    ignore: int | None, *, pooled: bool,
) -> Tensor:  # fmt: skip
    """The gradient by the input from the increments."""
    work = _Ranked(input, target, mask, link, ignore, pooled=pooled, coefficients=coefficients)
    with on(work.device):
        return work.gradient_of(increments)


def decoded(
    input: Tensor, target: Tensor, mask: Tensor | None, link: str, ignore: int | None, *, pooled: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """The errors that are ranked, the labels and what counts, (groups, places), from the keys."""
    work = _Ranked(input, target, mask, link, ignore, pooled=pooled)
    with on(work.device):
        keys, _ = work.keys()
    field = (keys >> (work.place_bits + 1)) & kernels.ABSENT.value
    counts = field != kernels.ABSENT.value
    bits = torch.where(counts, kernels.NAN.value - field, 0).to(torch.int32)
    return bits.view(torch.float32), (keys & 1) == 1, counts


def compile_kernels(inputs: Inputs, *, pooled: bool) -> None:
    """Compile the kernels of a forward and a backward pass, without launching them."""
    input, target, _, mask, _ = inputs.tensors
    ignored = inputs.ignore_index if can_hold(target, inputs.ignore_index) else None
    given = (input, target, mask, inputs.link, ignored)
    coefficients = input.new_zeros((1 if pooled else input.shape[0], input.shape[1], 3), dtype=torch.float64)
    work = _Ranked(*given, pooled=pooled, only_compiled=True)
    again = _Ranked(*given, pooled=pooled, coefficients=coefficients, only_compiled=True)
    with on(work.device):
        keys, problems = work.keys()
        work.sums(keys.zero_(), problems, keep=True)
        again.gradient_of(torch.empty(keys.shape, dtype=torch.float32, device=keys.device))
