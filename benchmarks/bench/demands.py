"""Performance demands, and the verdict on each."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

from bench.comparison import Comparison
from bench.workloads import BINARY, ELEMENT_LOSSES, OWN_TERMS, ROWS, TINY, VARIANTS, Cell, Row, Variant, table

AHEAD, AHEAD_TINY = 1.03, 1.35  # ratio to the time of the fastest eager peer
KERNELS_ALONE = {1: 1.3, 2: 1.7}  # ratio to the time of the kernels alone, by threads; the last also for more threads
OWN_LARGE, OWN_LARGE_TERM, OWN_COMPILED, OWN_TINY = 2.0, 5.0, 1.6, 1.05
NO_LIMIT = math.inf  # measured without a demand


class Demand(NamedTuple):
    """A ratio per cell, and its upper or lower limit."""

    text: str
    ratio: Callable[[Comparison], float | None]
    limit: Callable[[Cell], float | None]  # None for cells without this demand
    at_least: bool = False

    def missed_by(self, ratio: float, cell: Cell) -> float:
        """The factor by which the ratio misses the limit; above 1 if missed."""
        limit = self.limit(cell)
        assert limit is not None
        return limit / ratio if self.at_least else ratio / limit


def demands() -> Iterator[Demand]:
    yield Demand(
        f"no eager peer ahead by more than {AHEAD - 1:.0%}; at 64 elements, element-wise losses within {AHEAD_TINY:g}x",
        lambda c: c.times(c.eager),
        _of_peers,
    )
    yield Demand(
        f"user-defined formulas, 2 million elements: {OWN_LARGE:g}x as fast as the same formula in PyTorch, terms of "
        f"log_p {OWN_LARGE_TERM:g}x", lambda c: c.times_faster(c.eager), _of_own, at_least=True,
    )  # fmt: skip
    yield Demand(
        f"under torch.compile, losskit at most {OWN_COMPILED:g}x", lambda c: c.times(c.compiled), _of_own_compiled
    )
    for row in ROWS:
        of = partial(_of_row, row)
        yield Demand(
            f"{row.work}: {row.eager:g}x as fast as eager peers", lambda c: c.times_faster(c.eager),
            partial(of, row.eager), at_least=True,
        )  # fmt: skip
        yield Demand(
            f"{row.work}: {row.compiled:g}x as fast as under torch.compile", lambda c: c.times_faster(c.compiled),
            partial(of, row.compiled), at_least=True,
        )  # fmt: skip
        if row.floor is not None:
            yield Demand(
                f"{row.work}: at most {row.floor:g}x the floor", lambda c: c.times(c.floor), partial(of, row.floor)
            )
    asked = ", ".join(f"{most:g}x on {threads}" for threads, most in KERNELS_ALONE.items())
    yield Demand(
        f"ratio to the kernels' own time, from 8x1x512x512 up: at most {asked} threads",
        lambda c: c.times(c.kernels),
        _of_kernels,
    )
    for variant in VARIANTS:
        yield Demand(f"losskit: {variant.work}", lambda c: c.varied, partial(_of_variant, variant))


def _of_peers(cell: Cell) -> float | None:
    if cell.suite == "own":
        return OWN_TINY
    if cell.suite == "catalogue":
        return AHEAD_TINY if cell.elements <= math.prod(TINY) else AHEAD
    if cell.suite not in ("table", "more"):
        return None
    return AHEAD_TINY if cell.elements == math.prod(TINY) and cell.loss in ELEMENT_LOSSES else AHEAD


def _of_own(cell: Cell) -> float | None:
    if cell.suite != "own" or cell.elements < math.prod(BINARY):
        return None
    return OWN_LARGE_TERM if cell.loss in OWN_TERMS else OWN_LARGE


def _of_own_compiled(cell: Cell) -> float | None:
    return None if _of_own(cell) is None else OWN_COMPILED


def _of_row(row: Row, limit: float, cell: Cell) -> float | None:
    return limit if cell.suite == "table" and cell.loss in row.losses and cell.shape in row.shapes else None


def _of_kernels(cell: Cell) -> float | None:
    if cell.suite not in ("table", "more") or cell.elements < math.prod(BINARY) or cell.loss == "lovasz":
        return None  # rank losses have no plan
    return KERNELS_ALONE[min(cell.threads, max(KERNELS_ALONE))]


def _of_variant(variant: Variant, cell: Cell) -> float | None:
    return NO_LIMIT if cell.variant == variant.name else None


def verdicts(compared: Sequence[Comparison]) -> Iterator[str]:
    """A line for each demand with measurements."""
    counts = sorted({c.cell.threads for c in compared})
    yield " | ".join(("| demand", *(f"{threads} thread{'s' * (threads > 1)}" for threads in counts), ""))
    yield "|---" * (1 + len(counts)) + "|"
    for demand in demands():
        meant = [c for c in compared if demand.limit(c.cell) is not None]
        if meant:
            found = (_verdict(demand, [c for c in meant if c.cell.threads == threads], threads) for threads in counts)
            yield " | ".join((f"| {demand.text}", *found, ""))


def _verdict(demand: Demand, cells: Sequence[Comparison], threads: int) -> str:
    """Met or missed, with the cells that miss it, worst first."""
    ratios = {c.cell: ratio for c in cells if (ratio := demand.ratio(c)) is not None}
    asked = sum(demand.limit(cell) is not None for cell in table(threads))
    of = f"{len(ratios)} of {asked} cells" if len(ratios) < asked else "1 cell" if asked == 1 else f"{asked} cells"
    if not ratios:
        return f"not measured: {of}"
    least, most = min(ratios.values()), max(ratios.values())
    span = f"{f'{least:.2f} to ' if least < most else ''}{most:.2f}x, {of}"
    missed = {cell: by for cell, ratio in ratios.items() if (by := demand.missed_by(ratio, cell)) > 1}
    worst = sorted(missed, key=lambda cell: -missed[cell])
    if all(demand.limit(cell) == NO_LIMIT for cell in ratios):
        return span
    if not worst:
        return f"met: {span}"
    each = "; ".join(f"{cell.work} {ratios[cell]:.2f}x of {demand.limit(cell):g}x" for cell in worst)
    return f"**missed** in {len(worst)}: {each}; {span}"
