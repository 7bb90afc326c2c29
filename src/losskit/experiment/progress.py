"""What a comparison tells while it runs: nothing by default, a bar and a line a run in a terminal."""

from typing import TYPE_CHECKING

from losskit.experiment.results import Record
from losskit.experiment.tasks.task import Metric

if TYPE_CHECKING:
    from rich.console import Console


class Progress:
    """Silent; also the events that others show."""

    def say(self, message: str) -> None: ...

    def start(self, runs: int, epochs: int, metric: Metric) -> None: ...

    def epoch(self) -> None: ...

    def finish(self, record: Record) -> None: ...

    def stop(self) -> None: ...


class TerminalProgress(Progress):
    """A live bar where the output is a terminal; elsewhere only the lines."""

    def __init__(self, console: "Console") -> None:
        from rich import progress

        self.console = console
        self.bar = progress.Progress(
            progress.TextColumn("{task.description}"),
            progress.BarColumn(),
            progress.TaskProgressColumn(),
            progress.TimeElapsedColumn(),
            progress.TextColumn("left"),
            progress.TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self.task = self.bar.add_task("training", total=None)
        self.runs = self.finished = 0

    def say(self, message: str) -> None:
        self.console.print(message, markup=False, highlight=False)

    def start(self, runs: int, epochs: int, metric: Metric) -> None:
        self.runs, self.metric = runs, metric
        self.bar.update(self.task, total=runs * epochs)
        self.bar.start()

    def epoch(self) -> None:
        self.bar.advance(self.task)

    def finish(self, record: Record) -> None:
        self.finished += 1
        outcome = (
            f"failed: {record['failure']}"
            if "failure" in record
            else f"{self.metric.label} {record['scores'][self.metric.key]:.3f}"
        )
        width = len(str(self.runs))
        self.say(
            f"[{self.finished:{width}}/{self.runs}] {record['loss']}, seed {record['seed']}: {outcome} "
            f"({record['seconds']:.0f} s)"
        )

    def stop(self) -> None:
        self.bar.stop()
