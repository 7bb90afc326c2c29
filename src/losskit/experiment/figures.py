"""Pictures of the report: SVG that takes the page's colours, and small PNGs of images."""

import base64
import io
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patheffects import Normal, Stroke
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from losskit.experiment.results import Record
from losskit.experiment.tasks.task import VOID, Metric

# Okabe and Ito's colours, which people tell apart however they see colour; lines differ in dashes and marks as well.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
DASHES = ("-", "--", "-.", ":")
MARKS = ("o", "s", "^", "D", "v", "P", "X")
TRUE, PREDICTED = "#56B4E9", "#E69F00"
INK = "#010203"  # becomes the page's text colour

STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "losskit",
    "font.size": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "text.parse_math": False,
    **{f"{part}.color": INK for part in ("text", "xtick", "ytick")},
    **{f"axes.{part}color": INK for part in ("edge", "label")},
}


def learning_curves(records: Sequence[Record], losses: Sequence[str], metric: Metric) -> str:
    """Validation score against epoch, the mean over seeds and their range."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(5, 3.4 + 0.25 * len(losses)), layout="constrained")
        axes = figure.add_subplot()
        for index, loss in enumerate(losses):
            curves = [record["curve"] for record in records if record["loss"] == loss]
            epochs, scores = curves[0]["epoch"], np.array([curve["score"] for curve in curves])  # (seeds, points)
            colour = COLOURS[index % len(COLOURS)]
            axes.fill_between(epochs, scores.min(0), scores.max(0), color=colour, alpha=0.12, linewidth=0)
            axes.plot(
                epochs,
                scores.mean(0),
                color=colour,
                linestyle=DASHES[index % len(DASHES)],
                marker=MARKS[index % len(MARKS)],
                markersize=4,
                label=loss,
            )
        axes.set(xlabel="epoch", ylabel=f"{metric.label}, validation", ylim=(0, 1))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.25)
        figure.legend(loc="outside lower left", frameon=False, ncols=1)
        return svg(figure)


def svg(figure: Figure) -> str:
    """For use inside a page: no header, no fixed size, text in the page's colour."""
    stream = io.StringIO()
    figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = stream.getvalue()
    root = text.index("<svg")
    width, height = (72 * side for side in figure.get_size_inches())
    body = text[text.index(">", root) + 1 :].replace(INK, "currentColor")
    return (
        f'<svg xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 {width:g} {height:g}" aria-hidden="true">{body}'
    )


def contours(image: NDArray[Any], truth: NDArray[Any], prediction: NDArray[Any]) -> str:
    """The image with the true outline (solid) and the predicted one (dashed), as a data URI."""
    height, width = truth.shape
    figure = Figure(figsize=(2, 2 * height / width), dpi=110)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.axis("off")
    low, high = np.percentile(image, (1, 99))
    shades = ((image - low) / max(high - low, 1e-6)).clip(0, 1)
    axes.imshow(shades if image.shape[-1] == 3 else shades[..., 0], cmap="gray", interpolation="nearest")
    for labels, colour, style in ((truth, TRUE, "solid"), (prediction, PREDICTED, "dashed")):
        for value in np.unique(labels[(labels > 0) & (labels != VOID)]):
            lines = axes.contour(labels == value, levels=[0.5], colors=[colour], linestyles=[style], linewidths=1.2)
            lines.set_path_effects([Stroke(linewidth=1.9, foreground="black"), Normal()])  # seen on white as well
    return png(figure)


def plain(image: NDArray[Any]) -> str:
    figure = Figure(figsize=(0.8, 0.8), dpi=100)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.axis("off")
    axes.imshow(image[..., 0], cmap="gray", interpolation="nearest")
    return png(figure)


def png(figure: Figure) -> str:
    stream = io.BytesIO()
    figure.savefig(stream, format="png", metadata={"Software": None})
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()
