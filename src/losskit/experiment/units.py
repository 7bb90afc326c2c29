"""One loss on one block: every rate trained, the best on validation data tested, and a fresh run.

Units are independent, so they can be carried out in any order and anywhere. The luck of choosing a rate is part of the
variation between blocks: if one choice were kept for all blocks, a lucky rate would look like a better loss
(docs/decisions/0010). The fresh run, at the same rate on its own data, halves the noise for a quarter more time
(docs/decisions/0015).
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

TRIES = 2  # attempts for a run that the system killed


@dataclass(frozen=True)
class RunTemplate:
    """A run without a rate, and everything else that determines its numbers."""

    run: Run
    settings: dict[str, Any]


@dataclass(frozen=True)
class Unit:
    """Text and numbers only, so that it can be sent to another machine."""

    tuning: RunTemplate
    tested: RunTemplate
    rates: tuple[float, ...]  # ascending
    higher_is_better: bool
    fresh: RunTemplate | None = None
    picture: RunTemplate | None = None  # shown in the report, at the same rate


def carry_out(unit: Unit) -> Done:
    """Every finished run is saved, and existing ones are not repeated."""
    done = Done([], [])
    tuned = [] if len(unit.rates) == 1 else tune(unit, done)
    if tuned is None:
        return done
    rate = best_rate({r["rate"]: r.get("validation") for r in tuned}, higher_is_better=unit.higher_is_better)
    if tuned and rate is None:
        return done
    chosen = next((record for record in tuned if record["rate"] == rate), None)
    record = obtain(unit.tested, unit.rates[0] if rate is None else rate, done, chosen)
    for template in (unit.fresh, unit.picture):
        if template is not None and "failure" not in record:
            obtain(template, record["rate"], done)
    for each in tuned:
        with contextlib.suppress(OSError):
            (Path(unit.tested.run.folder) / weights_of(unit, each["rate"])).unlink()
    return done


def tune(unit: Unit, done: Done) -> list[Record] | None:
    """One record per rate, with further rates while the best is at an edge. None: the loss cannot be trained."""
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
    """The file in the folder in which the tuning run at this rate saves its weights."""
    store = Store(Path(unit.tuning.run.folder))
    return f"weights/{store.path({**unit.tuning.settings, 'rate': rate}).stem}.pt"


def obtain(template: RunTemplate, rate: float, done: Done, trained: Record | None = None) -> Record:
    """Read a run or carry it out; the training results of a tested run come from the run that trained it."""
    settings = {**template.settings, "rate": rate}
    store = Store(Path(template.run.folder))
    found = store.find(settings)
    if found is None:
        name = store.path(settings).stem
        run = replace(
            template.run, rate=rate, examples=None if template.run.examples is None else f"examples/{name}.npz"
        )
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
