"""Measure the selected cells, store each in a CSV file, print the tables and draw the charts."""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

import torch

from bench import chart, isolation, report, store
from bench.measure import OK, Outcome, Settings
from bench.workloads import Cell, growth, table

_REPOSITORY = Path(__file__).parents[2]
_QUIET = 0.5  # load average above which the machine is not idle


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    add = parser.add_argument
    add("--only", action="append", metavar="WORDS", help="cells with all these words: 'dice+ce 4x19x256x256'")
    add("--rounds", type=int, default=40, help="rounds per contender (fewer for slow ones)")
    add("--threads", type=_counts, default=(os.cpu_count() or 1,), metavar="N,N", help="thread counts, such as '1,2'")
    add("--compile", choices=["table", "all", "none"], default="table", help="cells to measure under torch.compile too")
    add("--no-compile", dest="compile", action="store_const", const="none", help="same as --compile none")
    add("--compile-limit", type=float, default=60.0, metavar="S", help="seconds allowed per compilation")
    add("--minutes", type=float, default=60.0, help="start no new cell after this time; continue with --resume")
    add("--resume", action="store_true", help="keep the cells in the CSV and measure the missing ones")
    add("--growth", action="store_true", help="measure by size, classes and threads instead of the table")
    add(
        "--csv",
        type=Path,
        help="CSV file; default: benchmarks/results/speed.csv or growth.csv; with --only, speed-chosen.csv",
    )
    add("--chart", type=Path, help="chart file; default, without --only: docs/_static/speed.svg or growth.svg")
    add("--report", action="store_true", help="only print and draw the results in the CSV")
    add("--list", action="store_true", help="only list the cells")
    asked = parser.parse_args(arguments)

    name = "growth" if asked.growth else "speed"
    chosen = "-chosen" if asked.only else ""  # a partial run must not overwrite the file of a full run
    csv = asked.csv or _REPOSITORY / "benchmarks" / "results" / f"{name}{chosen}.csv"
    if asked.growth:
        cells = list(growth(max(asked.threads)))
    else:
        cells = [cell for threads in asked.threads for cell in table(threads, asked.compile)]
    if asked.only:
        cells = [cell for cell in cells if any(cell.chosen(words) for words in asked.only)]
    if asked.list:
        _print("\n".join(map(str, cells)))
        return
    if not asked.report:
        if not cells:
            parser.error(f"--only {asked.only} matches no cell; --list prints the words of each")
        results = store.Store(csv, resume=asked.resume)
        _measure(cells, results, Settings(asked.rounds, asked.compile_limit), asked.minutes)
    lines, title = store.read(csv), store.described(csv)
    _print(report.markdown(lines, title))
    picture = asked.chart or (None if asked.only else _REPOSITORY / "docs" / "_static" / f"{name}.svg")
    if picture is not None and (chart.draw_growth if asked.growth else chart.draw)(lines, title, picture):
        _print(f"{picture}\n")


def _counts(text: str) -> tuple[int, ...]:
    counts = tuple(dict.fromkeys(int(count) for count in text.split(",")))
    if min(counts) < 1:
        raise ValueError
    return counts


def _measure(cells: list[Cell], results: store.Store, settings: Settings, minutes: float) -> None:
    missing = [cell for cell in cells if cell not in results]
    if missing:
        torch.set_num_threads(1)  # idle in this process, so that child processes can use threads
        isolation.prepare(compiling=any(cell.compiled for cell in missing))
        load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
        if load > _QUIET:
            _say(f"The machine is not idle (load {load:.1f}): multi-threaded times will be too high.")
    start = time.monotonic()
    for number, cell in enumerate(missing):
        if time.monotonic() - start > 60 * minutes:
            _say(f"{len(missing) - number} cells not measured in {minutes:g} minutes; --resume continues from {cell}")
            return
        began = time.monotonic()
        outcomes = isolation.measured(cell, settings)
        results.add(cell, outcomes)
        _say(f"[{number + 1}/{len(missing)}] {cell}, {time.monotonic() - began:.0f} s: {_summary(outcomes)}")


def _summary(outcomes: list[Outcome]) -> str:
    timed = [
        f"{o.library}{'/c' if o.compiled else ''} {o.minimum_ms:.3g}" for o in outcomes if o.minimum_ms is not None
    ]
    left = [f"{o.library}{'/c' if o.compiled else ''} {o.status}: {o.why}" for o in outcomes if o.status != OK]
    return "; ".join([", ".join(timed), *left])


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def _print(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


if __name__ == "__main__":
    main()
