"""One cell: hold every contender against the right answer, compile the peers, then time and weigh those that passed."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import NamedTuple

import torch
from torch import Tensor

from bench import memory, timing
from bench.contenders import OURS, TUTORIAL, Contender, contenders
from bench.floor import FLOOR, TWICE, floors, read
from bench.gate import Errors, Gate, Refused
from bench.workloads import Cell, data

OK, REFUSED, SKIPPED, FAILED = "ok", "refused", "skipped", "failed"


class Settings(NamedTuple):
    rounds: int = 40
    compile_limit: float = 60.0  # seconds


class Outcome(NamedTuple):
    """One contender of a cell: what the CSV has a line of."""

    library: str
    how: str
    compiled: bool
    status: str
    why: str = ""
    minimum_ms: float | None = None
    median_ms: float | None = None
    runs: int | None = None
    forward_minimum_ms: float | None = None  # the value alone, with no gradient wanted
    forward_median_ms: float | None = None
    saved_bytes: int | None = None
    held_bytes: int | None = None
    peak_bytes: int | None = None
    logits_bytes: int | None = None
    value_error: float | None = None
    gradient_error: float | None = None
    compile_s: float | None = None


class _Entry(NamedTuple):
    contender: Contender
    outcome: Outcome


def measure(cell: Cell, settings: Settings, field: Callable[[Cell], list[Contender]] = contenders) -> list[Outcome]:
    """Every contender, with its figures or the reason why it has none."""
    torch.set_num_threads(cell.threads)
    x, t = data(cell.shape, cell.dtype)
    gate = Gate(cell, x, t)
    entries = [_checked(contender, gate) for contender in field(cell)]
    if cell.compiled:
        peers = [e for e in entries if e.outcome.status == OK and e.outcome.library not in (OURS, TUTORIAL)]
        entries += [_compiled(e.contender, gate, settings) for e in peers]
    timed = [_weighed(e, x, t) for e in entries if e.outcome.status == OK]
    timed += [_Entry(f, Outcome(f.library, f.how, False, OK)) for f in floors()]
    return _timed(timed, x, t, settings.rounds) + [e.outcome for e in entries if e.outcome.status != OK]


def _timed(entries: list[_Entry], x: Tensor, t: Tensor, rounds: int) -> list[Outcome]:
    """Forward and backward first; then the value alone, for which compiled ones would be compiled again."""
    steps = [_step(e) for e in entries]
    alone = [e for e in entries if not e.outcome.compiled and e.outcome.library != TWICE]
    values = [_value(e) for e in alone]
    taken = timing.interleaved(steps, x, t, rounds)
    forward = dict(zip((id(e) for e in alone), timing.interleaved(values, x, t, rounds), strict=True))
    found = []
    for entry, step in zip(entries, taken, strict=True):
        value = forward.get(id(entry))
        found.append(
            entry.outcome._replace(
                minimum_ms=1e3 * step.minimum, median_ms=1e3 * step.median, runs=step.runs,
                forward_minimum_ms=1e3 * value.minimum if value else None,
                forward_median_ms=1e3 * value.median if value else None,
                logits_bytes=x.untyped_storage().nbytes(),
            )
        )  # fmt: skip
    return found


def _step(entry: _Entry) -> timing.Action:
    call = entry.contender.call
    if entry.outcome.library in (FLOOR, TWICE):
        return call
    return lambda x, t: torch.autograd.grad(call(x, t), x)


def _value(entry: _Entry) -> timing.Action:
    call = read if entry.outcome.library == FLOOR else entry.contender.call

    def value(x: Tensor, t: Tensor) -> Tensor:
        with torch.no_grad():
            return call(x, t)

    return value


def _checked(contender: Contender, gate: Gate) -> _Entry:
    outcome = Outcome(contender.library, contender.how, False, OK)
    try:
        gate.function(contender.call)
        return _Entry(contender, _with(outcome, gate.numbers(contender.call)))
    except Refused as refusal:
        return _Entry(contender, outcome._replace(status=REFUSED, why=str(refusal)))
    except Exception as error:  # noqa: BLE001 - another library's, of any kind
        return _Entry(contender, outcome._replace(status=FAILED, why=_said(error)))


def _compiled(eager: Contender, gate: Gate, settings: Settings) -> _Entry:
    """The same under torch.compile, which must give the same numbers, within the time it is given."""
    contender = eager._replace(call=torch.compile(eager.call, dynamic=False))
    outcome = Outcome(contender.library, contender.how, True, OK)
    start = perf_counter()
    try:
        with timing.limited(settings.compile_limit):
            errors = gate.numbers(contender.call)
    except timing.TooLong:
        return _Entry(
            contender,
            outcome._replace(status=SKIPPED, why=f"compiling took longer than {settings.compile_limit:g} s"),
        )
    except Refused as refusal:
        return _Entry(contender, outcome._replace(status=REFUSED, why=str(refusal)))
    except Exception as error:  # noqa: BLE001
        return _Entry(contender, outcome._replace(status=FAILED, why=_said(error)))
    return _Entry(contender, _with(outcome, errors)._replace(compile_s=perf_counter() - start))


def _with(outcome: Outcome, errors: Errors) -> Outcome:
    return outcome._replace(value_error=errors.value, gradient_error=errors.gradient)


def _weighed(entry: _Entry, x: Tensor, t: Tensor) -> _Entry:
    saved, held, peak = memory.measure(entry.contender.call, x, t)
    return _Entry(entry.contender, entry.outcome._replace(saved_bytes=saved, held_bytes=held, peak_bytes=peak))


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
