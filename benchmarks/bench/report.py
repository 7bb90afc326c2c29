"""The figures beside what they must reach, as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from bench.contenders import OURS, TUTORIAL
from bench.floor import FLOOR, TWICE
from bench.measure import OK, Outcome
from bench.store import Line
from bench.workloads import ROWS, Cell, Row, pools

MISSING = "–"
_COARSE = {"float32": 1e-3, "bfloat16": 6e-3}  # a gradient in bfloat16 is off by 2e-3 however it was computed


class Comparison(NamedTuple):
    """One cell: ours, and the fastest of each kind."""

    cell: Cell
    ours: Outcome | None
    eager: Outcome | None
    compiled: Outcome | None
    tutorial: Outcome | None
    floor: Outcome | None
    twice: Outcome | None

    def times_faster(self, than: Outcome | None) -> float | None:
        return _ratio(than, self.ours)

    def times_floor(self, floor: Outcome | None) -> float | None:
        return _ratio(self.ours, floor)


def _ratio(above: Outcome | None, below: Outcome | None) -> float | None:
    if above is None or below is None or above.minimum_ms is None or below.minimum_ms is None:
        return None
    return above.minimum_ms / below.minimum_ms


def comparisons(lines: Sequence[Line]) -> dict[Cell, Comparison]:
    """By cell, in the order in which they were measured."""
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
        peers = [o for o in timed if o.compiled == compiled and o.library not in (OURS, TUTORIAL, FLOOR, TWICE)]
        return min(peers, key=lambda o: o.minimum_ms or 0.0, default=None)

    return Comparison(cell, named(OURS), fastest(False), fastest(True), named(TUTORIAL), named(FLOOR), named(TWICE))


def markdown(lines: Sequence[Line], title: str) -> str:
    """All tables of which something was measured."""
    compared = comparisons(lines)
    parts = [f"{title}. Milliseconds, the minimum of interleaved runs; forward and backward unless said otherwise."]
    table = [c for c in compared.values() if c.cell.suite == "table"]
    if table:
        parts += ["**What is asked for**", "\n".join(_demands(table)), "**Each of it**", "\n".join(_each(table))]
    for suite, name in (("more", "More"), ("size", "By size"), ("classes", "By classes"), ("threads", "By threads")):
        chosen = [c for c in compared.values() if c.cell.suite == suite]
        if chosen:
            parts += [f"**{name}**", "\n".join(_each(chosen))]
    if compared:
        parts += ["**Forward alone**, with no gradient wanted", "\n".join(_forward(lines))]
        parts += ["**Memory** beyond the inputs, in units of the logits", "\n".join(_memory(compared.values()))]
    coarse = [line for line in lines if _error(line.outcome) > _COARSE[line.cell.dtype]]
    if coarse:
        allowed = ", ".join(f"{error:g} in {dtype}" for dtype, error in _COARSE.items())
        heading = f"**Coarse**: the same function, but off float64's value or gradient by more than {allowed}"
        parts += [heading, "\n".join(_inaccurate(coarse))]
    left_out = [line for line in lines if line.outcome.status != OK]
    if left_out:
        parts += ["**Left out**", "\n".join(_left_out(left_out))]
    return "\n\n".join(parts) + "\n"


def _demands(compared: Sequence[Comparison]) -> Iterator[str]:
    """Each row of the demands, by the worst of its cells."""
    yield "| work | against the fastest peer, eager | under torch.compile | times the floor | inputs read twice |"
    yield "|---|---|---|---|---|"
    for row in ROWS:
        cells = [c for c in compared if c.cell.loss in row.losses and c.cell.shape in row.shapes]
        expected = sum(len(pools(loss, shape)) for loss in row.losses for shape in row.shapes)
        yield " | ".join(
            (
                f"| {row.work}" + ("" if len(cells) == expected else f" ({len(cells)} of {expected} measured)"),
                _verdict([c.times_faster(c.eager) for c in cells], row.eager),
                _verdict([c.times_faster(c.compiled) for c in cells], row.compiled),
                _verdict([c.times_floor(c.floor) for c in cells], row.floor, most=True),
                f"{_verdict([c.times_floor(c.twice) for c in cells], None, most=True)} |",
            )
        )


def _verdict(ratios: Sequence[float | None], asked: float | None, *, most: bool = False) -> str:
    """The worst of the ratios, and whether it is what was asked for."""
    known = [ratio for ratio in ratios if ratio is not None]
    if not known:
        return MISSING
    worst = max(known) if most else min(known)
    span = f"{min(known):.1f} to {max(known):.1f}x" if len(known) > 1 else f"{worst:.1f}x"
    if asked is None:
        return span
    met = worst <= asked if most else worst >= asked
    return f"{span}, {'met' if met else '**missed**'} ({'at most' if most else 'asked'} {asked:g}x)"


def _each(compared: Sequence[Comparison]) -> Iterator[str]:
    yield "| work | losskit | fastest peer, eager | | under torch.compile | | tutorial | | floor | |"
    yield "|---|---|---|---|---|---|---|---|---|---|"
    for c in compared:
        row = _row(c.cell) if c.cell.suite == "table" else None
        yield " | ".join(
            (
                f"| {c.cell}",
                _time(c.ours),
                _named(c.eager),
                _against(c.times_faster(c.eager), row.eager if row else None),
                _named(c.compiled),
                _against(c.times_faster(c.compiled), row.compiled if row else None),
                _time(c.tutorial),
                _against(c.times_faster(c.tutorial), None),
                _time(c.floor),
                f"{_against(c.times_floor(c.floor), row.floor if row else None, most=True)} |",
            )
        )


def _row(cell: Cell) -> Row | None:
    return next((row for row in ROWS if cell.loss in row.losses and cell.shape in row.shapes), None)


def _against(ratio: float | None, asked: float | None, *, most: bool = False) -> str:
    if ratio is None:
        return MISSING
    if asked is None:
        return f"{ratio:.1f}x"
    met = ratio <= asked if most else ratio >= asked
    return f"{ratio:.1f}x{'' if met else f' **of {asked:g}x**'}"


def _time(outcome: Outcome | None) -> str:
    return MISSING if outcome is None or outcome.minimum_ms is None else f"{outcome.minimum_ms:.3g}"


def _named(outcome: Outcome | None) -> str:
    return MISSING if outcome is None else f"{outcome.library} {_time(outcome)}"


def _forward(lines: Sequence[Line]) -> Iterator[str]:
    """Not under torch.compile: it would be compiled once more for this."""
    yield "| work | losskit | fastest peer, eager | | floor | |"
    yield "|---|---|---|---|---|---|"
    for cell, outcomes in grouped(lines).items():
        timed = {o.library: o.forward_minimum_ms for o in outcomes if o.forward_minimum_ms is not None}
        ours, floor = timed.pop(OURS, None), timed.pop(FLOOR, None)
        timed.pop(TUTORIAL, None)
        if ours is None or floor is None:
            continue
        peer = min(timed, key=lambda name: timed[name], default=None)
        theirs = f"{peer} {timed[peer]:.3g} | {timed[peer] / ours:.1f}x" if peer else f"{MISSING} | {MISSING}"
        yield f"| {cell} | {ours:.3g} | {theirs} | {floor:.3g} | {ours / floor:.1f}x |"


def _memory(compared: Iterable[Comparison]) -> Iterator[str]:
    """Ours beside the fastest peers: saved for the backward pass, held after the forward pass, at most during both."""
    yield "| work | losskit: saved, held, peak | more than logits, MiB | fastest peer, eager | under torch.compile |"
    yield "|---|---|---|---|---|"
    for c in compared:
        if c.ours is None or c.ours.saved_bytes is None:
            continue
        more = MISSING
        if c.ours.peak_bytes is not None and c.ours.logits_bytes is not None:
            more = f"{(c.ours.peak_bytes - c.ours.logits_bytes) / 2**20:.1f}"
        eager, compiled = (MISSING if o is None else f"{o.library} {_bytes(o)}" for o in (c.eager, c.compiled))
        yield f"| {c.cell} | {_bytes(c.ours)} | {more} | {eager} | {compiled} |"


def _bytes(o: Outcome) -> str:
    """In units of the logits."""
    return ", ".join(
        MISSING if n is None or not o.logits_bytes else f"{n / o.logits_bytes:.2f}"
        for n in (o.saved_bytes, o.held_bytes, o.peak_bytes)
    )


def _inaccurate(lines: Sequence[Line]) -> Iterator[str]:
    yield "| work | library | value | gradient |"
    yield "|---|---|---|---|"
    for cell, o in lines:
        value, gradient = (MISSING if e is None else f"{e:.0e}" for e in (o.value_error, o.gradient_error))
        yield f"| {cell} | {o.library}{', compiled' if o.compiled else ''} | {value} | {gradient} |"


def _error(o: Outcome) -> float:
    return max(o.value_error or 0.0, o.gradient_error or 0.0)


def _left_out(lines: Sequence[Line]) -> Iterator[str]:
    yield "| work | asked of | | why |"
    yield "|---|---|---|---|"
    for cell, o in lines:
        yield f"| {cell} | `{o.how}`{', compiled' if o.compiled else ''} | {o.status} | {o.why.replace('|', '/')} |"
