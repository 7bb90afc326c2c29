"""report.html: one page with everything in it, that opens without a network."""

import importlib.metadata
import platform
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from jinja2 import Environment, PackageLoader, StrictUndefined
from joblib import cpu_count

from losskit.experiment.figures import contours, learning_curves, plain
from losskit.experiment.plan import examples_file
from losskit.experiment.ranking import CONFIDENCE, Interval, number
from losskit.experiment.scores import image_dice
from losskit.experiment.tasks.task import Data

if TYPE_CHECKING:
    from losskit.experiment.comparison import Comparison

PACKAGES = ("losskit", "torch", "numpy", "scipy", "scikit-learn", "scikit-image")


@dataclass(frozen=True)
class Picture:
    source: str  # a data URI
    words: str  # what it shows
    caption: str


def write_report(comparison: "Comparison") -> None:
    environment = Environment(
        loader=PackageLoader("losskit.experiment"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters["number"] = number
    metric = comparison.task.metrics[0]
    ranked = [standing.loss for standing in comparison.ranking]
    page = environment.get_template("report.html").render(
        comparison=comparison,
        task=comparison.task,
        metric=metric,
        confidence=f"{CONFIDENCE:.0%}",
        axis=axis([value for each in comparison.ranking if (value := each.scores[metric.key])]),
        curves=learning_curves(comparison.runs, ranked, metric) if ranked else "",
        examples=examples(comparison, ranked),
        versions=versions(),
    )
    draft = comparison.report.with_suffix(".tmp")
    draft.write_text(page, encoding="utf-8")
    draft.replace(comparison.report)


def axis(intervals: list[Interval]) -> tuple[float, float]:
    """The range of scores that the ranking's bars are drawn on, in tenths."""
    lows = [value.mean if value.low is None else value.low for value in intervals]
    highs = [value.mean if value.high is None else value.high for value in intervals]
    low, high = min(lows, default=0.0), max(highs, default=1.0)
    return float(np.floor(10 * max(0.0, low)) / 10), float(np.ceil(10 * min(1.0, high) + 1e-9) / 10)


def examples(comparison: "Comparison", losses: list[str]) -> dict[str, list[Picture]]:
    """Of each loss whose first seed finished, its predictions on the same few test images."""
    shown = [loss for loss in losses if any(r["loss"] == loss and r["seed"] == 0 for r in comparison.runs)]
    data = comparison.task.data(0)
    pictures = {}
    for loss in shown:
        with np.load(examples_file(comparison.out, loss)) as saved:
            predictions = [torch.from_numpy(saved[name]) for name in saved.files]
        pictures[loss] = [
            picture(data, index, prediction, loss)
            for index, prediction in zip(data.examples(), predictions, strict=True)
        ]
    return pictures


def picture(data: Data, index: int, prediction: torch.Tensor, loss: str) -> Picture:
    image = data.test.inputs[index].movedim(0, -1).numpy()
    truth = data.test.targets[index]
    if not data.is_segmentation:
        right = prediction == truth
        words = f"A handwritten {truth}, read as {prediction} by the model trained with {loss}"
        return Picture(plain(image), words, f"{prediction} ✓" if right else f"{prediction} ✗ ({truth})")
    truth = truth[0].long() if truth.ndim == 3 else truth
    dice = image_dice(prediction, truth)
    found = "with a true outline" if (truth > 0).any() else "with nothing to find"
    drawn = "and a predicted one" if (prediction > 0).any() else "and nothing predicted"
    words = f"Test image {index} {found} {drawn} by the model trained with {loss}; Dice {dice:.2f}"
    return Picture(contours(image, truth.numpy(), prediction.numpy()), words, f"Dice {dice:.2f}")


def versions() -> dict[str, str]:
    return {
        "Python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in PACKAGES},
        "system": f"{platform.system()} {platform.machine()}, {cpu_count()} CPU cores, each run on one",
    }
