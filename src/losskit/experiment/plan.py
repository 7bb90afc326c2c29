"""What a comparison has to run, what of it is on disk already, and the rest carried out."""

import hashlib
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from joblib import Parallel, cpu_count, delayed

from losskit.experiment.progress import Progress
from losskit.experiment.results import Record, Results
from losskit.experiment.runs import run_in_process, settings_of
from losskit.experiment.tasks.task import Task
from losskit.experiment.training import Run

READABLE = ("task", "epochs", "batch_size", "learning_rate", "torch")  # settings that are not digests


@dataclass(frozen=True)
class Plan:
    """Every loss at every seed, less what is on disk already."""

    task: Task
    losses: list[str]
    epochs: int
    patience: float
    folder: Path
    data: list[tuple[Path, str]]  # of each seed, as a file and its digest

    def carry_out(self, jobs: int | None, progress: Progress) -> tuple[list[Record], list[Record]]:
        """The finished runs and the failed ones."""
        results = Results(self.folder)
        moved = results.keep(self.matches)
        if moved:
            progress.say(
                f"{len(moved)} runs in {results.path} were made with other settings ({self.changes(moved)}); "
                f"they are now in {results.aside.name}."
            )
        there = {(record["loss"], record["seed"]) for record in results.read()}
        wanted = [(loss, seed) for seed in range(len(self.data)) for loss in self.losses]
        missing = [key for key in wanted if key not in there]
        if len(missing) < len(wanted):
            done = len(wanted) - len(missing)
            progress.say(f"{done} of {len(wanted)} runs are in {results.path} already; {len(missing)} to do.")
        progress.start(len(missing), self.epochs, self.task.metrics[0])
        try:
            workers = Parallel(n_jobs=jobs or cpu_count(), prefer="threads", return_as="generator_unordered")
            run = delayed(run_in_process)
            with closing(workers(run(self.run(*key), progress.epoch) for key in missing)) as records:
                for record in records:
                    settings = self.settings(record["loss"], record["seed"])
                    results.append({**record, "settings": settings})
                    progress.finish(record)
        finally:
            progress.stop()
        order = {key: position for position, key in enumerate(wanted)}
        asked = [record for record in results.read() if (record["loss"], record["seed"]) in order]
        asked.sort(key=lambda record: order[record["loss"], record["seed"]])
        return [r for r in asked if "failure" not in r], [r for r in asked if "failure" in r]

    def run(self, loss: str, seed: int) -> Run:
        return Run(
            loss=loss,
            seed=seed,
            epochs=self.epochs,
            batch_size=self.task.batch_size,
            learning_rate=self.task.learning_rate,
            patience=self.patience,
            data=str(self.data[seed][0]),
            examples=str(examples_file(self.folder, loss)) if seed == 0 else None,
        )

    def settings(self, loss: str, seed: int) -> dict[str, Any]:
        """Everything that decides the numbers of a run besides its loss and seed."""
        return settings_of(
            loss,
            self.data[seed][1] if seed < len(self.data) else None,
            task=self.task.name,
            epochs=self.epochs,
            batch_size=self.task.batch_size,
            learning_rate=self.task.learning_rate,
        )

    def matches(self, record: Record) -> bool:
        return not self.changed(record)

    def changed(self, record: Record) -> dict[str, tuple[Any, Any]]:
        """Settings of a run on disk that differ from now; the data of a seed that was not asked for are unknown."""
        was, now = record["settings"], self.settings(record["loss"], record["seed"])
        return {name: (was.get(name), now[name]) for name in now if now[name] not in (None, was.get(name))}

    def changes(self, moved: list[Record]) -> str:
        changed = {name: pair for record in moved for name, pair in self.changed(record).items()}
        return ", ".join(
            f"{name} was {was}, now {now}" if name in READABLE else f"{name} changed"
            for name, (was, now) in changed.items()
        )


def write_data(task: Task, seeds: int, folder: Path) -> list[tuple[Path, str]]:
    """The data of each seed in a file, for the processes to read, and its digest."""
    written = []
    for seed in range(seeds):
        data = task.data(seed)
        path = folder / f"seed-{seed}.pt"
        data.save(path)
        written.append((path, data.digest()))
    return written


def examples_file(folder: Path, loss: str) -> Path:
    """Where a loss's predictions on the examples of seed 0 are."""
    return folder / "examples" / f"{hashlib.sha256(loss.encode()).hexdigest()[:16]}.npz"
