"""Runs the checker on cases and compares its verdicts with the truth."""

from __future__ import annotations

import resource
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import import_module

import losskit
from check.cases import CASES, Case
from losskit.checker import Unsure, battery

FAMILIES = ("segmentation", "classification", "regression", "pairs")
FRESH = ("fresh",)
# By an author who had not seen the checker; the verdicts of their first run are kept unchanged.
UNSEEN = ("unseen_sound", "unseen_sound_numbers", "unseen_faulty", "unseen_faulty_numbers")
MENDED = "{} mended"  # the name of such a family in later runs
# Checks that are skipped here: slow, and never the only reason for the verdict "faulty".
SLOW = (
    *("compile", "export", "half-sums-overflow", "saves-more", "peak-memory", "copies", "unsafe-on-gpu-autocast"),
    *("float64-lost", "empty-batch", "weights-stay-behind"),
)


EDIT = "one-edit-from-formula"  # it names the line and the edit that mends it


def asked() -> list[str]:
    """The checks that determine the verdict."""
    return [each for each in battery.checks() if each not in SLOW]


ASIDE = ("aside_sound", "aside_faulty")


def cases(families: Iterable[str] = FAMILIES) -> list[Case]:
    """The cases of these families, in their order."""
    names = {f"check.losses.{family}" for family in families}
    for name in sorted(names):
        import_module(name)
    return [case for case in CASES if case.made.__module__ in names]


@dataclass(frozen=True)
class Row:
    """The verdict of the checker on a case."""

    case: Case
    verdict: str  # sound, faulty, unsure
    first: str  # the check of the first finding
    named: tuple[str, ...]  # the checks of all findings
    seconds: float  # CPU time
    said: str

    @property
    def right(self) -> bool:
        """Whether the verdict is correct, and the first finding names the fault."""
        if self.case.sound:
            return self.verdict == "sound"
        if not self.case.fails:  # a finding that does not fail the check is reported, not necessarily first
            return self.verdict == "sound" and any(each in self.named for each in self.case.faults)
        return self.first in (*self.case.faults, EDIT) and self.verdict == "faulty"

    @property
    def outcome(self) -> str:
        """right, false alarm, missed, misnamed or unsure."""
        if self.right or self.verdict == "unsure":
            return "right" if self.right else "unsure"
        if self.case.sound:
            return "false alarm"
        return "misnamed" if self.verdict == "faulty" else "missed"


def row(case: Case) -> Row:
    """Check one case as a user would."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    try:
        report = losskit.check(case.loss, select=asked())
    except Unsure as error:
        verdict, first, named, said = "unsure", "", (), str(error)
    else:
        verdict = "faulty" if report.exit_code() else "sound"
        first = report.findings[0].check if report.findings else ""
        named = tuple(finding.check for finding in report)
        said = str(report)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Row(case, verdict, first, named, seconds, said)


def rows(given: Iterable[Case]) -> Iterator[Row]:
    yield from map(row, given)
