"""Runs the checker on a sample of the mutants; verdicts are stored as they come, so that a run can be resumed."""

from __future__ import annotations

import json
import random
import resource
import tempfile
from pathlib import Path
from typing import Any

import losskit
from check.mutants.edits import Edit
from check.mutants.judge import FAULT, code_of, mutants, originals
from check.run import asked
from losskit.building.references import Reference, load
from losskit.checker import Unsure

KEPT = Path(__file__).parent / "verdicts.json"
# Checks whose finding does not point at the mistake, by the mistake.
BESIDE: dict[str, tuple[str, ...]] = {
    "a factor missing": ("target-sets-precision",),
    "an option without effect": ("not-finite",),
    "rounds to half precision": ("wrong-answers-unlearnt",),
    "writes to an argument": ("contradicts-claim",),
}
NONE = "none: the originals"
DEFAULT = 300  # mutants of a run
Rows = dict[str, dict[str, Any]]


def sampled(each: int = 1) -> list[tuple[str, Edit]]:
    """The originals; then faulty mutants: so many of each mistake for each loss, by a fixed seed, in random order."""
    groups: dict[tuple[str, str], list[Edit]] = {}
    for name, edit, judgement in mutants():
        if judgement == FAULT:
            groups.setdefault((name, edit.mistake), []).append(edit)
    chance = random.Random(0)
    chosen = [
        (name, edit) for (name, _), found in groups.items() for edit in chance.sample(found, min(each, len(found)))
    ]
    chance.shuffle(chosen)
    return [*((name, Edit(NONE, "the original", plain)) for name, plain in originals().items()), *chosen]


def run(most: int, each: int = 1, again: bool = False) -> Rows:
    """Check the originals, and the first mutants of the sample that have no verdict, and print and store each verdict.

    With `again`, those that were not found are checked once more, after the checker was changed.
    """
    rows: Rows = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    for name, edit in sampled(each)[: most + len(originals())]:
        key = f"{name}: {edit.said}"
        before = rows.get(key)
        if before is not None and (not again or before["verdict"] == "faulty" or "again" in before):
            continue
        found = _verdict(name, code_of(edit.function))
        if before is None:
            rows[key] = {"loss": name, "mistake": edit.mistake, **found}
        else:
            before["again"] = found["verdict"]
        print(f"{found['verdict']:7} {found['first']:24} {found['seconds']:4.1f} s  {edit.mistake}: {key}", flush=True)
        KEPT.write_text(json.dumps(rows, indent=1) + "\n")
    return rows


def _verdict(name: str, code: str) -> dict[str, Any]:
    """What the checker says of a file with one loss."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "my_losses.py"
        file.write_text(code)
        try:
            report = losskit.check(load(Reference(str(file), name)), select=asked())  # in a fork, which starts faster
        except Unsure as error:
            found = {"verdict": "unsure", "first": "", "said": str(error).splitlines()[0]}
        else:
            first = report.findings[0] if report.findings and report.exit_code() else None
            said = {"first": "" if first is None else first.check, "said": "" if first is None else first.what}
            found = {"verdict": "faulty" if report.exit_code() else "sound", **said}
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {**found, "seconds": round(seconds, 1)}


def names(row: dict[str, Any]) -> bool:
    """Whether the first finding is about the mistake: judged by hand for each mistake and check."""
    return row["verdict"] == "faulty" and row["first"] not in BESIDE.get(row["mistake"], ())


def summary(rows: Rows) -> list[str]:
    """A table of the mistakes: how many were found, and named first; and found after the checker was changed."""
    lines = [
        "| mistake | mutants | found | named first | unsure | found after the changes |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    every = [row for row in rows.values() if row["mistake"] != NONE]
    for mistake in [*sorted({row["mistake"] for row in every}), "all mistakes", NONE]:
        chosen = every if mistake == "all mistakes" else [row for row in rows.values() if row["mistake"] == mistake]
        found = [row for row in chosen if row["verdict"] == "faulty"]
        later = [row for row in chosen if "faulty" in (row["verdict"], row.get("again"))]
        unsure = sum(row["verdict"] == "unsure" for row in chosen)
        counts = _share(len(found), chosen), _share(sum(map(names, found)), chosen), unsure, _share(len(later), chosen)
        lines.append(f"| {mistake} | {len(chosen)} | {' | '.join(map(str, counts))} |")
    return lines


def _share(count: int, of: list[Any]) -> str:
    return f"{count} ({100 * count / max(len(of), 1):.0f} %)"
