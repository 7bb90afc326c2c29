"""Charts of the tables: one row per work, and time by size, classes and threads."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.comparison import Comparison, comparisons
from bench.store import Line
from bench.workloads import BINARY, CITY, LARGE, SCENES

_SHOWN = (
    ("BCE", "bce", BINARY), ("Dice", "dice", BINARY), ("Dice + BCE", "dice+bce", BINARY), ("focal", "focal", BINARY),
    ("Lovász", "lovasz", BINARY), ("cross-entropy", "ce", CITY), ("Dice", "dice", CITY),
    ("Dice + cross-entropy", "dice+ce", CITY), ("focal", "focal", CITY), ("Lovász", "lovasz", CITY),
    ("Dice + cross-entropy", "dice+ce", SCENES), ("cross-entropy", "ce", LARGE),
    ("Dice + cross-entropy", "dice+ce", LARGE),
)  # fmt: skip
_MARKS = (
    ("tutorial", "tutorial snippet", "#b8b8b8", "x"),
    ("eager", "fastest other library", "#e07b39", "o"),
    ("compiled", "fastest under torch.compile", "#7a5ea8", "D"),
    ("ours", "losskit", "#1769aa", "o"),
    ("floor", "memory bandwidth", "#333333", "|"),
)


def draw(lines: Sequence[Line], title: str, path: Path) -> bool:
    """Draw the works with demands on one page; returns whether there were any."""
    most = max((line.cell.threads for line in lines), default=0)
    compared = [c for c in comparisons(lines).values() if c.cell.suite == "table" and c.cell.pool != "batch"]
    compared = [c for c in compared if c.cell.threads == most]
    rows = [(name, c) for name, loss, shape in _SHOWN for c in compared if (c.cell.loss, c.cell.shape) == (loss, shape)]
    if not rows:
        return False
    figure = Figure(figsize=(9, 1.4 + 0.36 * len(rows)), layout="constrained")
    axes: Axes = figure.subplots()
    for y, (_, c) in enumerate(rows):
        _line(axes, y, c)
    for _, label, colour, mark in _MARKS:
        axes.plot([], [], mark, color=colour, label=label, markersize=8)
    axes.set_yticks(range(len(rows)), [f"{name}, {c.cell.size}" for name, c in rows])
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_xlabel(f"forward and backward, milliseconds ({title})", fontsize=8)
    axes.grid(axis="x", which="both", color="#e6e6e6", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    figure.legend(loc="outside upper center", ncols=3, frameon=False)
    _save(figure, path)
    return True


def _line(axes: Axes, y: int, c: Comparison) -> None:
    times = [o.minimum_ms for o in (c.ours, c.eager, c.compiled) if o is not None and o.minimum_ms is not None]
    axes.hlines(y, min(times), max(times), color="#cccccc", linewidth=2, zorder=1)
    for name, _, colour, mark in _MARKS:
        outcome = getattr(c, name)
        if outcome is not None and outcome.minimum_ms is not None:
            axes.plot(outcome.minimum_ms, y, mark, color=colour, markersize=12 if mark == "|" else 8, zorder=2)


def draw_growth(lines: Sequence[Line], title: str, path: Path) -> bool:
    """Draw time by size, classes and threads, one panel each; returns whether there was any."""
    compared = list(comparisons(lines).values())
    panels = [(suite, [c for c in compared if c.cell.suite == suite]) for suite in ("size", "classes", "threads")]
    panels = [(suite, cells) for suite, cells in panels if cells]
    if not panels:
        return False
    figure = Figure(figsize=(4.2 * len(panels), 4.2), layout="constrained")
    found: Sequence[Axes] = figure.subplots(1, len(panels), squeeze=False)[0]
    for axes, (suite, cells) in zip(found, panels, strict=True):
        for loss, style in (("ce", "-"), ("dice+ce", "--")):
            chosen = [c for c in cells if c.cell.loss == loss]
            for name, label, colour, mark in _MARKS:
                points = [(_at(suite, c), o.minimum_ms) for c in chosen if (o := getattr(c, name)) is not None]
                if points:
                    axes.plot(*zip(*points, strict=True), style, marker=mark, color=colour, label=f"{label}, {loss}")
        axes.set(xscale="log", yscale="log", xlabel="positions" if suite == "size" else suite)
        axes.yaxis.set_major_formatter("{x:g}")
        if suite != "size":
            axes.set_xticks(sorted({_at(suite, c) for c in cells}))
            axes.xaxis.set_major_formatter("{x:g}")
            axes.minorticks_off()
        axes.grid(which="both", color="#e6e6e6", linewidth=0.6)
    found[0].set_ylabel("forward and backward, milliseconds")
    figure.suptitle(title, fontsize=8)
    figure.legend(*found[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False, fontsize=7)
    _save(figure, path)
    return True


def _at(suite: str, c: Comparison) -> int:
    n, classes, *spatial = c.cell.shape
    positions = n
    for size in spatial:
        positions *= size
    return {"size": positions, "classes": classes, "threads": c.cell.threads}[suite]


def _save(figure: Figure, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "losskit"}):
        figure.savefig(path, dpi=160, metadata={"Date": None} if path.suffix == ".svg" else None)
