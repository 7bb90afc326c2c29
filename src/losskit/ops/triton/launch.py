"""Divides work into Triton programs, and launches the kernels."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

import torch
from torch import Tensor

from losskit.ops.columns import REGION_COLUMNS
from losskit.ops.formula import Program
from losskit.ops.native import common_stride
from losskit.ops.native import expand_to as over
from losskit.ops.triton import terms
from losskit.ops.triton.kernels.difference import difference
from losskit.ops.triton.kernels.printed import compiled
from losskit.ops.triton.kernels.reduction import reduce
from losskit.ops.triton.kernels.sigmoid import sigmoid
from losskit.ops.triton.kernels.softmax_loop import softmax_classes, softmax_positions
from losskit.ops.triton.kernels.softmax_tile import softmax_tile

TILE = 2048  # elements of a tile that need not contain all classes
WHOLE_TILE = 4096  # elements of a tile that contains all classes
LARGEST_TILE = 8192
LINE = 32  # adjacent positions that make a memory transfer efficient
PROGRAMS = 2048  # enough to keep a GPU busy; more would produce more partial sums
FEWEST_PROGRAMS = 160  # still enough; fewer only if each processes at most FEW_TILES tiles
MOST_TILES, FEW_TILES = 64, 4  # per program, since its sums are float32
MOST_AT_ONCE = 2**17  # partial sums that the last kernel, one program, adds; if there are more, a reduction precedes it
MOST_KEYS = 4096  # read by each program of the reduction, at most
REDUCED = 4096  # partial sums added at once by a program of the reduction

_Side = tuple[Tensor | None, int, int, int]  # a tensor and its strides over samples, classes and positions
_NONE: _Side = (None, 0, 0, 0)


def launch(
    kernel: Any, programs: int, arguments: Sequence[Any], options: dict[str, Any], *, only_compiled: bool = False
) -> Any:
    """Launch a kernel, or only compile it; returns the compiled kernel, or None in the interpreter."""
    return kernel.run(*arguments, grid=(programs,), warmup=only_compiled, **options)


def on(device: torch.device) -> AbstractContextManager[Any]:
    """A context in which launches go to this device."""
    return torch.cuda.device(device) if device.type == "cuda" else nullcontext()


class Launch(NamedTuple):
    """One launch of a kernel."""

    kernel: Any
    programs: int
    arguments: tuple[Any, ...]
    options: dict[str, Any]


class Work:
    """One call of the operators."""

    def __init__(
        self, input: Tensor, target: Tensor, weight: Tensor | None, mask: Tensor | None, logit_bias: Tensor | None,
        link: str, ignore: int | None, places: Sequence[int], constants: Sequence[float],
        pooled: bool, totals: bool, coefficients: Tensor | None, *, only_compiled: bool = False,
        recorded: list[Launch] | None = None, programs: Sequence[Program | None] = (),
    ) -> None:  # fmt: skip
        self.only_compiled, self.recorded = only_compiled, recorded
        self.flat = pooled and input.dim() == 2  # positions are samples: (1, C, N)
        self.link, self.pooled, self.totals = link, pooled, totals
        self.device = input.device
        n, c = input.shape[0], input.shape[1]
        self.n, self.c, self.s = (1, c, n) if self.flat else (n, c, input.numel() // (n * c))
        self.columns = _codes(places)
        name, text, self.constants = terms.printed(tuple(constants), tuple(programs))
        self.term_values = compiled(name, text)
        self.dense, self.soft = target.dim() == input.dim(), target.is_floating_point()
        self.ignore = ignore
        self.rounding = 4 * torch.finfo(target.dtype).eps if self.soft else 0.0
        self.input = self._side(input.detach())
        self.target = self._side(target.detach() if self.dense else target.unsqueeze(1))
        self.weight = _NONE if weight is None else self._side(over(weight, input))
        self.mask = _NONE if mask is None else self._side(over(mask, input))
        self.logit_bias = None if logit_bias is None else logit_bias.detach().to(torch.float32).contiguous()
        self.coefficients: tuple[Tensor | None, int, Tensor | None] = (None, 0, None)
        self.gradient, self.made = _NONE, None
        if coefficients is not None:
            step = 0 if pooled else c * len(self.columns)
            self.coefficients = (coefficients.detach().to(torch.float64).contiguous(), step, None)
            self.made = torch.empty_like(input)
            self.gradient = self._side(self.made)
            if self.gradient[0] is not self.made:  # its spatial dimensions have no common stride
                self.made = torch.empty_like(input, memory_format=torch.contiguous_format)
                self.gradient = self._side(self.made)

    def passes(self) -> tuple[int, Tensor | None, Tensor | None]:
        """The launches that read the input: rows of partial sums per sample, the partial sums, and problem keys."""
        return self._softmax() if self.link == "softmax" else self._elements()

    def run(self) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        """Totals, gradient, and the first problem."""
        with on(self.device):
            _, partials, keys = self.passes()
            if not self.totals:
                return None, self.made, None
            totals, problem = self._reduced(partials, keys)
            return totals, self.made, problem

    def _launch(self, kernel: Any, programs: int, *arguments: Any, **options: Any) -> None:
        if self.recorded is not None:
            self.recorded.append(Launch(kernel, programs, arguments, options))
        else:
            launch(kernel, programs, arguments, options, only_compiled=self.only_compiled)

    def _elements(self) -> tuple[int, Tensor | None, Tensor | None]:
        block, positions = self._tile()
        blocks = -(-self.c // block)
        tiles, size, chunks = self._cut(block, positions)
        programs = self.n * blocks * chunks
        partials, keys = self._partials(chunks), self._keys(programs)
        given = self.input, self.target, self.weight, self.mask, self.gradient
        work = partials, keys, self.constants, self.c, self.s, tiles, size, chunks, blocks
        options = {**self._column_options(positions), "CB": block, "P": positions}
        if self.link == "difference":
            self._launch(difference, programs, *given, self.coefficients, *work, **options)
        else:
            self._launch(
                sigmoid, programs, *given, self.logit_bias, self.coefficients, *work, self.ignore or 0, self.rounding,
                **options, **self._target_options(), **self._region_options(),
            )  # fmt: skip
        return chunks, partials, keys

    def _softmax(self) -> tuple[int, Tensor | None, Tensor | None]:
        line = min(LINE, power_of_two(self.s)) if self._positions_adjacent() else 1
        block = power_of_two(self.c)
        if block * line > LARGEST_TILE:
            return self._softmax_loop()
        positions = min(max(line, WHOLE_TILE // block), power_of_two(self.s))
        tiles, size, chunks = self._cut(block, positions)
        partials, keys = self._partials(chunks), self._keys(self.n * chunks)
        self._launch(
            softmax_tile, self.n * chunks,
            self.input, self.target, self.weight, self.mask, self.gradient, self.logit_bias, self.coefficients,
            partials, keys, self.constants, self.c, self.s, tiles, size, chunks,
            self.ignore or 0, self.rounding,
            **self._column_options(positions), **self._target_options(), **self._softmax_options(),
            CB=block, P=positions, num_warps=8 if block * positions > WHOLE_TILE else 4,
        )  # fmt: skip
        return chunks, partials, keys

    def _softmax_loop(self) -> tuple[int, Tensor | None, Tensor | None]:
        block, positions = self._tile()
        blocks = -(-self.c // block)
        tiles, size, chunks = self._cut(block, positions)
        rows = 4 if self.made is not None else 2
        known = torch.empty((self.n, rows, self.s), dtype=torch.float32, device=self.device)
        truths = torch.empty((self.n, self.s), dtype=torch.int32, device=self.device)
        partials, keys = self._partials(chunks), self._keys(self.n * tiles)
        options, shape = self._column_options(positions), {**self._softmax_options(), "CB": block, "P": positions}
        self._launch(
            softmax_positions, self.n * tiles,
            self.input, self.target, self.mask, self.logit_bias, self.coefficients, known, truths, keys, self.constants,
            self.c, self.s, tiles, self.ignore or 0, self.rounding, **options, **self._target_options(), **shape,
        )  # fmt: skip
        if self.totals or self.made is not None:
            self._launch(
                softmax_classes, self.n * blocks * chunks,
                self.input, self.target, self.weight, self.gradient, self.logit_bias, self.coefficients,
                known, truths, partials, self.constants, self.c, self.s, tiles, size, chunks, blocks,
                self.rounding, **options, DENSE=self.dense, **shape,
            )  # fmt: skip
        return chunks, partials, keys

    def _reduced(self, partials: Tensor | None, keys: Tensor | None) -> tuple[Tensor, Tensor]:
        assert partials is not None
        assert keys is not None
        if len(keys) > MOST_KEYS:
            keys = keys.amin(0, keepdim=True)
        out = 1 if self.pooled else self.n
        rows = len(partials) // out
        room = self.c * len(self.columns)
        most = min(power_of_two(rows), 256)
        block = min(REDUCED // most, power_of_two(room))
        blocks = -(-room // block)
        totals = torch.empty((out, self.c, len(self.columns)), dtype=torch.float64, device=self.device)
        problem = torch.empty(2, dtype=torch.float64, device=self.device)
        self._launch(
            reduce, out * blocks,
            partials, keys, self.target, totals, problem, len(keys), rows, room, blocks, self.c, self.s,
            KEYS=min(power_of_two(len(keys)), 1024), ROWS=most, BLOCK=block,
        )  # fmt: skip
        return totals, problem

    def _side(self, tensor: Tensor) -> _Side:
        """The tensor in the format of the kernels, copied only if its spatial dimensions have no common stride."""
        if tensor.dtype == torch.bool:
            tensor = tensor.view(torch.uint8)
        strides = tensor.stride()
        if self.flat:
            return tensor, 0, strides[1], strides[0]
        step = common_stride(tensor.shape[2:], strides[2:])
        if step is None:
            tensor = tensor.contiguous()
            strides, step = tensor.stride(), 1
        return tensor, strides[0], strides[1], step

    def _positions_adjacent(self) -> bool:
        """Whether positions, rather than classes, are adjacent in memory."""
        return (self.s > 1 and self.input[3] <= self.input[2]) or self.c == 1

    def _tile(self) -> tuple[int, int]:
        """Classes and positions of a tile that need not contain all classes, longest along contiguous memory."""
        c, s = power_of_two(self.c), power_of_two(self.s)
        if not self._positions_adjacent():
            block = min(c, TILE)
            return block, min(s, TILE // block)
        positions = min(s, LINE if self.link == "softmax" else TILE)
        return min(c, TILE // positions), positions

    def _cut(self, block: int, positions: int) -> tuple[int, int, int]:
        """Tiles per sample, tiles per program, programs per sample (for each block of classes)."""
        tiles = -(-self.s // positions)
        programs = tiles * self.n * -(-self.c // block)
        size = min(-(-programs // PROGRAMS), tiles, MOST_TILES)
        chunks = -(-tiles // size)
        most = MOST_AT_ONCE // (self.n * self.c * len(self.columns))  # chunks of a sample whose sums need no reduction
        if self.totals and chunks > most > 0:
            larger = -(-tiles // most)
            fewer = -(-tiles // larger)
            if larger <= FEW_TILES or (larger <= MOST_TILES and programs // tiles * fewer >= FEWEST_PROGRAMS):
                size, chunks = larger, fewer
        return tiles, size, chunks

    def _partials(self, chunks: int) -> Tensor | None:
        if not self.totals:
            return None
        shape = (self.n * chunks, self.c, len(self.columns))
        return torch.empty(shape, dtype=torch.float64, device=self.device)

    def _keys(self, programs: int) -> Tensor | None:
        return torch.empty(programs, dtype=torch.int64, device=self.device) if self.totals else None

    def _column_options(self, positions: int) -> dict[str, Any]:
        """Compile-time options from the columns and the size of the tensors."""
        sides = (self.input, self.target, self.weight, self.mask, self.gradient)
        reach = max((2 * self.c) * abs(c) + positions * abs(s) for _, _, c, s in sides)
        return {
            "COLUMNS": self.columns,
            "K": len(self.columns),
            "TERM_VALUES": self.term_values,
            "TOTALS": self.totals,
            "GRAD": self.made is not None,
            "WIDE": max(reach, 2 * self.c * len(self.columns)) >= 2**31,
        }

    def _region_options(self) -> dict[str, Any]:
        """Whether a region column depends on p."""
        scored = {REGION_COLUMNS.index(name) for name in ("tp", "pred", "pred_sq", "tp_l1", "fp_l1", "fn_l1")}
        return {"HAS_REGION": not scored.isdisjoint(self.columns)}

    def _target_options(self) -> dict[str, Any]:
        """Compile-time options from the target."""
        return {"DENSE": self.dense, "SOFT": self.soft, "HAS_IGNORE": self.ignore is not None}

    def _softmax_options(self) -> dict[str, Any]:
        """Compile-time options of the softmax kernels, from the classes that columns depend on.

        SPREAD: terms are evaluated for every class, not only for the true class. PLAIN: only `pred` depends on classes
        other than the true class. HAS_PRED: there is a column `pred`.
        """
        first = len(REGION_COLUMNS)
        spread = self.dense or any(code >= first and (code - first) % 4 == 2 for code in self.columns)
        wide = {REGION_COLUMNS.index(name) for name in ("pred_sq", "tp_l1", "fp_l1", "fn_l1")}
        return {
            **self._region_options(),
            "SPREAD": spread,
            "PLAIN": not spread and wide.isdisjoint(self.columns),
            "HAS_PRED": REGION_COLUMNS.index("pred") in self.columns,
        }


def _codes(places: Sequence[int]) -> tuple[int, ...]:
    """The code of each column, in the order of the columns: its place in the plan."""
    found = {place: code for code, place in enumerate(places) if place >= 0}
    return tuple(found[place] for place in sorted(found))


def power_of_two(count: int) -> int:
    """The smallest power of two that is at least `count`."""
    return 1 << (count - 1).bit_length()
