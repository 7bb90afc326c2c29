"""losskit.compare: train the same model with each loss, at its own best learning rate, over blocks of data."""

import contextlib
import errno
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from losskit.experiment.clusters import check_backend
from losskit.experiment.locking import locked
from losskit.experiment.progress import Progress
from losskit.experiment.results import Comparison, Findings
from losskit.experiment.tasks.task import InputError, Task
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

BUDGET = 10.0  # maximum minutes if neither budget nor blocks are given
LIMIT = 3600.0  # seconds for one run if neither limit nor budget is given
QUIET = 5.0  # minimum seconds between two drafts of the report


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
    size: int | None = None,
    margin: float | None = None,
    jobs: int | None = None,
    backend: str | None = None,
    address: str | None = None,
    patience: float = 60.0,
    limit: float | None = None,
    out: str | Path = "losskit-compare",
    progress: Progress | None = None,
) -> Comparison:
    """Train the same model with each loss at its own best learning rate, and report which is best.

    `losses` is one text with commas, a list of texts as for `losskit.build`, of modules and functions, or a mapping of
    names to those. The data are a built-in `task` (its name, or your own Task), a folder of `images` and one of
    `masks`, a table `csv` with its `target` column, or data in memory: `train`, `validation` and `test` are Datasets,
    or pairs of arrays (inputs, targets); `train` alone is split anew in every block. `groups` keeps items that belong
    together in one part. `make_model(channels=..., classes=...)` makes the model (or takes no arguments); the default
    is a small one. `metric` ranks the losses: a name, or a function of (outputs, targets).

    In every block, a seed and a split, each loss is trained at the same learning `rates` (three around the task's
    default; more if the best is at an edge), and the rate that is best on validation data is tested. Blocks are added
    until it is decided which loss is better than the `baseline` (BCE, cross-entropy or the squared error, added to the
    losses; "none" for no baseline), or that none gains more than the `margin` over it, or until `budget` minutes have
    passed; `blocks` sets a fixed number instead. `size` is the longest side of an image in pixels; larger images are
    scaled down. Every run is a process, `jobs` at a time on this machine, on the workers of a cluster (`backend` "dask"
    or "ray", and its `address`), or as set by `joblib.parallel_config`, and is saved under `out` when it is finished: a
    restart runs only what is missing. A run is stopped if no training step finishes within `patience` seconds, or if it
    takes more than `limit` seconds. Invalid input, and a folder that is not writable, raise
    `losskit.experiment.InputError`.
    """
    require_extras()
    # The sweep needs joblib, which is an extra.
    from losskit.experiment.shipping import ship
    from losskit.experiment.sweep import Request, Sweep
    from losskit.experiment.tuning import grid

    numbers = {"blocks": blocks, "budget": budget, "epochs": epochs, "batch_size": batch_size, "jobs": jobs}
    check_numbers({**numbers, "size": size, "margin": margin, "patience": patience, "limit": limit})
    check_model(make_model)
    check_backend(backend, address)
    memory = {"train": train, "validation": validation, "test": test, "metric": metric}
    files = {"images": images, "masks": masks, "csv": csv, "target": target, "groups": groups, "size": size}
    chosen = find_task(task, memory, {**files, "foreground": foreground, "empty": empty, "classes": classes})
    names, objects = read_losses(chosen.losses if losses is None else losses, chosen.spelled, chosen.class_counts)
    yardstick = chosen.baseline if baseline is None else None if baseline == "none" else baseline
    progress = progress or Progress()
    for line in (chosen.about, *chosen.notes):
        progress.say(line)
    if yardstick is not None and yardstick not in names:
        names += read_losses([yardstick])[0]
        progress.say(f"{yardstick} is added to the losses, as the baseline.")
    budget = BUDGET if budget is None and blocks is None else budget
    own_metric = metric if callable(metric) else None
    with writable(Path(out)) as folder:
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
                margin=margin,
                backend=backend,
                address=address,
            ),
            folder=folder,
            shipment=ship(objects, None if isinstance(make_model, str) else make_model, own_metric, folder),
            progress=progress,
            model=make_model if isinstance(make_model, str) else None,
        )
        return Reporter(sweep, yardstick).carry_out()


@contextlib.contextmanager
def writable(out: Path) -> Iterator[Path]:
    """The folder, locked against other comparisons; write errors become an InputError."""
    from losskit.experiment.sweep import GO_ON  # needs joblib, which is an extra

    try:
        with locked(make_folder(out)) as folder:
            yield folder
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EROFS, errno.EDQUOT, errno.EACCES, errno.EPERM):
            raise
        where = error.filename or out
        raise InputError(f"{where} cannot be written to ({error.strerror}). {GO_ON}") from error


class Reporter:
    """Carries out a sweep, and writes the report as soon as there are results, and again when there are more."""

    def __init__(self, sweep: "Sweep", baseline: str | None) -> None:
        self.sweep, self.baseline = sweep, baseline
        self.written = -math.inf

    def carry_out(self) -> Comparison:
        sweep = self.sweep
        try:
            sweep.announce()
            sweep.carry_out(self.after)
            comparison = self.comparison("done")
        finally:
            sweep.clean()
        self.write(comparison)
        return comparison

    def after(self, block: int) -> bool:
        """Report the state after a block; returns whether it is enough."""
        # Imports scipy, which is an extra.
        from losskit.experiment.decide import may_stop
        from losskit.experiment.verdict import so_far

        comparison = self.comparison("measuring")
        findings = comparison.findings
        known = so_far(findings.verdicts, findings.blocks, self.sweep.seconds_a_block)
        if known:
            self.sweep.progress.say(known)
        if time.monotonic() - self.written > QUIET:
            self.write(comparison)
            self.written = time.monotonic()
        return self.sweep.request.blocks is None and may_stop(findings.verdicts, findings.blocks)

    def write(self, comparison: Comparison) -> None:
        from losskit.experiment.report import write_report  # imports jinja2 and matplotlib, which are extras

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
            tuning=list(sweep.tuned),
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
                ("--budget", f"{request.budget:g}") if request.blocks is None else ("--blocks", str(request.blocks)),
                request.rates,
                request.margin,
            ),
            out=sweep.folder,
        )


def find(sweep: "Sweep", baseline: str | None) -> Findings:
    """The statistics of the runs so far."""
    # The statistics need scipy, which is an extra.
    from losskit.experiment.decide import settled
    from losskit.experiment.ranking import rank, verdicts_of
    from losskit.experiment.scores import measured
    from losskit.experiment.verdict import advice, cautions, headline

    task = sweep.task
    runs = {loss: found for loss in sweep.losses if (found := sweep.finished(loss))}
    failed = {
        loss: len({r["block"] for r in sweep.failures if r["loss"] == loss and r["role"] in ("tested", "fresh")})
        for loss in sweep.losses
    }
    known = {key for of in runs.values() for r in of for key, value in r["scores"].items() if value is not None}
    first = task.metrics[0]
    metrics = (first, *(m for m in measured(sweep.kind) if m.key in known - {first.key}))
    level = sweep.level(baseline)
    judged = (first,) if task.apart is None or task.apart.key not in known else (first, task.apart)
    verdicts = verdicts_of(runs, judged, baseline, level, sweep.overlap, sweep.request.margin)
    ranking = rank(runs, failed, metrics, verdicts[0], level, sweep.overlap)
    compared = verdicts[0].baseline
    pairs = [pair for pair in verdicts[0].pairs if compared in (None, pair.better, pair.worse)]
    detectable = sorted(pair.detectable for pair in pairs if pair.detectable is not None)
    reasons = {record["loss"]: record["failure"] for record in reversed(sweep.failures)}
    lost = {loss: reasons[loss] for loss in sweep.losses if loss in reasons and loss not in runs}
    blocks = min((standing.blocks for standing in ranking), default=0)
    return Findings(
        metric=first,
        metrics=metrics,
        verdicts=verdicts,
        tunings=tuple(sweep.tunings),
        ranking=ranking,
        baseline=compared,
        blocks=blocks,
        settled=settled(verdicts),
        detectable=detectable[len(detectable) // 2] if detectable else None,
        verdict=headline(verdicts, blocks),
        advice=advice(verdicts, task, sweep.request.budget),
        cautions=cautions(verdicts, ranking, sweep.tunings, lost, task.groups),
    )
