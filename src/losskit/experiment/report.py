"""report.html, one self-contained page that opens without a network, and report.md for a pull request."""

import importlib.metadata
import platform
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from joblib import cpu_count
from markupsafe import Markup
from matplotlib.ticker import MaxNLocator

from losskit.experiment.charts import COLOURS, DASHES, MARKS
from losskit.experiment.drawings import charts
from losskit.experiment.pictures import Picture, pictures
from losskit.experiment.results import Comparison, Interval, Record
from losskit.experiment.statistics import CONFIDENCE
from losskit.experiment.store import write
from losskit.experiment.tasks.task import Task
from losskit.experiment.verdict import about_numbers
from losskit.experiment.words import difference, digits, gain, number

PACKAGES = ("losskit", "torch", "numpy", "scipy", "scikit-learn", "scikit-image")


@dataclass(frozen=True)
class Axis:
    """A range of values, and the position of a value on it, in per cent."""

    low: float
    high: float

    @classmethod
    def around(cls, intervals: Sequence[Interval], *include: float) -> "Axis":
        values = [v for each in intervals for v in (each.low, each.mean, each.high) if v is not None] + [*include]
        ticks = MaxNLocator(5).tick_values(min(values, default=0.0), max(values, default=1.0))
        low, high = round(float(ticks[0]), 9), round(float(ticks[-1]), 9)
        return cls(low, high) if high > low else cls(low - 0.05, high + 0.05)  # all values are equal

    def at(self, value: float | None) -> float:
        if value is None:
            return 0.0
        return round(100 * min(max((value - self.low) / (self.high - self.low), 0.0), 1.0), 2)


def write_report(comparison: Comparison) -> None:
    """Write both files, each replaced atomically, so that a page opened during the runs is never half written."""
    context = {
        "comparison": comparison,
        "findings": comparison.findings,
        "task": comparison.task,
        "metric": comparison.findings.metric,
        "index": {loss: number for number, loss in enumerate(comparison.losses)},
        "confidence": f"{CONFIDENCE:.0%}",
        "versions": versions(),
        "about_numbers": about_numbers(comparison.findings),
    }
    write(comparison.summary, environment().get_template("report.md").render(context))
    context |= {
        "charts": charts(comparison),
        "examples": gallery(comparison, comparison.task, comparison.runs),
        "coins": gallery(comparison, comparison.task.picture, comparison.pictures),
    }
    write(comparison.report, environment().get_template("report.html").render(context))


def write_tour(found: Sequence[Comparison], folder: Path) -> None:
    """Write one page with links to the pages of the tasks."""
    context = {"found": found, "minutes": sum(each.minutes for each in found), "versions": versions()}
    for name in ("report.md", "report.html"):
        write(folder / name, environment().get_template(name.replace("report", "tour")).render(context))


@cache
def environment() -> Environment:
    made = Environment(
        loader=PackageLoader("losskit.experiment"),
        autoescape=select_autoescape(("html",)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters |= {f.__name__: f for f in (number, difference, digits, gain, cell, prose)}
    made.globals |= {
        "axis": Axis.around,
        "colours": COLOURS,
        "dashes": len(DASHES),
        "marks": len(MARKS),
        "source": source,
    }
    return made


def source(name: str) -> Markup:
    """A file of this package, unchanged."""
    return Markup((Path(__file__).parent / "templates" / name).read_text(encoding="utf-8"))  # noqa: S704


def prose(text: str) -> str:
    """Text for Markdown, in which names of losses would set emphasis and tags."""
    return re.sub(r"([\\*_<`|])", r"\\\1", text)


def cell(text: object) -> str:
    """Code in a table in Markdown."""
    return str(text).replace("|", "\\|").replace("\n", " ")


_drawn: dict[tuple[str, int, str], list[Picture]] = {}  # by file, modification time, and loss


def gallery(comparison: Comparison, task: Task | None, runs: Sequence[Record]) -> dict[str, list[Picture]]:
    """For each loss, best first, the predictions of its model on the same few test items of the first block."""
    files = {run["loss"]: comparison.out / run["examples"] for run in runs if run.get("examples")}
    ranked = [standing.loss for standing in comparison.ranking]
    shown = [loss for loss in ranked if loss in files and files[loss].is_file()]
    keys = {loss: (str(files[loss].absolute()), files[loss].stat().st_mtime_ns, loss) for loss in shown}
    missing = [loss for loss in shown if keys[loss] not in _drawn]
    if missing and task is not None:
        data = task.data(0)
        for loss in missing:
            _drawn[keys[loss]] = pictures(data, files[loss], loss)
    found = {loss: _drawn.get(key, []) for loss, key in keys.items()}
    return {loss: drawn for loss, drawn in found.items() if drawn}


@cache
def versions() -> dict[str, Any]:
    return {
        "Python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in PACKAGES},
        "system": f"{platform.system()} {platform.machine()}, {cpu_count()} CPU cores, one per run",
    }
