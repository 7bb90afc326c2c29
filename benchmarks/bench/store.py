"""The CSV: one line per contender and cell, written as soon as the cell is done."""

from __future__ import annotations

import csv
import datetime as dt
import io
import platform
import subprocess
from collections.abc import Callable, Iterable
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, NamedTuple, get_type_hints

import torch

from bench.measure import Outcome
from bench.workloads import Cell
from losskit.ops import accelerated

_READ: dict[Any, Callable[[str], Any]] = {
    str: str,
    bool: "True".__eq__,
    int | None: lambda text: int(text) if text else None,
    float | None: lambda text: float(text) if text else None,
}
_CELL = [field.name for field in fields(Cell)]
_RUN = ("commit", "device", "torch", "date")
COLUMNS = (*_RUN, *(f"{name}_asked" if name == "compiled" else name for name in _CELL), *Outcome._fields)


class Line(NamedTuple):
    """The cell and outcome of a contender."""

    cell: Cell
    outcome: Outcome


class Store:
    """The results of one commit on one device."""

    def __init__(self, path: Path, *, resume: bool) -> None:
        self.path = path
        with_node = torch.__version__ + (" with losskit's compiled node" if accelerated.node() is not None else "")
        self.run = {"commit": commit(), "device": device_name(), "torch": with_node, "date": str(dt.date.today())}
        kept = _rows(path) if resume else []
        for key in ("commit", "device", "torch"):
            if any(row[key] != self.run[key] for row in kept):
                raise SystemExit(
                    f"{path} holds results for another {key} than {self.run[key]}, so the run cannot be resumed. "
                    "Omit --resume to measure again, or choose another --csv."
                )
        self.lines = [_line(row) for row in kept]
        self.cells = list(dict.fromkeys(line.cell for line in self.lines))
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows(kept)

    def __contains__(self, cell: Cell) -> bool:
        return cell in self.cells

    def add(self, cell: Cell, outcomes: Iterable[Outcome]) -> None:
        """Append a finished cell to the file."""
        outcomes = list(outcomes)
        described = {f"{k}_asked" if k == "compiled" else k: v for k, v in asdict(cell).items()} | {"shape": cell.size}
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, COLUMNS)
        writer.writerows(self.run | described | {k: _shown(v) for k, v in o._asdict().items()} for o in outcomes)
        with self.path.open("a", newline="") as file:
            file.write(text.getvalue())  # in one write: a killed run leaves complete cells
        self.cells.append(cell)
        self.lines += [Line(cell, outcome) for outcome in outcomes]


def read(path: Path) -> list[Line]:
    """The lines of a file."""
    return [_line(row) for row in _rows(path)]


def described(path: Path) -> str:
    """The device, versions and date of the figures in a file."""
    rows = _rows(path)
    if not rows:
        return "nothing measured"
    row, threads = rows[0], " and ".join(dict.fromkeys(row["threads"] for row in rows))
    return f"{row['device']}, {threads} threads, torch {row['torch']}, commit {row['commit']}, {row['date']}"


def _rows(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def _line(row: dict[str, str]) -> Line:
    cell = Cell(
        suite=row["suite"], loss=row["loss"], pool=row["pool"], shape=tuple(map(int, row["shape"].split("x"))),
        dtype=row["dtype"], threads=int(row["threads"]),
        compiled=row["compiled_asked"] == "True", variant=row["variant"],
    )  # fmt: skip
    return Line(cell, Outcome(**{name: _READ[kind](row[name]) for name, kind in get_type_hints(Outcome).items()}))


def _shown(value: object) -> object:
    return f"{value:.6g}" if isinstance(value, float) else value


def commit() -> str:
    """The commit of the working tree, with a + if there are uncommitted changes."""
    here = Path(__file__).parent

    def git(*arguments: str) -> str:
        return subprocess.run(["git", "-C", str(here), *arguments], capture_output=True, text=True).stdout.strip()

    measured = ("src/losskit", "csrc", "benchmarks/bench")
    root = git("rev-parse", "--show-toplevel") or str(here)
    changed = git("status", "--porcelain", "--", *(str(Path(root) / path) for path in measured))
    return f"{git('rev-parse', '--short', 'HEAD') or 'unknown'}{'+' if changed else ''}"


def device_name() -> str:
    """What computes."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    model = next((line for line in lines if line.startswith("model name")), f": {platform.processor()}")
    return model.split(":", 1)[1].strip()
