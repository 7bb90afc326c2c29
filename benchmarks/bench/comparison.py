"""Cells with their fastest contenders."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from bench.contenders import OURS, TUTORIAL, VARIANT
from bench.floor import FLOOR, TWICE
from bench.kernels import KERNELS
from bench.measure import OK, Outcome
from bench.store import Line
from bench.workloads import Cell

NO_PEERS = (OURS, VARIANT, KERNELS, TUTORIAL, FLOOR, TWICE)


class Comparison(NamedTuple):
    """One cell: losskit, and the fastest contender of each kind."""

    cell: Cell
    ours: Outcome | None
    variant: Outcome | None
    kernels: Outcome | None
    eager: Outcome | None
    compiled: Outcome | None
    tutorial: Outcome | None
    floor: Outcome | None
    twice: Outcome | None

    def times_faster(self, than: Outcome | None) -> float | None:
        return _ratio(than, self.ours)

    def times(self, other: Outcome | None) -> float | None:
        """The time of losskit divided by that of the other."""
        return _ratio(self.ours, other)

    @property
    def varied(self) -> float | None:
        """The time with the variant tensors divided by that with plain ones."""
        return _ratio(self.variant, self.ours)


def _ratio(above: Outcome | None, below: Outcome | None) -> float | None:
    if above is None or below is None or above.minimum_ms is None or below.minimum_ms is None:
        return None
    return above.minimum_ms / below.minimum_ms


def comparisons(lines: Sequence[Line]) -> dict[Cell, Comparison]:
    """Outcomes by cell, in the order of measurement."""
    return {cell: _compared(cell, outcomes) for cell, outcomes in grouped(lines).items()}


def grouped(lines: Sequence[Line]) -> dict[Cell, list[Outcome]]:
    cells: dict[Cell, list[Outcome]] = {}
    for line in lines:
        cells.setdefault(line.cell, []).append(line.outcome)
    return cells


def _compared(cell: Cell, outcomes: Sequence[Outcome]) -> Comparison:
    timed = [o for o in outcomes if o.status == OK]

    def named(name: str) -> Outcome | None:
        return next((o for o in timed if o.library == name), None)

    def fastest(compiled: bool) -> Outcome | None:
        peers = [o for o in timed if o.compiled == compiled and o.library not in NO_PEERS]
        return min(peers, key=lambda o: o.minimum_ms or 0.0, default=None)

    return Comparison(
        cell, named(OURS), named(VARIANT), named(KERNELS), fastest(False), fastest(True), named(TUTORIAL),
        named(FLOOR), named(TWICE),
    )  # fmt: skip
