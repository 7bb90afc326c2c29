"""The checker on the collection of small losses; every run takes a part of it."""

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent.parent / "benchmarks"))
from check.cases import CASES
from check.run import ASIDE, FAMILIES, FRESH, Row, asked, cases

from losskit.checker import battery
from losskit.checker.spec import Unsure
from losskit.checker.subject import Subject

EVERY = 8  # every n-th case; `python benchmarks/check` runs them all
ALL = cases(FAMILIES)


def row_of(case):
    try:
        report = battery.run(Subject.of(case.loss), select=asked())
    except Unsure as error:
        return Row(case, "unsure", "", (), 0.0, str(error))
    assert not report.with_status("failed"), report.with_status("failed")
    first = report.findings[0].check if report.findings else ""
    verdict = "faulty" if report.exit_code() else "sound"
    return Row(case, verdict, first, tuple(finding.check for finding in report), 0.0, str(report))


@pytest.mark.parametrize("case", ALL[::EVERY], ids=lambda case: case.name)
def test_the_verdict_is_the_truth(case):
    row = row_of(case)
    assert row.outcome == "right", row.said


def test_the_collection_is_half_sound_and_a_third_of_it_was_put_aside():
    every = [*ALL, *cases(ASIDE)]
    assert len(every) >= 120
    assert 0.4 < sum(case.sound for case in every) / len(every) < 0.6
    assert sum(case.aside for case in every) >= len(every) // 3
    assert len({case.name for case in every}) == len(every)
    assert all(case.thread for case in CASES)


def test_faults_are_named_by_checks_that_there_are():
    for case in [*ALL, *cases(ASIDE), *cases(FRESH)]:
        assert set(case.faults) <= set(battery.checks()), case
