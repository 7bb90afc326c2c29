"""Measures one cell: checks every contender, compiles the peers, then measures time and memory of those that passed.

The losskit kernels alone and the memory floor are timed interleaved with them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from time import perf_counter
from typing import NamedTuple

import torch
from torch import Tensor

from bench import memory, timing
from bench.contenders import OURS, TUTORIAL, Contender, contenders, ours
from bench.floor import FLOOR, TWICE, floors, read
from bench.gate import Errors, Gate, Refused
from bench.kernels import KERNELS, kernels
from bench.workloads import Cell

OK, REFUSED, SKIPPED, FAILED = "ok", "refused", "skipped", "failed"


class Settings(NamedTuple):
    rounds: int = 40
    compile_limit: float = 60.0  # seconds


class Outcome(NamedTuple):
    """One contender of a cell: one line of the CSV."""

    library: str
    how: str
    compiled: bool
    status: str
    why: str = ""
    minimum_ms: float | None = None
    median_ms: float | None = None
    runs: int | None = None
    forward_minimum_ms: float | None = None  # the value without gradient
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
    x: Tensor
    t: Tensor


def measure(cell: Cell, settings: Settings, field: Callable[[Cell], list[Contender]] = contenders) -> list[Outcome]:
    """The outcome of every contender: its figures, or the reason for their absence."""
    torch.set_num_threads(cell.threads)
    gate = Gate(replace(cell, variant=""))
    x, t = gate.x, gate.t
    entries = [_checked(contender, gate) for contender in field(cell)]
    if cell.variant:
        entries.append(_checked(ours(cell), Gate(cell)))
    if cell.compiled:
        peers = [e for e in entries if e.outcome.status == OK and e.outcome.library not in (OURS, TUTORIAL)]
        entries += [_compiled(e.contender, gate, settings) for e in peers]
    timed = [_weighed(e) for e in entries if e.outcome.status == OK]
    bare = [kernels(e.contender.call, x, t) for e in timed if e.outcome.library == OURS]
    timed += [_Entry(f, Outcome(f.library, f.how, False, OK), x, t) for f in (*filter(None, bare), *floors())]
    return _timed(timed, cell, settings.rounds) + [e.outcome for e in entries if e.outcome.status != OK]


def _timed(entries: list[_Entry], cell: Cell, rounds: int) -> list[Outcome]:
    """Time forward and backward, then the value alone except for compiled contenders, which would recompile."""
    alone = [e for e in entries if not e.outcome.compiled and e.outcome.library not in (TWICE, KERNELS)]
    taken, values = (
        timing.interleaved(actions, rounds, by_cpu_time=cell.by_cpu_time)
        for actions in ([_step(e) for e in entries], [_value(e) for e in alone])
    )
    forward = dict(zip((id(e) for e in alone), values, strict=True))
    found = []
    for entry, step in zip(entries, taken, strict=True):
        value = forward.get(id(entry))
        found.append(
            entry.outcome._replace(
                minimum_ms=1e3 * step.minimum, median_ms=1e3 * step.median, runs=step.runs,
                forward_minimum_ms=1e3 * value.minimum if value else None,
                forward_median_ms=1e3 * value.median if value else None,
                logits_bytes=entry.x.untyped_storage().nbytes(),
            )
        )  # fmt: skip
    return found


def _step(entry: _Entry) -> timing.Action:
    call, x, t = entry.contender.call, entry.x, entry.t
    if entry.outcome.library in (FLOOR, TWICE, KERNELS):
        return lambda: call(x, t)
    return lambda: torch.autograd.grad(call(x, t), x)


def _value(entry: _Entry) -> timing.Action:
    call, x, t = entry.contender.call, entry.x, entry.t
    call = read if entry.outcome.library == FLOOR else call

    def value() -> Tensor:
        with torch.no_grad():
            return call(x, t)

    return value


def _checked(contender: Contender, gate: Gate) -> _Entry:
    outcome = Outcome(contender.library, contender.how, False, OK)
    try:
        gate.function(contender.call)
        outcome = _with(outcome, gate.numbers(contender.call))
    except Refused as refusal:
        outcome = outcome._replace(status=REFUSED, why=str(refusal))
    except Exception as error:  # noqa: BLE001 - any error of another library
        outcome = outcome._replace(status=FAILED, why=_said(error))
    return _Entry(contender, outcome, gate.x, gate.t)


def _compiled(eager: Contender, gate: Gate, settings: Settings) -> _Entry:
    """The contender under torch.compile, which must pass the same check within the time limit."""
    contender = eager._replace(call=torch.compile(eager.call, dynamic=False))
    outcome = Outcome(contender.library, contender.how, True, OK)
    start = perf_counter()
    try:
        with timing.limited(settings.compile_limit):
            outcome = _with(outcome, gate.numbers(contender.call))
        outcome = outcome._replace(compile_s=perf_counter() - start)
    except timing.TooLong:
        outcome = outcome._replace(status=SKIPPED, why=f"compiling took longer than {settings.compile_limit:g} s")
    except Refused as refusal:
        outcome = outcome._replace(status=REFUSED, why=str(refusal))
    except Exception as error:  # noqa: BLE001
        outcome = outcome._replace(status=FAILED, why=_said(error))
    return _Entry(contender, outcome, gate.x, gate.t)


def _with(outcome: Outcome, errors: Errors) -> Outcome:
    return outcome._replace(value_error=errors.value, gradient_error=errors.gradient)


def _weighed(entry: _Entry) -> _Entry:
    saved, held, peak = memory.measure(entry.contender.call, entry.x, entry.t)
    return entry._replace(outcome=entry.outcome._replace(saved_bytes=saved, held_bytes=held, peak_bytes=peak))


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
