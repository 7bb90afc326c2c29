"""Progress of a comparison: silent by default, a bar and one line per block in a terminal."""

from typing import TYPE_CHECKING

from losskit.experiment.results import Done, Record
from losskit.experiment.tasks.task import Metric
from losskit.experiment.words import digits

if TYPE_CHECKING:
    from rich.console import Console


class Progress:
    """Silent; defines the events that others show."""

    def say(self, message: str) -> None: ...

    def start(self, units: int | None, metric: Metric) -> None: ...

    def finish(self, done: Done) -> None: ...

    def stop(self) -> None: ...


class TerminalProgress(Progress):
    """A live bar if the output is a terminal; otherwise only the lines."""

    def __init__(self, console: "Console") -> None:
        from rich import progress

        self.console = console
        self.bar = progress.Progress(
            progress.TextColumn("{task.description}"),
            progress.BarColumn(),
            progress.MofNCompleteColumn(),
            progress.TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self.task = self.bar.add_task("", total=None)

    def say(self, message: str) -> None:
        self.console.print(message, markup=False, highlight=False)

    def start(self, units: int | None, metric: Metric) -> None:
        self.metric = metric
        self.bar.reset(self.task, description="training", total=units)
        self.bar.start()

    def finish(self, done: Done) -> None:
        self.bar.advance(self.task)
        for record in done.fresh:
            if "failure" in record or record["role"] in ("tested", "picture"):
                self.say(f"{record['loss']}, block {record['block']}: {self.outcome(record)}")

    def outcome(self, record: Record) -> str:
        at = f"at learning rate {record['rate']:g}"
        if "failure" in record:
            return f"{record['kind']} {at}: {record['failure']}"
        if record["role"] == "picture":
            return f"picture done ({record['seconds']:.0f} s)"
        return f"{self.metric.label} {digits(record['scores'][self.metric.key])} {at}"

    def stop(self) -> None:
        self.bar.stop()
