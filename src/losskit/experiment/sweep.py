"""A comparison as units of work, every loss on block after block, for as long as the budget lasts."""

import itertools
import shutil
import statistics
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from joblib import Parallel, cpu_count, delayed
from joblib.parallel import ThreadingBackend, get_active_backend

from losskit.experiment.pilot import LENGTH, pilot
from losskit.experiment.progress import Progress
from losskit.experiment.results import Done, Pilot, Record
from losskit.experiment.shipping import Shipment
from losskit.experiment.store import Store, library, source_digest
from losskit.experiment.tasks.task import Data, Split, Task
from losskit.experiment.training import Run
from losskit.experiment.units import Unit, carry_out

MOST_BLOCKS = 30  # of a budget
PICTURE_BLOCK = 1  # whose units also train on the task's picture


@dataclass(frozen=True)
class Request:
    """How long, how many and how careful."""

    epochs: int
    batch_size: int
    rates: tuple[float, ...]
    blocks: int | None  # None: as many as the budget allows
    budget: float | None  # minutes; None: until the blocks are done
    jobs: int | None
    patience: float
    limit: float

    @property
    def most_blocks(self) -> int:
        return MOST_BLOCKS if self.blocks is None else self.blocks


@dataclass
class Sweep:
    """Runs what is not on disk, and holds what is known so far."""

    task: Task
    losses: list[str]
    request: Request
    folder: Path
    shipment: Shipment
    progress: Progress
    model: str | None = None
    piloted: list[Record] = field(default_factory=list)
    measured: list[Record] = field(default_factory=list)
    pictures: list[Record] = field(default_factory=list)
    failures: list[Record] = field(default_factory=list)
    given_up: set[str] = field(default_factory=set)  # losses that crashed or hung: nothing more is tried with them

    def __post_init__(self) -> None:
        self.started = time.monotonic()
        self.store = Store(self.folder)
        self.scratch = self.folder / "data"
        self.scratch.mkdir(exist_ok=True)
        self.seconds: list[float] = []  # of units that were run here and now
        self.flying = 0
        self.files: dict[tuple[str, int], dict[str, tuple[str, str]]] = {}

    def clean(self) -> None:
        shutil.rmtree(self.scratch, ignore_errors=True)

    def announce(self) -> None:
        """What is here already; and the first data, so that what is wrong with them is told before any training."""
        self.data(self.task, 0)
        shared = {loss: self.shared(loss) for loss in self.losses}
        here, other, changed = self.store.survey(shared, {"task": self.task.name})
        if here:
            self.progress.say(f"{here} runs are in {self.store.folder} already.")
        if other:
            self.progress.say(
                f"{other} runs in {self.store.folder} are not used: made with other settings ({changed})."
            )

    # --- what is known of the task

    @cached_property
    def first_data(self) -> Data:
        return self.task.data(0)

    @property
    def kind(self) -> str:
        return self.first_data.kind

    @property
    def overlap(self) -> float:
        """Of blocks that redraw the same items: test over training, as the statistics take it."""
        data = self.first_data
        return 0.0 if self.task.groups is None else len(data.test) / len(data.train)

    @property
    def pilots(self) -> list[Pilot]:
        tried = [*self.piloted, *(record for record in self.failures if record["pilot"])]
        rates = {loss: {r["block"]: r["rate"] for r in self.measured if r["loss"] == loss} for loss in self.losses}
        return [pilot(loss, [r for r in tried if r["loss"] == loss], rates[loss]) for loss in self.losses]

    # --- time

    @property
    def minutes(self) -> float:
        return (time.monotonic() - self.started) / 60

    @cached_property
    def workers(self) -> int:
        """Units at a time: what joblib is configured for, or one for each core."""
        if self.request.jobs is not None:
            return self.request.jobs
        backend, configured = get_active_backend(prefer="threads")
        if isinstance(backend, ThreadingBackend) and configured in (None, 1):
            return int(cpu_count())
        return int(configured if configured is not None else backend.default_n_jobs)

    def affords(self, units: int) -> bool:
        """Whether so many more, beside those going on, end within the budget if they take as long as the others."""
        if self.request.budget is None:
            return True
        atonce = self.workers if self.workers > 0 else units
        longest = statistics.median(self.seconds or [0.0]) * (units + self.flying) / atonce
        return 60 * self.minutes + longest <= 60 * self.request.budget

    # --- work

    def carry_out(self, on_block: Callable[[], None]) -> None:
        """Block after block; tells after every finished one."""
        runs = None if self.request.blocks is None else len(self.losses) * self.request.blocks
        self.progress.start(runs, self.task.metrics[0])
        missing: dict[int, int] = {}  # units that a block waits for
        try:
            for done in in_parallel(map(delayed(carry_out), self.units(missing)), self.workers):
                self.flying -= 1
                self.take(done)
                block = done.records[0]["block"]
                missing[block] -= 1
                if missing[block] == 0:
                    on_block()
        finally:
            self.progress.stop()
        order = {loss: n for n, loss in enumerate(self.losses)}
        for records in (self.measured, self.pictures, self.failures, self.piloted):
            records.sort(key=lambda r: (order[r["loss"]], r["block"], r["rate"]))

    def units(self, missing: dict[int, int]) -> Iterator[Unit]:
        for block in range(self.request.most_blocks):
            losses = [loss for loss in self.losses if loss not in self.given_up]
            if not losses or (block > 0 and not self.affords(len(losses))):
                return
            missing[block] = len(losses)
            self.flying += len(losses)
            yield from (self.unit(loss, block) for loss in losses)

    def take(self, done: Done) -> None:
        """Sort what a unit left."""
        for record in done.records:
            if "failure" in record:
                self.failures.append(record)
                if record["kind"] in ("crashed", "hung"):
                    self.given_up.add(record["loss"])
            else:
                kind = self.piloted if record["pilot"] else self.pictures if record["picture"] else self.measured
                kind.append(record)
        if done.fresh and "failure" not in done.records[-1]:
            self.seconds.append(sum(record["seconds"] for record in done.fresh))
        self.progress.finish(done)

    def unit(self, loss: str, block: int) -> Unit:
        request, task = self.request, self.task
        shorter = max(1, round(request.epochs * LENGTH))
        files = self.data(task, block)
        own = self.run(task, loss, block, request.epochs, request.batch_size, files["whole"])
        short = self.run(task, loss, block, shorter, request.batch_size, files["pilot"], pilot=True)
        unit = Unit(
            run=own,
            settings=self.settings(own, task, files["whole"][1]),
            rates=request.rates,
            pilot=short,
            pilot_settings=self.settings(short, task, files["pilot"][1]),
            higher_is_better=task.metrics[0].higher_is_better,
        )
        if task.picture is None or block != min(PICTURE_BLOCK, request.most_blocks - 1):
            return unit
        shown = task.picture
        data = self.data(shown, 0)["whole"]
        picture = self.run(shown, loss, block, shown.epochs, shown.batch_size, data, picture=True)
        return replace(unit, picture=picture, picture_settings=self.settings(picture, shown, data[1]))

    def run(
        self,
        task: Task,
        loss: str,
        block: int,
        epochs: int,
        batch_size: int,
        data: tuple[str, str],
        *,
        pilot: bool = False,
        picture: bool = False,
    ) -> Run:
        return Run(
            loss=loss,
            block=block,
            rate=0.0,
            pilot=pilot,
            picture=picture,
            epochs=epochs,
            batch_size=batch_size,
            metric=task.metrics[0].key,
            patience=self.request.patience,
            limit=self.request.limit,
            data=data[0],
            model=self.model,
            shipped=self.shipment.file,
            folder=str(self.folder.resolve()),
            examples="" if picture or (block == 0 and not pilot) else None,
        )

    def settings(self, run: Run, task: Task, digest: str) -> dict[str, Any]:
        """Everything that decides the numbers of a run, but its rate."""
        return {
            **{name: getattr(run, name) for name in ("loss", "block", "pilot", "picture", "metric", "epochs")},
            **self.shared(run.loss),
            "task": task.name,
            "batch size": run.batch_size,
            "the data": digest,
        }

    def shared(self, loss: str) -> dict[str, Any]:
        """Settings that all runs of a loss share."""
        model = source_digest(self.model) if self.model is not None else None
        return {
            **library(),
            "the loss's source": self.shipment.digest(loss) or source_digest(loss),
            "the model": self.shipment.digest_of_model or model,
            "the metric": self.shipment.digest_of_metric,
        }

    def data(self, task: Task, block: int) -> dict[str, tuple[str, str]]:
        """The block's data in files, with their digests: the whole, and the pilot's, which holds no test part."""
        place = (task.name, block)
        if place not in self.files:
            whole = self.first_data if (task is self.task and block == 0) else task.data(block)
            self.files[place] = {"whole": self.save(whole), "pilot": self.save(without_test(whole))}
        return self.files[place]

    def save(self, data: Data) -> tuple[str, str]:
        digest = data.digest()
        path = self.scratch / f"{digest}.pt"
        if not path.exists():
            draft = path.with_suffix(".tmp")
            data.save(draft)
            draft.replace(path)
        return str(path.resolve()), digest


def without_test(data: Data) -> Data:
    return replace(data, test=Split([], []))


def in_parallel(calls: Iterator[Any], workers: int) -> Iterator[Done]:
    """As each finishes, on whatever backend joblib is configured for; a few at a time where it returns lists only."""
    backend, _ = get_active_backend(prefer="threads")
    options = {"n_jobs": workers, "prefer": "threads", "batch_size": 1, "pre_dispatch": "n_jobs"}
    if backend.supports_return_generator:
        with warnings.catch_warnings(), closing(Parallel(**options, return_as="generator_unordered")(calls)) as found:
            warnings.filterwarnings("ignore", message=".*have been cancelled")  # when we are: that is what is wanted
            yield from found
        return
    while some := list(itertools.islice(calls, workers if workers > 0 else cpu_count())):
        yield from Parallel(**options)(some)
