"""The verdicts on the demands and the figures, as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from bench.comparison import NO_PEERS, Comparison, comparisons, grouped
from bench.contenders import OURS
from bench.demands import verdicts
from bench.floor import FLOOR
from bench.measure import OK, Outcome
from bench.store import Line
from bench.workloads import ROWS, Cell, Row

MISSING = "–"
_COARSE = {"float32": 1e-3, "bfloat16": 6e-3}  # rounding a gradient to bfloat16 alone gives an error of 2e-3


def markdown(lines: Sequence[Line], title: str) -> str:
    """All tables with measurements."""
    compared = comparisons(lines)
    parts = [
        f"{title}. Times in milliseconds: the minimum of interleaved runs, each of many calls if tensors are small. "
        "Forward and backward unless noted otherwise."
    ]
    verdict = list(verdicts(list(compared.values())))
    if len(verdict) > 2:
        parts += ["**Demands**", "\n".join(verdict)]
    varied = [c for c in compared.values() if c.cell.variant]
    if varied:
        parts += ["**Variants of losskit**", "\n".join(_varied(varied))]
    suites = (("table", "Demands, by cell"), ("more", "More"), ("catalogue", "Other losses of the catalogue"))
    for suite, name in (*suites, ("size", "By size"), ("classes", "By classes"), ("threads", "By threads")):
        chosen = [c for c in compared.values() if c.cell.suite == suite]
        if chosen:
            parts += [f"**{name}**", "\n".join(_each(chosen))]
    if compared:
        parts += ["**Forward only**, without gradient", "\n".join(_forward(lines))]
        parts += ["**Memory** beyond the inputs, in units of the logits", "\n".join(_memory(compared.values()))]
    coarse = [line for line in lines if _error(line.outcome) > _COARSE[line.cell.dtype]]
    if coarse:
        allowed = ", ".join(f"{error:g} in {dtype}" for dtype, error in _COARSE.items())
        heading = f"**Inaccurate**: the same function, but value or gradient differ from float64 by more than {allowed}"
        parts += [heading, "\n".join(_inaccurate(coarse))]
    left_out = [line for line in lines if line.outcome.status != OK]
    if left_out:
        parts += ["**Not timed**", "\n".join(_left_out(left_out))]
    return "\n\n".join(parts) + "\n"


def _each(compared: Sequence[Comparison]) -> Iterator[str]:
    yield (
        "| work | losskit | x kernels | fastest peer, eager | | under torch.compile | | tutorial | | floor | "
        "| inputs read twice |"
    )
    yield "|---|---|---|---|---|---|---|---|---|---|---|---|"
    for c in compared:
        row = _row(c.cell) if c.cell.suite == "table" else None
        yield " | ".join(
            (
                f"| {c.cell}",
                _time(c.ours),
                _against(c.times(c.kernels), None),
                _named(c.eager),
                _against(c.times_faster(c.eager), row.eager if row else None),
                _named(c.compiled),
                _against(c.times_faster(c.compiled), row.compiled if row else None),
                _time(c.tutorial),
                _against(c.times_faster(c.tutorial), None),
                _time(c.floor),
                _against(c.times(c.floor), row.floor if row else None, most=True),
                f"{_against(c.times(c.twice), None)} |",
            )
        )


def _varied(compared: Sequence[Comparison]) -> Iterator[str]:
    yield "| work | losskit, plain | this variant | |"
    yield "|---|---|---|---|"
    for c in compared:
        yield f"| {c.cell} | {_time(c.ours)} | {_time(c.variant)} | {_against(c.varied, None)} |"


def _row(cell: Cell) -> Row | None:
    return next((row for row in ROWS if cell.loss in row.losses and cell.shape in row.shapes), None)


def _against(ratio: float | None, asked: float | None, *, most: bool = False) -> str:
    if ratio is None:
        return MISSING
    times = f"{ratio:.{2 if ratio < 2 else 1}f}x"
    if asked is None:
        return times
    met = ratio <= asked if most else ratio >= asked
    return f"{times}{'' if met else f' **of {asked:g}x**'}"


def _time(outcome: Outcome | None) -> str:
    return MISSING if outcome is None or outcome.minimum_ms is None else f"{outcome.minimum_ms:.3g}"


def _named(outcome: Outcome | None) -> str:
    return MISSING if outcome is None else f"{outcome.library} {_time(outcome)}"


def _forward(lines: Sequence[Line]) -> Iterator[str]:
    """Without torch.compile, which would need another compilation."""
    yield "| work | losskit | fastest peer, eager | | floor | |"
    yield "|---|---|---|---|---|---|"
    for cell, outcomes in grouped(lines).items():
        timed = {o.library: o.forward_minimum_ms for o in outcomes if o.forward_minimum_ms is not None}
        ours, floor = timed.pop(OURS, None), timed.pop(FLOOR, None)
        timed = {name: ms for name, ms in timed.items() if name not in NO_PEERS}
        if ours is None or floor is None or cell.variant:
            continue
        peer = min(timed, key=lambda name: timed[name], default=None)
        theirs = f"{peer} {timed[peer]:.3g} | {timed[peer] / ours:.1f}x" if peer else f"{MISSING} | {MISSING}"
        yield f"| {cell} | {ours:.3g} | {theirs} | {floor:.3g} | {ours / floor:.1f}x |"


def _memory(compared: Iterable[Comparison]) -> Iterator[str]:
    """Losskit and the fastest peers: saved for the backward pass, held after the forward pass, peak of both."""
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
    """Saved, held and peak bytes in units of the logits."""
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
    yield "| work | contender | status | reason |"
    yield "|---|---|---|---|"
    for cell, o in lines:
        yield f"| {cell} | `{o.how}`{', compiled' if o.compiled else ''} | {o.status} | {o.why.replace('|', '/')} |"
