"""Test items of a report as small pictures: the truth, and the prediction of the model of each loss."""

import base64
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patheffects import Normal, Stroke
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, from_numpy

from losskit.experiment.scores import image_dice
from losskit.experiment.tasks.task import VOID, Data

TRUE, PREDICTED = "#56B4E9", "#E69F00"

Array = NDArray[Any]


@dataclass(frozen=True)
class Picture:
    source: str  # a data URI
    words: str  # alternative text
    caption: str
    wide: bool = False


def pictures(data: Data, answers: Path, loss: str) -> list[Picture]:
    """Pictures of the selected items; empty for the rows of a table."""
    if data.dimensions not in (2, 3) or data.kind == "regression" or data.channels > 4:
        return []
    with np.load(answers) as saved:
        found = [from_numpy(saved[name]) for name in saved.files]
    draw = outlined if data.is_segmentation else named
    return [draw(data, index, answer, loss) for index, answer in zip(data.examples(), found, strict=True)]


def named(data: Data, index: int, answer: Tensor, loss: str) -> Picture:
    truth = int(data.test.targets[index])
    answer_is = int(answer)
    words = f"Test item {index} of class {truth}, predicted as class {answer_is} by the model trained with {loss}"
    caption = f"{answer_is} ✓" if answer_is == truth else f"{answer_is} ✗ ({truth})"
    return Picture(plain(as_image(data.test.inputs[index])), words, caption)


def outlined(data: Data, index: int, answer: Tensor, loss: str) -> Picture:
    target = data.test.targets[index]
    truth = target[0].long() if target.is_floating_point() else target
    dice = image_dice(answer, truth)
    image = data.test.inputs[index]
    what = "image"
    if data.dimensions == 3:
        middle = int((truth > 0).flatten(1).sum(1).argmax()) if (truth > 0).any() else len(truth) // 2
        image, truth, answer = image[:, middle], truth[middle], answer[middle]
        what = f"slice {middle} of test volume"
    found = "with a true outline" if (truth > 0).any() else "without foreground"
    drawn = "and a predicted one" if (answer > 0).any() else "and nothing predicted"
    item = f"{what.capitalize()} {index}" if data.dimensions == 3 else f"Test image {index}"
    words = f"{item} {found} {drawn} by the model trained with {loss}; Dice {dice:.2f}"
    source = contours(as_image(image), truth.numpy(), answer.numpy())
    return Picture(source, words, f"Dice {dice:.2f}", wide=image.shape[-1] > 2 * image.shape[-2])


def as_image(item: Tensor) -> Array:
    """The item as (H, W, channels), in its original values."""
    return np.asarray(item.movedim(0, -1).numpy())


def contours(image: Array, truth: Array, prediction: Array) -> str:
    """The image with the true outline (solid) and the predicted one (dashed), as a data URI."""
    height, width = truth.shape
    side = 2.0 if width <= 2 * height else 6.0
    figure = Figure(figsize=(side, side * height / width), dpi=110)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.axis("off")
    low, high = np.percentile(image, (1, 99))
    shades = ((image - low) / max(high - low, 1e-6)).clip(0, 1)
    axes.imshow(shades if image.shape[-1] == 3 else shades[..., 0], cmap="gray", interpolation="nearest")
    for labels, colour, style, width in ((truth, TRUE, "solid", 2.2), (prediction, PREDICTED, "dashed", 1.2)):
        for value in np.unique(labels[(labels > 0) & (labels != VOID)]):
            lines = axes.contour(labels == value, levels=[0.5], colors=[colour], linestyles=[style], linewidths=width)
            edge = Stroke(linewidth=width + 0.8, foreground="black")  # also visible on white
            lines.set_path_effects([edge, Normal()])
    return png(figure)


def plain(image: Array) -> str:
    figure = Figure(figsize=(0.8, 0.8), dpi=100)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.axis("off")
    axes.imshow(image[..., 0], cmap="gray", interpolation="nearest")
    return png(figure)


def png(figure: Figure) -> str:
    """PNG with a palette. An octree keeps the few pixels of an outline; a median cut spends all on the many greys."""
    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    pixels = Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3].copy()).quantize(128, Image.Quantize.FASTOCTREE)
    stream = io.BytesIO()
    pixels.save(stream, format="png", optimize=True)
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()
