"""A comparison as units of work, every loss on each block, until it is decided or the time is over."""

import itertools
import shutil
import statistics
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from joblib import Parallel, cpu_count, delayed
from joblib.parallel import ThreadingBackend, get_active_backend

from losskit.experiment.clusters import Cluster, connect, on_cluster
from losskit.experiment.levels import LOOKS, Level, level
from losskit.experiment.progress import Progress
from losskit.experiment.results import Done, Record, Tuning
from losskit.experiment.runs import POOL, Stopped
from losskit.experiment.shipping import Shipment
from losskit.experiment.store import Store, library, source_digest
from losskit.experiment.tasks.task import Data, InputError, Split, Task
from losskit.experiment.training import Role, Run
from losskit.experiment.tuning import tuning_of
from losskit.experiment.units import RunTemplate, Unit, carry_out

MOST_BLOCKS = LOOKS[-1]  # unless a number is given
PICTURE_BLOCK = 1  # the block whose units also train on the task's picture


@dataclass(frozen=True)
class Request:
    """Duration, sizes and limits of a comparison."""

    epochs: int
    batch_size: int
    rates: tuple[float, ...]
    blocks: int | None  # None: until decided, or as many as the budget allows
    budget: float | None  # maximum minutes; None: until the blocks are done
    jobs: int | None
    patience: float
    limit: float
    margin: float | None = None  # of the ranking score; None: the metric's default
    backend: str | None = None  # kind of cluster that trains; None: joblib, on this machine
    address: str | None = None  # of the cluster

    @property
    def most_blocks(self) -> int:
        return MOST_BLOCKS if self.blocks is None else self.blocks


@dataclass
class Sweep:
    """Runs what is not on disk, and keeps the results so far."""

    task: Task
    losses: list[str]
    request: Request
    folder: Path
    shipment: Shipment
    progress: Progress
    model: str | None = None
    tuned: list[Record] = field(default_factory=list)
    measured: list[Record] = field(default_factory=list)
    pictures: list[Record] = field(default_factory=list)
    failures: list[Record] = field(default_factory=list)
    given_up: set[str] = field(default_factory=set)  # losses that crashed or hung: not run again

    def __post_init__(self) -> None:
        self.started = time.monotonic()
        self.store = Store(self.folder)
        self.scratch = self.folder / "data"
        self.scratch.mkdir(exist_ok=True)
        self.seconds: list[float] = []  # of units that were run in this sweep
        self.flying = 0
        self.problem: Exception | None = None
        self.files: dict[tuple[str, int], tuple[Path, str]] = {}

    def clean(self) -> None:
        shutil.rmtree(self.scratch, ignore_errors=True)
        with suppress(OSError):
            (self.folder / "weights").rmdir()  # stays if a stopped run left files

    def announce(self) -> None:
        """Report existing runs; then make the first data, so that errors in them are reported before any training."""
        self.data(self.task, 0)
        damaged = self.store.repair()
        if damaged:
            self.progress.say(f"Damaged files in {self.folder} were set aside and are run again: {', '.join(damaged)}.")
        shared = {loss: self.shared(loss) for loss in self.losses}
        here, other, changed = self.store.survey(shared, {"task": self.task.name})
        if here:
            self.progress.say(f"{here} runs are already in {self.store.folder}.")
        if other:
            self.progress.say(
                f"{other} runs in {self.store.folder} are not used: made with other settings ({changed})."
            )

    # --- properties of the task

    @cached_property
    def first_data(self) -> Data:
        return self.task.data(0)

    @property
    def kind(self) -> str:
        return self.first_data.kind

    @property
    def overlap(self) -> float:
        """Overlap of blocks that redraw the same items: test size over training size, as the statistics need it."""
        data = self.first_data
        return 0.0 if self.task.groups is None else len(data.test) / len(data.train)

    @property
    def has_fresh(self) -> bool:
        """Whether a block has a second part with its own data: if data are drawn anew and rates are chosen."""
        return self.task.groups is None and len(self.request.rates) > 1

    @property
    def tunings(self) -> list[Tuning]:
        tried = [*self.tuned, *(record for record in self.failures if record["role"] == "tuning")]
        rates = {loss: {r["block"]: r["rate"] for r in self.measured if r["loss"] == loss} for loss in self.losses}
        return [tuning_of(loss, [r for r in tried if r["loss"] == loss], rates[loss]) for loss in self.losses]

    def finished(self, loss: str) -> list[Record]:
        """The tested and fresh runs of complete blocks."""
        found = [record for record in self.measured if record["loss"] == loss]
        parts: dict[int, int] = {}
        for record in found:
            parts[record["block"]] = parts.get(record["block"], 0) + 1
        return [record for record in found if parts[record["block"]] == 1 + self.has_fresh]

    def level(self, baseline: str | None) -> Level:
        """The local significance level of this look."""
        known = any(self.finished(loss) for loss in self.losses if loss == baseline)
        return level(fixed=self.request.blocks is not None, baseline=known)

    # --- time

    @property
    def minutes(self) -> float:
        return (time.monotonic() - self.started) / 60

    @cached_property
    def cluster(self) -> Cluster | None:
        return None if self.request.backend is None else connect(self.request.backend, self.request.address)

    @cached_property
    def workers(self) -> int:
        """Concurrent units: the workers of the cluster, as configured for joblib, or one per core; -1 for all."""
        if self.request.jobs is not None:
            return self.request.jobs
        if self.cluster is not None:
            return self.cluster.workers
        backend, configured = get_active_backend(prefer="threads")
        if isinstance(backend, ThreadingBackend) and configured in (None, 1):
            return int(cpu_count())
        return -1 if configured is None else int(configured)

    def affords(self, units: int) -> bool:
        """Whether this many more units, beside the running ones, would end in the budget at the average duration."""
        if self.request.budget is None:
            return True
        atonce = self.workers if self.workers > 0 else units
        longest = statistics.median(self.seconds or [0.0]) * (units + self.flying) / atonce
        return 60 * self.minutes + longest <= 60 * self.request.budget

    @property
    def seconds_a_block(self) -> float:
        return statistics.median(self.seconds or [0.0]) * len(self.losses) / max(self.workers, 1)

    # --- work

    def carry_out(self, on_block: Callable[[int], bool]) -> None:
        """Run block after block; calls `on_block` after each finished one, and ends when that returns True."""
        runs = None if self.request.blocks is None else len(self.losses) * self.request.blocks
        self.progress.start(runs, self.task.metrics[0])
        folder = str(self.folder.resolve())
        missing: dict[int, int] = {}  # units that a block waits for
        with POOL.used(folder):
            try:
                for done in self.carried_out(self.units(missing)):
                    self.flying -= 1
                    if done is None:
                        continue
                    self.take(done)
                    block = done.records[0]["block"]
                    missing[block] -= 1
                    if missing[block] == 0 and on_block(block):
                        POOL.stop(folder)
                        break
            finally:
                self.progress.stop()
        if self.problem is not None:
            raise self.problem
        order = {loss: n for n, loss in enumerate(self.losses)}
        for records in (self.measured, self.pictures, self.failures, self.tuned):
            records.sort(key=lambda r: (order[r["loss"]], r["block"], r["role"], r["rate"]))

    def carried_out(self, units: Iterator[Unit]) -> Iterator[Done | None]:
        if self.cluster is not None:
            return on_cluster(self.cluster, unless_stopped, units, self.workers)
        return in_parallel(map(delayed(unless_stopped), units), self.workers)

    def units(self, missing: dict[int, int]) -> Iterator[Unit]:
        """Errors in here occur in a thread of joblib and are kept for the consumer of the units."""
        try:
            yield from self.all_units(missing)
        except Exception as error:  # noqa: BLE001
            self.problem = error

    def all_units(self, missing: dict[int, int]) -> Iterator[Unit]:
        for block in range(self.request.most_blocks):
            losses = [loss for loss in self.losses if loss not in self.given_up]
            if not losses or (block > 0 and not self.affords(len(losses))):
                return
            missing[block] = len(losses)
            self.flying += len(losses)
            yield from (self.unit(loss, block) for loss in losses)

    def take(self, done: Done) -> None:
        """Sort the records of a unit."""
        kinds = {"tuning": self.tuned, "tested": self.measured, "fresh": self.measured, "picture": self.pictures}
        for record in done.records:
            if record.get("kind") == "disk":
                raise InputError(f"{self.folder} cannot be written to ({record['failure']}). {GO_ON}")
            if "failure" in record:
                self.failures.append(record)
                if record["kind"] != "diverged":
                    self.given_up.add(record["loss"])
            else:
                kinds[record["role"]].append(record)
        if done.fresh and "failure" not in done.records[-1]:
            self.seconds.append(sum(record["seconds"] for record in done.fresh))
        self.progress.finish(done)

    def unit(self, loss: str, block: int) -> Unit:
        task, seed = self.task, 2 * block if self.has_fresh else block
        whole, tuning = self.data(task, seed), self.data(task, seed, test=False)
        unit = Unit(
            tuning=self.template(task, loss, block, seed, "tuning", tuning),
            tested=self.template(task, loss, block, seed, "tested", whole),
            rates=self.request.rates,
            higher_is_better=task.metrics[0].higher_is_better,
        )
        if self.has_fresh:
            data = self.data(task, seed + 1)
            unit = replace(unit, fresh=self.template(task, loss, block, seed + 1, "fresh", data))
        if task.picture is not None and block == min(PICTURE_BLOCK, self.request.most_blocks - 1):
            shown = task.picture
            unit = replace(unit, picture=self.template(shown, loss, block, seed, "picture", self.data(shown, 0)))
        return unit

    def template(self, task: Task, loss: str, block: int, seed: int, role: Role, data: tuple[Path, str]) -> RunTemplate:
        own = task is not self.task
        run = Run(
            loss=loss,
            block=block,
            seed=seed,
            role=role,
            rate=0.0,
            epochs=task.epochs if own else self.request.epochs,
            batch_size=task.batch_size if own else self.request.batch_size,
            metric=task.metrics[0].key,
            patience=self.request.patience,
            limit=self.request.limit,
            data=str(data[0]),
            model=self.model,
            shipped=self.shipment.file,
            shipped_digest=self.shipment.file_digest,
            folder=str(self.folder.resolve()),
            examples="" if role == "picture" or (block == 0 and role == "tested") else None,
        )
        settings = {
            **{name: getattr(run, name) for name in ("loss", "block", "seed", "role", "metric", "epochs")},
            **self.shared(loss),
            "task": task.name,
            "batch size": run.batch_size,
            "the data": data[1],
        }
        return RunTemplate(run, settings)

    def shared(self, loss: str) -> dict[str, Any]:
        """Settings that all runs of a loss share."""
        model = source_digest(self.model) if self.model is not None else None
        return {
            **library(),
            "the loss's source": self.shipment.digest(loss) or source_digest(loss),
            "the model": self.shipment.digest_of_model or model,
            "the metric": self.shipment.digest_of_metric,
        }

    def data(self, task: Task, seed: int, *, test: bool = True) -> tuple[Path, str]:
        """A file with the data of a seed, and its digest; without the test part for tuning runs."""
        place = (f"{task.name}{'' if test else ' without test'}", seed)
        if place not in self.files:
            data = self.first_data if (task is self.task and seed == 0) else task.data(seed)
            for name, each in ((task.name, data), (f"{task.name} without test", without_test(data))):
                self.files[name, seed] = self.save(each)
        return self.files[place]

    def save(self, data: Data) -> tuple[Path, str]:
        digest = data.digest()
        path = (self.scratch / f"{digest}.pt").resolve()
        if not path.exists():
            draft = path.with_suffix(".tmp")
            data.save(draft)
            draft.replace(path)
        return path, digest


GO_ON = "Finished runs are kept: free some space, and the same command continues from there."


def unless_stopped(unit: Unit) -> Done | None:
    try:
        return carry_out(unit)
    except Stopped:
        return None


def without_test(data: Data) -> Data:
    return replace(data, test=Split([], []))


def in_parallel(calls: Iterator[Any], workers: int) -> Iterator[Done | None]:
    """Results as they finish, on any backend of joblib; a few at a time if the backend returns only lists."""
    backend, _ = get_active_backend(prefer="threads")
    options = {"n_jobs": workers, "prefer": "threads", "batch_size": 1, "pre_dispatch": "n_jobs"}
    if backend.supports_return_generator:
        with warnings.catch_warnings(), closing(Parallel(**options, return_as="generator_unordered")(calls)) as found:
            warnings.filterwarnings("ignore", message=".*have been cancelled")  # intended when the comparison stops
            yield from found
        return
    while some := list(itertools.islice(calls, workers if workers > 0 else cpu_count())):
        yield from Parallel(**options)(some)
