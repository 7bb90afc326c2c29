"""Line charts of the report: SVG in the colours of the page, with the position and label of every point."""

import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FormatStrFormatter, MaxNLocator, NullFormatter

# Colour, dashes and marker together identify a loss. The page defines the colours for light and for dark.
COLOURS, DASHES, MARKS = 6, ("-", "--", "-.", ":"), ("o", "s", "^", "D", "v", "P", "X")
INK = "#010203"  # becomes the page's text colour
MOST_MARKS = 8  # on one line
STRIP = 0.07  # of the height, for the crosses of one loss
SIZE = (4.9, 3.6)  # inches, 72 units each in the page

STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "figure.dpi": 72,
    "font.size": 12,
    "font.family": "sans-serif",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "text.parse_math": False,
    **{f"{part}.color": INK for part in ("text", "xtick", "ytick")},
    **{f"axes.{part}color": INK for part in ("edge", "label")},
}


@dataclass(frozen=True)
class Line:
    """The curve of one loss in a chart."""

    index: int  # of the loss, which determines colour, dashes and marker
    x: Sequence[float]
    y: Sequence[float]
    words: Sequence[str]  # label of each point
    low: Sequence[float] = ()  # a band around the line
    high: Sequence[float] = ()
    chosen: int | None = None  # this point is ringed
    lost: Sequence[tuple[float, str]] = ()  # points without a value, and why: a cross at the bottom of the chart


@dataclass(frozen=True)
class Chart:
    """A picture, its caption, and every point as the page's script and table need it."""

    name: str
    svg: str
    label: str  # the caption
    points: list[dict[str, Any]] = field(default_factory=list)  # loss (index), x, y (of the picture), words
    x_label: str = ""
    y_label: str = ""
    lines: Sequence[Line] = ()


def line_chart(
    name: str,
    label: str,
    lines: Sequence[Line],
    x_label: str,
    y_label: str,
    *,
    x_scale: str = "linear",
    whole: bool = False,
    diagonal: bool = False,
    upright: Sequence[float] = (),
) -> Chart:
    with mpl.rc_context({**STYLE, "svg.hashsalt": f"losskit {name}"}):  # no name in two pictures of a page
        figure = Figure(figsize=SIZE, layout="constrained")
        axes = figure.add_subplot()
        axes.set_xscale(x_scale)
        for line in lines:
            draw(axes, name, line)
        if diagonal:
            axes.plot([0, 1], [0, 1], color=INK, linewidth=0.8, alpha=0.6)
        for x in upright:
            axes.axvline(x, color=INK, linewidth=0.8, alpha=0.6, dashes=(2, 3))
        axes.set(xlabel=x_label, ylabel=y_label)
        axes.grid(alpha=0.25)
        axes.margins(0.05)
        feet = crosses(axes, name, lines)
        ticks(axes, lines, x_scale, whole=whole)
        drawn = svg(figure)
        height = figure.bbox.height
        points = [
            {"loss": line.index, "x": round(float(x), 1), "y": round(float(height - y), 1), "words": words}
            for line in lines
            for (x, y), words in placed(axes, line, feet.get(line.index, 0.0))
        ]
        return Chart(name, drawn, label, points, x_label, y_label, lines)


def placed(axes: Axes, line: Line, foot: float) -> Iterator[tuple[Any, str]]:
    """The position (x, y) at which every point of a line was drawn, and its label."""
    for x, y, words in zip(line.x, line.y, line.words, strict=True):
        yield axes.transData.transform((x, y)), words
    for x, words in line.lost:
        yield axes.get_xaxis_transform().transform((x, foot)), words


def draw(axes: Axes, name: str, line: Line) -> None:
    colour = colour_of(line.index)
    gid = f"{name}-loss{line.index}-"
    if not line.x:
        return
    if line.low:
        band = axes.fill_between(line.x, line.low, line.high, color=colour, alpha=0.13, linewidth=0)
        band.set_gid(gid + "band")
    (curve,) = axes.plot(
        line.x,
        line.y,
        color=colour,
        linestyle=DASHES[line.index % len(DASHES)],
        marker=MARKS[line.index % len(MARKS)],
        markersize=6,
        markevery=max(1, len(line.x) // MOST_MARKS),
        linewidth=1.6,
    )
    curve.set_gid(gid + "line")
    if line.chosen is not None:
        at = ([line.x[line.chosen]], [line.y[line.chosen]])
        (ring,) = axes.plot(
            *at, "o", markersize=14, markerfacecolor="none", markeredgecolor=colour, markeredgewidth=1.8
        )
        ring.set_gid(gid + "chosen")


def crosses(axes: Axes, name: str, lines: Sequence[Line]) -> dict[int, float]:
    """Draw the crosses in a strip below everything else; returns their height in the chart for each loss."""
    heights = {line.index: STRIP * (n + 0.5) for n, line in enumerate(line for line in lines if line.lost)}
    if heights:
        taken = STRIP * len(heights)
        low, high = axes.get_ylim()
        axes.set_ylim(high - (high - low) / (1 - taken), high)
        axes.axhspan(0, taken, color=INK, alpha=0.06, linewidth=0, transform=axes.transAxes)
    for line in lines:
        if line.lost:
            (marks,) = axes.plot(
                [x for x, _ in line.lost],
                [heights[line.index]] * len(line.lost),
                "x",
                color=colour_of(line.index),
                transform=axes.get_xaxis_transform(),
                markersize=7,
                markeredgewidth=2,
            )
            marks.set_gid(f"{name}-loss{line.index}-lost")
    return heights


def ticks(axes: Axes, lines: Sequence[Line], scale: str, *, whole: bool) -> None:
    if scale == "log":  # only the values that were tried
        lost = [x for line in lines for x, _ in line.lost]
        axes.xaxis.set_major_locator(FixedLocator(sorted({*lost, *(x for line in lines for x in line.x)})))
        axes.xaxis.set_major_formatter(FormatStrFormatter("%g"))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.tick_params(axis="x", which="minor", length=0)
    elif scale == "logit":
        axes.xaxis.set_major_locator(FixedLocator([0.01, 0.1, 0.5, 0.9, 0.99]))
        axes.xaxis.set_major_formatter(FormatStrFormatter("%g"))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.tick_params(axis="x", which="minor", length=0)
    elif whole:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def colour_of(index: int) -> str:
    """A placeholder for the page's colour variable of this number."""
    return f"#0a0b0{index % COLOURS}"


def svg(figure: Figure) -> str:
    """SVG for use inside a page: no header, no fixed size, no ids shared with another picture, the page's colours."""
    stream = io.StringIO()
    figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = stream.getvalue()
    root = text.index("<svg")
    width, height = (72 * side for side in figure.get_size_inches())
    body = text[text.index(">", root) + 1 :].replace(INK, "currentColor")
    body = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", body, flags=re.DOTALL)
    body = re.sub(r"#0a0b0(\d)", r"var(--loss-\1)", body)
    body = re.sub(r' id="(?:figure|axes|patch|text|line2d|xtick|ytick|matplotlib\.axis|FillBetween\w*)_\d+"', "", body)
    body = re.sub(r"font: ([\d.]+)px [^;\"]+", r"font-size: \1px", body)
    head = f'<svg xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 {width:g} {height:g}" aria-hidden="true">'
    return head + body
