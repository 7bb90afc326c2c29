"""One loss on one block, from start to end: its learning rate chosen on validation data, and the run at that rate.

A unit needs nothing of any other, so units can be carried out in any order and anywhere, and the luck of choosing a
rate is part of what differs from block to block: were one choice kept for all blocks, a lucky rate would look like a
better loss (docs/decisions/0010).
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from losskit.experiment.pilot import best_rate, next_rate
from losskit.experiment.results import Done, Record
from losskit.experiment.runs import run_in_process
from losskit.experiment.store import Store
from losskit.experiment.training import Run


@dataclass(frozen=True)
class Unit:
    """Everything as text and numbers, so that it travels."""

    run: Run  # the measured one, at no rate yet
    settings: dict[str, Any]  # of the measured run, all but the rate
    rates: tuple[float, ...]  # ascending
    pilot: Run
    pilot_settings: dict[str, Any]
    higher_is_better: bool
    picture: Run | None = None  # to be shown, at the same rate
    picture_settings: dict[str, Any] | None = None


def carry_out(unit: Unit) -> Done:
    """Every run is on disk when it is finished, and what is there is not run again."""
    done = Done([], [])
    rate = unit.rates[0] if len(unit.rates) == 1 else choose(unit, done)
    if rate is None:
        return done
    record = obtain(unit.run, unit.settings, rate, done)
    if unit.picture is not None and unit.picture_settings is not None and "failure" not in record:
        obtain(unit.picture, unit.picture_settings, rate, done)
    return done


def choose(unit: Unit, done: Done) -> float | None:
    """The rate that is best on validation data; further rates are tried while the best is at an edge."""
    middle = len(unit.rates) // 2
    scores: dict[float, float | None] = {}
    rate: float | None = unit.rates[middle]
    waiting = [*unit.rates[:middle], *unit.rates[middle + 1 :]]
    while rate is not None:
        record = obtain(unit.pilot, unit.pilot_settings, rate, done)
        if record.get("kind") in ("crashed", "hung"):
            return None
        scores[rate] = record.get("validation")
        rate = waiting.pop(0) if waiting else next_rate(scores, unit.rates, higher_is_better=unit.higher_is_better)
    return best_rate(scores, higher_is_better=unit.higher_is_better)


def obtain(run: Run, settings: dict[str, Any], rate: float, done: Done) -> Record:
    """From disk, or by running it. A run that failed is tried again."""
    settings = {**settings, "rate": rate}
    store = Store(Path(run.folder))
    found = store.find(settings)
    if found is None:
        example = f"examples/{store.path(settings).stem}.npz" if run.examples is not None else None
        record = {**run_in_process(replace(run, rate=rate, examples=example)), "settings": settings}
        store.keep(record)
        found = record
        done.fresh.append(record)
    done.records.append(found)
    return found
