"""losskit.compare: the same small model trained with each loss, on the same data and seeds."""

import importlib.util
import math
import shlex
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from losskit.build import build, split
from losskit.experiment.progress import Progress
from losskit.experiment.results import Record
from losskit.experiment.tasks import Request, make_task
from losskit.experiment.tasks.task import InputError, Task

if TYPE_CHECKING:
    from losskit.experiment.ranking import Standing

EXTRAS = ("jinja2", "joblib", "matplotlib", "PIL", "scipy", "skimage", "sklearn")


@dataclass(frozen=True)
class Comparison:
    """What a comparison found, and where it is written down."""

    task: Task
    losses: list[str]
    seeds: int
    epochs: int
    runs: list[Record]  # those that finished
    failures: list[Record]  # those that did not, each with its reason as `failure`
    ranking: "list[Standing]"  # best first
    verdict: str
    command: str  # does it all again
    out: Path

    @property
    def report(self) -> Path:
        return self.out / "report.html"


def compare(
    losses: str | Sequence[str] | None = None,
    *,
    task: str | None = None,
    images: str | Path | None = None,
    masks: str | Path | None = None,
    seeds: int = 5,
    epochs: int | None = None,
    jobs: int | None = None,
    patience: float = 120.0,
    out: str | Path = "losskit-compare",
    progress: Progress | None = None,
) -> Comparison:
    """Train the same small model with each loss and say which is best, with a report to open.

    `losses` is a list of texts, or one text with commas, as `losskit.build` reads them. The task is "scenes" (default),
    "digits-noisy", or a folder of `images` and one of `masks`. Every run is a process of its own, `jobs` at a time, and
    is on disk under `out` when it is finished: started again, only what is missing is run. A run that finishes no
    training step within `patience` seconds is given up. Bad input raises `losskit.experiment.InputError`.
    """
    require_extras()
    from losskit.experiment.plan import Plan, write_data
    from losskit.experiment.ranking import rank, verdict
    from losskit.experiment.report import write_report

    progress = progress or Progress()
    for name, value in {"seeds": seeds, "epochs": epochs, "jobs": jobs, "patience": patience}.items():
        if value is not None and not (value > 0 and math.isfinite(value)):
            raise InputError(f"--{name} is a number above 0; got {value}.")
    chosen = make_task(Request(task, as_path(images), as_path(masks)))
    texts = read_losses(chosen.losses if losses is None else losses)
    epochs = epochs or chosen.epochs
    folder = Path(out)
    try:
        (folder / "examples").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"--out {folder} cannot be made a folder ({error.strerror}). Give another.") from error
    progress.say(chosen.about)
    for note in chosen.notes:
        progress.say(note)
    with tempfile.TemporaryDirectory(prefix="losskit-") as scratch:
        plan = Plan(chosen, texts, epochs, patience, folder, write_data(chosen, seeds, Path(scratch)))
        finished, failures = plan.carry_out(jobs, progress)
    command = ["losskit", "compare", *chosen.arguments, "--losses", ", ".join(texts)]
    command += ["--seeds", str(seeds), "--epochs", str(epochs)]
    ranking = rank(finished, chosen.metrics)
    comparison = Comparison(
        task=chosen,
        losses=texts,
        seeds=seeds,
        epochs=epochs,
        runs=finished,
        failures=failures,
        ranking=ranking,
        verdict=verdict(ranking, chosen.metrics[0]),
        command=shlex.join(command),
        out=folder,
    )
    write_report(comparison)
    return comparison


def require_extras() -> None:
    missing = [name for name in EXTRAS if importlib.util.find_spec(name) is None]
    if missing:
        raise ImportError(f'losskit compare needs {", ".join(missing)}: pip install "losskit[compare]"')


def as_path(given: str | Path | None) -> Path | None:
    return None if given is None else Path(given)


def read_losses(losses: str | Sequence[str]) -> list[str]:
    """Each loss as its text, built once so that a misspelt one is told before any training."""
    try:
        texts = split(losses) if isinstance(losses, str) else list(losses)
        if not texts:
            raise InputError('There is no loss to compare; name some, as in --losses "dice, bce".')
    except ValueError as error:
        raise InputError(f"--losses {losses!r}: {error}") from error
    problems = []
    for text in texts:
        try:
            build(text)
        except (TypeError, ValueError) as error:
            problems.append(f"{text!r}: {error}")
    if problems:
        raise InputError("--losses " + "\n".join(problems))
    return list(dict.fromkeys(texts))
