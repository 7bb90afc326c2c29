"""Plots of losses: value and gradient against the logit, the error, or the overlap of an object and its prediction.

Needs matplotlib but no display: figures are created without pyplot.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from losskit.core.operands import as_loss
from losskit.figures.curves import Criterion, Curve, View, curves_together, view_of
from losskit.version import INSTALL_COMPARE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colour-blind-safe colours, without yellow, which is hard to see on white.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#56B4E9", "#E69F00")
_STYLES: tuple[Any, ...] = ("-", (0, (6, 1, 1, 1)), (0, (1, 1)))  # a new one when the colours have all been used
_FORMATS = (".png", ".svg", ".pdf", ".jpg", ".webp")
_OPPOSITE: Any = (0, (4, 2.5))


def figure(
    criteria: Mapping[str, Criterion] | Iterable[Criterion] | Criterion,
    over: str | None = None,
    *,
    narrow: bool = False,
) -> Figure:
    """Plot one or several losses: a row for each view, value on the left and gradient on the right.

    `criteria` is a loss, several, or a mapping from labels to losses. `over` draws all of them against one view
    (logit, confidence, overlap or error) instead of the usual views of each. `narrow` draws the gradient below the
    value, for a telephone.
    """
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        raise ModuleNotFoundError(f"Plots need matplotlib: {INSTALL_COMPARE}.") from None

    if isinstance(criteria, Mapping):
        labelled = dict(criteria)
    else:
        several = [criteria] if callable(criteria) else criteria
        labelled = {as_loss(criterion).label: criterion for criterion in several}
    drawn = dict(zip(labelled, curves_together(labelled.values(), over), strict=True))
    over_all = list(dict.fromkeys(curve.over for found in drawn.values() for curve in found))
    columns = 1 if narrow else 2
    keys = 2 if narrow else 3  # of the legend, in a row
    height = 3.3 * len(over_all) * 2 / columns + 0.25 * -(-len(drawn) // keys) + 0.2
    picture = Figure(figsize=(4.5 * columns, height), layout="constrained")
    axes = picture.subplots(len(over_all) * 2 // columns, columns, squeeze=False)
    for (left, right), name in zip(axes.reshape(-1, 2), over_all, strict=True):
        for number, found in enumerate(drawn.values()):
            for curve in found:
                if curve.over == name:
                    _line(left, right, curve, number)
        shown = [curve for found in drawn.values() for curve in found if curve.over == name]
        _dress(left, right, view_of(name), both=any(curve.opposite for curve in shown), wrap=45 if narrow else 90)
        _cap(left, [curve.value for curve in shown])
        _cap(right, [curve.gradient for curve in shown])
    handles = [_key(number) for number in range(len(drawn))]
    picture.legend(handles, list(drawn), loc="outside lower center", ncols=min(keys, len(drawn)), frameon=False)
    return picture


def save(picture: Figure, path: str | Path) -> Path:
    """Write a figure, in the format of the file's suffix."""
    path = Path(path)
    if path.suffix.lower() not in _FORMATS:
        raise ValueError(f"The name of a picture ends in one of {', '.join(_FORMATS)}; got {path}.")
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.savefig(path, dpi=144)
    return path


def _style(number: int) -> dict[str, Any]:
    style = _STYLES[number // len(_COLOURS) % len(_STYLES)]
    width = max(1.2, 2.8 - 0.3 * number)  # thinner on top, so that equal curves both show
    return {"color": _COLOURS[number % len(_COLOURS)], "linestyle": style, "linewidth": width}


def _key(number: int) -> Any:
    from matplotlib.lines import Line2D

    return Line2D([], [], **_style(number))


def _line(left: Axes, right: Axes, curve: Curve, number: int) -> None:
    style = {**_style(number), **({"linestyle": _OPPOSITE} if curve.opposite else {})}
    left.plot(curve.x, curve.value, **style)
    right.plot(curve.x, curve.gradient, **style)


def _dress(left: Axes, right: Axes, view: View, *, both: bool, wrap: int) -> None:
    for axes, label in ((left, "loss"), (right, view.slope)):
        axes.set_xlabel(view.axis)
        axes.set_ylabel(label)
        axes.grid(alpha=0.25, linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)
        axes.margins(x=0)
        if axes.get_ylim()[0] < 0 < axes.get_ylim()[1]:
            axes.axhline(0, color="0.5", linewidth=0.8, zorder=0)
    case, opposite = view.cases
    cases = f" (solid: {case}; dashed: {opposite})" if both else f", {case}" if case else ""
    left.set_title(textwrap.fill(f"{view.title}{cases}", wrap), loc="left", fontsize=10)


def _cap(axes: Axes, lines: list[list[float]]) -> None:
    """Clip a curve that is more than three times as high as all others."""
    finite = [[y for y in line if math.isfinite(y)] for line in lines]
    *others, highest = sorted((line for line in finite if line), key=lambda line: max(map(abs, line))) or [[]]
    if not others or max(map(abs, highest)) <= 3 * max(map(abs, others[-1])):
        return
    low, high = min(map(min, others)), max(map(max, others))
    room = 0.5 * (high - low) or 1.0
    axes.set_ylim(max(min(low, *highest) - 0.1 * room, low - room), min(max(high, *highest) + 0.1 * room, high + room))
