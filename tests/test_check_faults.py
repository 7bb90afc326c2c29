"""Each check finds its planted fault, reports it first with its consequences, and finds nothing elsewhere."""

import inspect

import pytest

import faulty_calls
import faulty_claims_of_labels
import faulty_learned
import faulty_meaning
import faulty_results
import faulty_tensors
from faulty import PAIRS
from losskit.checker import battery
from losskit.checker.subject import Subject

# Importing these fills PAIRS.
MODULES = (faulty_calls, faulty_claims_of_labels, faulty_learned, faulty_meaning, faulty_results, faulty_tensors)
EDIT = "one-edit-from-formula"  # it names the line and the edit, and explains what other checks see
SLOW = ("compile", "export", "half-sums-overflow")
# Findings of these checks are errors.
RAISES = (
    *("no-graph", "slope-disagrees", "second-derivative", "memory-layout", "integer-targets"),
    *("compile", "export", "func-grad", "vmap", "copies", "left-behind"),
)


@pytest.mark.parametrize("pair", PAIRS, ids=str)
def test_a_fault_is_reported_first_by_its_check(pair):
    asked = [check for check in battery.checks() if check not in SLOW or check == pair.check]
    report = battery.run(Subject.of(pair.made(pair.faulty), **pair.told), select=asked)
    assert report.findings, report
    assert report.findings[0].check in (pair.check, EDIT), report
    assert report[pair.check], report
    assert not report.with_status("failed"), report.with_status("failed")


@pytest.mark.parametrize("pair", PAIRS, ids=str)
def test_its_sound_twin_passes(pair):
    report = battery.run(Subject.of(pair.made(pair.sound), **pair.told), select=[pair.check])
    assert [(each.check, each.status) for each in report.outcomes] == [(pair.check, "passed")], report


def test_every_check_has_a_fault():
    assert {pair.check for pair in PAIRS} == set(battery.checks())


@pytest.mark.parametrize("pair", PAIRS, ids=str)
def test_a_finding_comes_with_a_repro_that_runs(pair):
    subject = Subject.of(f"{inspect.getfile(pair.faulty)}:{pair.faulty.__name__}", **pair.told)
    found = list(battery.run(subject, select=[pair.check]))
    assert found
    for finding in found:
        assert len(finding.repro.splitlines()) <= 10, finding.repro
        try:
            exec(finding.repro, {"__name__": "__main__"})
        except (NameError, ImportError, SyntaxError, UnboundLocalError) as error:
            raise AssertionError(finding.repro) from error
        except Exception:  # noqa: BLE001 - a fault may be an error of any kind
            assert pair.check in RAISES, finding.repro
