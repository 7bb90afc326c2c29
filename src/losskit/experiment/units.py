"""One loss on one block, from start to end: every rate trained, the best on validation data tested, and a fresh run.

A unit needs nothing of any other, so units can be carried out in any order and anywhere, and the luck of choosing a
rate is part of what differs from block to block: were one choice kept for all blocks, a lucky rate would look like a
better loss (docs/decisions/0010). The fresh run, at the same rate on data of its own, halves the noise for a quarter
more (docs/decisions/0015).
"""

import contextlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from losskit.experiment.results import Done, Record
from losskit.experiment.runs import run_in_process
from losskit.experiment.store import Store
from losskit.experiment.training import Run
from losskit.experiment.tuning import best_rate, next_rate

TRIES = 2  # of a run that the system killed


@dataclass(frozen=True)
class Ask:
    """A run at no rate yet, and everything that decides its numbers."""

    run: Run
    settings: dict[str, Any]


@dataclass(frozen=True)
class Unit:
    """Everything as text and numbers, so that it travels."""

    tuning: Ask
    tested: Ask
    rates: tuple[float, ...]  # ascending
    higher_is_better: bool
    fresh: Ask | None = None
    picture: Ask | None = None  # to be shown, at the same rate


def carry_out(unit: Unit) -> Done:
    """Every run is on disk when it is finished, and what is there is not run again."""
    done = Done([], [])
    tuned = [] if len(unit.rates) == 1 else tune(unit, done)
    if tuned is None:
        return done
    rate = best_rate({r["rate"]: r.get("validation") for r in tuned}, higher_is_better=unit.higher_is_better)
    if tuned and rate is None:
        return done
    chosen = next((record for record in tuned if record["rate"] == rate), None)
    record = obtain(unit.tested, unit.rates[0] if rate is None else rate, done, chosen)
    for ask in (unit.fresh, unit.picture):
        if ask is not None and "failure" not in record:
            obtain(ask, record["rate"], done)
    for each in tuned:
        with contextlib.suppress(OSError):
            (Path(unit.tested.run.folder) / weights_of(unit, each["rate"])).unlink()
    return done


def tune(unit: Unit, done: Done) -> list[Record] | None:
    """A record for each rate, and further rates while the best is at an edge. None: the loss cannot be trained."""
    middle = len(unit.rates) // 2
    records: list[Record] = []
    rate: float | None = unit.rates[middle]
    waiting = [*unit.rates[:middle], *unit.rates[middle + 1 :]]
    while rate is not None:
        run = replace(unit.tuning.run, weights=weights_of(unit, rate))
        records.append(obtain(replace(unit.tuning, run=run), rate, done))
        if records[-1].get("kind") not in (None, "diverged"):
            return None
        scores = {record["rate"]: record.get("validation") for record in records}
        rate = waiting.pop(0) if waiting else next_rate(scores, unit.rates, higher_is_better=unit.higher_is_better)
    return records


def weights_of(unit: Unit, rate: float) -> str:
    """Where the tuning run at this rate leaves what it learnt, in the folder."""
    store = Store(Path(unit.tuning.run.folder))
    return f"weights/{store.path({**unit.tuning.settings, 'rate': rate}).stem}.pt"


def obtain(ask: Ask, rate: float, done: Done, trained: Record | None = None) -> Record:
    """From disk, or by running it; what a tested run did not train itself comes from the record of who did."""
    settings = {**ask.settings, "rate": rate}
    store = Store(Path(ask.run.folder))
    found = store.find(settings)
    if found is None:
        name = store.path(settings).stem
        run = replace(ask.run, rate=rate, examples=None if ask.run.examples is None else f"examples/{name}.npz")
        if trained is not None:
            run = replace(run, weights=f"weights/{store.path(trained['settings']).stem}.pt")
        record: Record = {}
        for _ in range(TRIES):
            record = run_in_process(run)
            if record.get("kind") != "killed":
                break
        if trained is not None and "failure" not in record:
            record = {**trained, **record}
        found = {**record, "settings": settings}
        store.keep(found)
        done.fresh.append(found)
    done.records.append(found)
    return found
