"""losskit.compare: the same model trained with each loss at its own best learning rate, over blocks of data."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from losskit.experiment.progress import Progress
from losskit.experiment.results import Comparison, Findings
from losskit.experiment.tasks.task import Task
from losskit.experiment.user_input import (
    check_model,
    check_numbers,
    check_rates,
    command_of,
    find_task,
    make_folder,
    read_losses,
    require_extras,
)

if TYPE_CHECKING:
    from losskit.experiment.sweep import Sweep

BUDGET = 11.0  # minutes, when neither budget nor blocks are given: five blocks or six on two cores
LIMIT = 3600.0  # seconds for one run, when neither they nor a budget are given
QUIET = 5.0  # seconds, at least, between two drafts of the report


def compare(
    losses: str | Sequence[Any] | Mapping[str, Any] | None = None,
    make_model: str | Callable[..., Any] | None = None,
    train: Any = None,
    validation: Any = None,
    test: Any = None,
    metric: Any = None,
    *,
    task: str | Task | None = None,
    images: str | Path | None = None,
    masks: str | Path | None = None,
    csv: str | Path | None = None,
    target: str | None = None,
    groups: str | Sequence[Any] | None = None,
    foreground: float | None = None,
    empty: float | None = None,
    classes: int | None = None,
    baseline: str | None = None,
    blocks: int | None = None,
    budget: float | None = None,
    rates: Sequence[float] | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    jobs: int | None = None,
    patience: float = 60.0,
    limit: float | None = None,
    out: str | Path = "losskit-compare",
    progress: Progress | None = None,
) -> Comparison:
    """Train the same model with each loss at its own best learning rate, and say which is best; with a report.

    `losses` is one text with commas, a list of texts as `losskit.build` reads them, of modules and functions, or a
    mapping of names to those. The data are a built-in `task` (its name, or a Task of yours), a folder of `images` and
    one of `masks`, a table `csv` with its `target` column, or what you hold in memory: `train`, `validation` and `test`
    are Datasets, or pairs of arrays (inputs, targets); `train` alone is split anew in every block. `groups` keeps what
    belongs together in one part. `make_model(channels=..., classes=...)` makes the model (or takes neither); the
    default is a small one. `metric` ranks: a name, or a function of (outputs, targets).

    In every block, a seed and a split, each loss is tried at the same learning `rates` on validation data (three around
    the task's own; further ones where the best is at an edge), and trained at its best one. There are so many `blocks`,
    or as many as `budget` minutes allow. The
    `baseline` (BCE, cross-entropy or the squared error) joins the losses; "none" leaves it out. Every run is a process
    of its own, `jobs` at a time on this machine, or wherever `joblib.parallel_config` says, and is on disk under `out`
    when it is finished: started again, only what is missing is run. A run is given up when no training step is done in
    `patience` seconds, or all of it in `limit`. Bad input raises `losskit.experiment.InputError`.
    """
    require_extras()
    # The sweep needs joblib, which is an extra.
    from losskit.experiment.pilot import grid
    from losskit.experiment.shipping import ship
    from losskit.experiment.sweep import Request, Sweep

    numbers = {"blocks": blocks, "budget": budget, "epochs": epochs, "batch_size": batch_size, "jobs": jobs}
    check_numbers({**numbers, "patience": patience, "limit": limit})
    check_model(make_model)
    memory = {"train": train, "validation": validation, "test": test, "metric": metric}
    files = {"images": images, "masks": masks, "csv": csv, "target": target, "groups": groups}
    chosen = find_task(task, memory, {**files, "foreground": foreground, "empty": empty, "classes": classes})
    names, objects = read_losses(chosen.losses if losses is None else losses)
    yardstick = chosen.baseline if baseline is None else None if baseline == "none" else baseline
    progress = progress or Progress()
    for line in (chosen.about, *chosen.notes):
        progress.say(line)
    if yardstick is not None and yardstick not in names:
        names += read_losses([yardstick])[0]
        progress.say(f"{yardstick} joins the losses, to measure what the others gain.")
    budget = BUDGET if budget is None and blocks is None else budget
    folder = make_folder(Path(out))
    own_metric = metric if callable(metric) else None
    sweep = Sweep(
        task=chosen,
        losses=names,
        request=Request(
            epochs=epochs or chosen.epochs,
            batch_size=batch_size or chosen.batch_size,
            rates=tuple(grid(chosen.learning_rate)) if rates is None else check_rates(rates),
            blocks=blocks,
            budget=budget,
            jobs=jobs,
            patience=patience,
            limit=limit or (LIMIT if budget is None else max(60.0, 60 * budget)),
        ),
        folder=folder,
        shipment=ship(objects, None if isinstance(make_model, str) else make_model, own_metric, folder),
        progress=progress,
        model=make_model if isinstance(make_model, str) else None,
    )
    return Reporter(sweep, yardstick).carry_out()


class Reporter:
    """Carries out a sweep, and writes the report as soon as there is something to say, and again when there is more."""

    def __init__(self, sweep: "Sweep", baseline: str | None) -> None:
        self.sweep, self.baseline = sweep, baseline
        self.written = -math.inf

    def carry_out(self) -> Comparison:
        sweep = self.sweep
        try:
            sweep.announce()
            sweep.carry_out(lambda: self.draft("measuring"))
            comparison = self.comparison("done")
        finally:
            sweep.clean()
        self.write(comparison)
        return comparison

    def draft(self, stage: str) -> None:
        if time.monotonic() - self.written > QUIET:
            self.write(self.comparison(stage))
            self.written = time.monotonic()

    def write(self, comparison: Comparison) -> None:
        from losskit.experiment.report import write_report  # with jinja2 and matplotlib, which are extras

        write_report(comparison)

    def comparison(self, stage: str) -> Comparison:
        sweep = self.sweep
        request = sweep.request
        findings = find(sweep, self.baseline)
        return Comparison(
            task=sweep.task,
            losses=sweep.losses,
            epochs=request.epochs,
            findings=findings,
            runs=list(sweep.measured),
            pilots=list(sweep.piloted),
            pictures=list(sweep.pictures),
            failures=list(sweep.failures),
            stage=stage,
            budget=request.budget,
            minutes=sweep.minutes,
            command=command_of(
                sweep.task,
                sweep.losses,
                self.baseline,
                sweep.model,
                request.epochs,
                request.batch_size,
                findings.blocks,
            ),
            out=sweep.folder,
        )


def find(sweep: "Sweep", baseline: str | None) -> Findings:
    """What the statistics say about the runs so far."""
    # The statistics need scipy, which is an extra.
    from losskit.experiment.ranking import rank
    from losskit.experiment.scores import measured
    from losskit.experiment.verdict import cautions, verdict

    task = sweep.task
    runs = {loss: [r for r in sweep.measured if r["loss"] == loss] for loss in sweep.losses}
    failed = {loss: sum(r["loss"] == loss and not r["pilot"] for r in sweep.failures) for loss in sweep.losses}
    found = {key for record in sweep.measured for key, value in record["scores"].items() if value is not None}
    first = task.metrics[0]
    metrics = (first, *(m for m in measured(sweep.kind) if m.key in found - {first.key}))
    ranking, pairs = rank(runs, failed, metrics, baseline, sweep.overlap)
    detectable = sorted(pair.detectable for pair in pairs if pair.detectable is not None)
    ranked = {standing.loss for standing in ranking}
    reasons = {record["loss"]: record["failure"] for record in reversed(sweep.failures)}
    lost = {loss: reasons[loss] for loss in sweep.losses if loss in reasons and loss not in ranked}
    pilots = sweep.pilots
    return Findings(
        metric=first,
        metrics=metrics,
        pilots=tuple(pilots),
        ranking=ranking,
        pairs=pairs,
        baseline=baseline if any(standing.loss == baseline for standing in ranking) else None,
        blocks=min((standing.blocks for standing in ranking), default=0),
        detectable=detectable[len(detectable) // 2] if detectable else None,
        verdict=verdict(ranking, first, baseline, task.groups),
        cautions=cautions(ranking, pilots, lost, task.groups, baseline),
    )
