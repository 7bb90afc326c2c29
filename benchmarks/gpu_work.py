"""What is measured on a GPU: the workloads of `make bench`, larger ones, and how many launches each takes."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import torch
from bench import contenders, formulas
from bench.contenders import Call, Contender
from bench.workloads import DIFFERENCES, LARGE, POOLED, Cell, Shape, pools, table

MOST_OVER_FLOOR = 1.15  # of tensors with at least these bytes
LARGE_BYTES = 64 << 20
SORT = "sort"
PLAIN = "PyTorch"  # the formula in plain PyTorch, in float32
_WIDE = (8192, 128256)
_MORE: tuple[tuple[str, Shape, str], ...] = (
    ("dice+bce", (16, 1, 1024, 1024), "float32"),
    ("dice+bce", (32, 1, 1024, 1024), "float32"),
    ("lovasz", (32, 1, 1024, 1024), "float32"),
    *((loss, (32, 1, 1024, 1024), dtype) for loss in ("mse", "huber") for dtype in ("float32", "bfloat16")),
    ("focal", LARGE, "float32"),
    ("lovasz", LARGE, "float32"),
    ("dice+ce", LARGE, "bfloat16"),
    ("dice+ce", (4, 150, 512, 512), "bfloat16"),
    ("dice+ce", (8, 19, 1024, 1024), "float32"),
    ("dice+ce", (2, 4, 128, 128, 128), "float32"),
    ("dice+ce", (2, 4, 192, 192, 192), "float32"),
    ("lovasz", (2, 4, 128, 128, 128), "float32"),
    ("ce", (4096, 32768), "float32"),
    ("ce", _WIDE, "bfloat16"),
)


class Launches(NamedTuple):
    """The kernels of a forward and of a backward pass, by name."""

    forward: list[str]
    backward: list[str]


# A tile cannot hold all classes: one launch more in each direction.
_SPLIT = ((4096, 32768), _WIDE)
# Shapes with more than 2^17 partial sums also in the largest programs, which a launch of their own adds.
_MANY_SUMS = ((4, 150, 512, 512), *_SPLIT)


def cells() -> Iterator[Cell]:
    """The default cells of `make bench` with the first pooling of each loss, and those of GPUs."""
    for cell in table(1):
        if cell.suite in ("table", "more") and cell.pool == pools(cell.loss, cell.shape)[0]:
            yield cell
    for loss, shape, dtype in _MORE:
        yield Cell("gpu", loss, pools(loss, shape)[0], shape, dtype, 1, True)


def moved(cell: Cell) -> int:
    """Bytes that must be moved: the inputs as often as they are read, and the gradient once.

    The gradient of a loss of totals depends on all elements, so that its inputs are read twice.
    """
    logits = cell.elements * getattr(torch, cell.dtype).itemsize
    each = cell.binary or cell.loss in DIFFERENCES  # targets are float32 of every element, or class indices
    labels = 4 * cell.elements if each else 8 * cell.elements // cell.shape[1]
    return (2 if cell.loss in POOLED else 1) * (logits + labels) + logits


def plain(cell: Cell) -> Call:
    """The formula in plain PyTorch, in float32."""
    return partial(formulas.loss, cell.loss, cell.pool, dtype=torch.float32)


def field(cell: Cell) -> list[Contender]:
    """Losskit, the formula in plain PyTorch, and the peers that are installed."""
    try:
        ours, *others = contenders.contenders(cell)
    except ImportError:  # of a peer
        ours, others = contenders.ours(cell), []
    return [ours, Contender(PLAIN, "the formula", plain(cell)), *others]


def expected(cell: Cell) -> Launches:
    """The launches of the design: two forward and one backward, with the exceptions of `docs/speed.md`."""
    link = "sigmoid" if cell.binary else "softmax"
    if cell.loss == "lovasz":
        return Launches([f"{link}_errors", SORT, "count_labels", "increments", "reduce"], [f"{link}_rank_gradient"])
    if cell.loss in DIFFERENCES:
        reading = ["difference"]
    elif cell.binary:
        reading = ["sigmoid"]
    else:
        reading = ["softmax_positions", "softmax_classes"] if cell.shape in _SPLIT else ["softmax_tile"]
    added = ["reduce"] if cell.shape in _MANY_SUMS else []
    return Launches([*reading, *added, "finish"], reading)


def misfit(cell: Cell, forward: Sequence[str], backward: Sequence[str]) -> str:
    """How the kernels that ran, by name and in order, differ from the design; an empty string if they do not.

    PyTorch sorts the keys of ranked errors, and computes the loss and its gradient from their sums: of its kernels only
    the sort is counted, once.
    """
    design = expected(cell)
    found = Launches(list(forward), list(backward))
    if cell.loss == "lovasz":
        found = Launches(_ranked(forward, design.forward), _ranked(backward, [*design.forward, *design.backward]))
    pairs = zip(Launches._fields, found, design, strict=True)
    return "; ".join(f"{which}: {_listed(ran)} instead of {_listed(due)}" for which, ran, due in pairs if ran != due)


def _listed(names: Sequence[str]) -> str:
    return f"{len(names)} launches ({', '.join(names)})"


def _ranked(names: Sequence[str], known: Sequence[str]) -> list[str]:
    """The launches of ranked errors among kernels; those of one sort, which follow each other, as one."""
    kept: list[str] = []
    previous = ""
    for name in names:
        short = SORT if SORT in name.lower() else name
        if short in known and not short == previous == SORT:
            kept.append(short)
        previous = short if short in known else previous
    return kept


def goals(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Each goal that the rows of one cell miss: a time over the floor of large tensors, and no peer ahead."""
    ours, *others = rows
    missed = []
    if ours["bytes"] >= LARGE_BYTES and ours["loss"] != "lovasz" and ours["over_floor"] > MOST_OVER_FLOOR:
        missed.append(f"{ours['over_floor']:.2f} times the floor, more than {MOST_OVER_FLOOR}")
    return missed + [f"{each['contender']} is ahead" for each in others if each["minimum_ms"] < ours["minimum_ms"]]


def row(cell: Cell, name: str, times: Sequence[float], speed: float) -> dict[str, Any]:
    """What is kept of the times of one contender, in milliseconds; `speed` in bytes per millisecond."""
    floor, least = moved(cell) / speed, min(times)
    return {
        "loss": cell.loss, "pool": cell.pool, "shape": cell.size, "dtype": cell.dtype, "contender": name,
        "median_ms": round(statistics.median(times), 4), "minimum_ms": round(least, 4), "bytes": moved(cell),
        "floor_ms": round(floor, 4), "over_floor": round(least / floor, 2),
    }  # fmt: skip
