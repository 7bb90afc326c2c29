"""One run of the checker on cases, and its rows: truth against verdict."""

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
# By somebody who had not seen the checker; what was said of them in their only run is kept as it was.
UNSEEN = ("unseen_sound", "unseen_sound_numbers", "unseen_faulty", "unseen_faulty_numbers")
MENDED = "{} mended"  # the name of such a family, where it is run again
# What is not asked here: checks that take long, and never make a loss faulty by themselves.
SLOW = (
    *("compile", "export", "half-sums-overflow", "saves-more", "peak-memory", "copies", "unsafe-on-gpu-autocast"),
    *("float64-lost", "empty-batch", "weights-stay-behind"),
)


def asked() -> list[str]:
    """The checks that decide."""
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
    """What the checker said of a case."""

    case: Case
    verdict: str  # sound, faulty, unsure
    first: str  # the check that is named first
    named: tuple[str, ...]  # the checks of all findings
    seconds: float  # of CPU
    said: str

    @property
    def right(self) -> bool:
        """Whether the verdict is the truth, and a fault is named first by a check that means it."""
        if self.case.sound:
            return self.verdict == "sound"
        if not self.case.fails:  # what is no fault does not come first, but is said
            return self.verdict == "sound" and any(each in self.named for each in self.case.faults)
        return self.first in self.case.faults and self.verdict == "faulty"

    @property
    def outcome(self) -> str:
        """right, false alarm, missed, misnamed or unsure."""
        if self.right or self.verdict == "unsure":
            return "right" if self.right else "unsure"
        if self.case.sound:
            return "false alarm"
        return "misnamed" if self.verdict == "faulty" else "missed"


def row(case: Case) -> Row:
    """Check one case as its user would."""
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
