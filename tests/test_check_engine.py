"""The engine of the checker: reports, their order, and losses that end their process."""

import ctypes
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from torch import nn

import losskit
from losskit.checker import Found, Severity, battery
from losskit.checker.finding import Finding, Outcome, Report, report_of, under_causes
from losskit.checker.registry import Check
from losskit.checker.subject import Subject

SECONDS = 3.0


def finding(check, severity=Severity.WRONG, causes=()):
    return Finding(check, severity, f"{check} happens", {"value": 1.0}, "print(1)", "why", "fix", tuple(causes))


def names(findings):
    return [(each.check, names(each.consequences)) for each in findings]


# Reports.


def test_the_worst_comes_first():
    found = [finding("a", Severity.COST), finding("b", Severity.TRAP), finding("c"), finding("d", Severity.NO_GRADIENT)]
    assert names(under_causes(found, list("abcd"))) == [("c", []), ("d", []), ("b", []), ("a", [])]


def test_consequences_stand_under_the_cause_that_was_found():
    found = [finding("nan", causes=["overflow", "zero"]), finding("dead", causes=["nan"]), finding("overflow")]
    assert names(under_causes(found, [])) == [("overflow", [("nan", [("dead", [])])])]
    alone = under_causes([finding("nan", causes=["overflow"])], [])
    assert names(alone) == [("nan", [])]
    assert alone[0].causes == ()


def test_a_mild_cause_of_something_grave_comes_before_what_is_milder():
    found = [finding("trap", Severity.TRAP), finding("root", Severity.PROPERTY), finding("nan", causes=["root"])]
    assert names(under_causes(found, ["trap", "root", "nan"])) == [("root", [("nan", [])]), ("trap", [])]


def test_nothing_that_was_found_is_lost():
    found = [finding("a", causes=["b"]), finding("b", causes=["a"]), finding("c", causes=["c"]), finding("c")]
    report = Report("x", None, under_causes(found, []))
    assert sorted(f.check for f in report) == ["a", "b", "c", "c"]


@pytest.mark.parametrize(
    ("severity", "code", "strict"),
    [
        (Severity.WRONG, 1, 1),
        (Severity.NO_GRADIENT, 1, 1),
        (Severity.TRAP, 0, 1),
        (Severity.PROPERTY, 0, 0),
        (Severity.COST, 0, 0),
        (Severity.CONVENIENCE, 0, 0),
    ],
)
def test_exit_codes(severity, code, strict):
    report = report_of("x", None, [Outcome("a", "found", "", (finding("a", severity),))], {})
    assert (report.exit_code(), report.exit_code(strict=True)) == (code, strict)
    inner = Report("x", None, under_causes([finding("root", Severity.COST), finding("a", severity, ["root"])], []))
    assert inner.exit_code() == code


def test_a_report_says_its_verdict_and_can_be_stored():
    report = losskit.check(nn.MSELoss(), isolate=False, select=["broadcasts", "not-finite"])
    assert "regression" in str(report)
    assert report.verdict in str(report)
    stored = report.to_dict()
    assert stored["checks"][0].keys() == {"check", "status", "reason", "seconds"}
    assert stored["findings"][0].keys() == {
        "check", "severity", "what", "evidence", "repro", "why", "fix", "causes", "consequences",
    }  # fmt: skip
    assert [each["check"] for each in stored["findings"]] == [each.check for each in report.findings]
    assert [each["severity"] for each in stored["findings"]] == [each.severity.value for each in report.findings]


# Waivers.


def test_what_is_waived_does_not_count_and_is_told():
    outcomes = [Outcome("broadcasts", "found", "", (finding("broadcasts"),))]
    report = report_of("x", None, outcomes, {"broadcasts": "one column by design", "not-finite": "unasked"})
    assert report.exit_code() == 0
    assert [(w.check, w.reason, len(w.findings)) for w in report.waived] == [("broadcasts", "one column by design", 1)]
    assert "one column by design" in str(report)


@pytest.mark.parametrize(
    ("waive", "message"), [({"brodcasts": "x"}, 'did you mean "broadcasts"'), ({"broadcasts": " "}, "gives no reason")]
)
def test_a_waiver_names_a_check_and_a_reason(waive, message):
    with pytest.raises(ValueError, match=message):
        losskit.check(nn.MSELoss(), waive=waive, isolate=False)


def test_a_check_to_select_exists():
    with pytest.raises(ValueError, match='did you mean "broadcasts"'):
        losskit.check(nn.MSELoss(), select=["broadcast"], isolate=False)


# One check.


def asked(function, severity=Severity.TRAP, **fields):
    return Check("x", severity, function, "why", "fix", **fields)(Subject.of(nn.MSELoss()))


def test_how_a_check_ends():
    assert asked(lambda subject: []).status == "passed"
    outcome = asked(lambda subject: [Found("it happens"), Found("worse", severity=Severity.WRONG, fix="this")])
    assert [(f.severity, f.why, f.fix) for f in outcome.findings] == [
        (Severity.TRAP, "why", "fix"),
        (Severity.WRONG, "why", "this"),
    ]
    assert asked(lambda subject: 1 / 0).status == "failed"
    refused = asked(lambda subject: [subject.call(subject.build(), torch.zeros(2, 3), torch.zeros(4, 5))])
    assert refused.status == "refused"
    assert "must match the size" in refused.reason
    unasked = asked(lambda subject: 1 / 0, applies=lambda spec: spec.labels or "it has no labels")
    assert (unasked.status, unasked.reason) == ("not applicable", "it has no labels")


# Losses that end their process, each only where a check calls it with a single sample.


class Bad(nn.Module):
    def forward(self, input, target):
        if len(input) == 1:
            self.misbehave()
        return ((input - target) ** 2).mean()


class Hangs(Bad):
    def misbehave(self):
        while True:
            pass


class Crashes(Bad):
    def misbehave(self):
        ctypes.string_at(0)


class Leaves(Bad):
    def misbehave(self):
        os._exit(3)


class AsksForTooMuch(Bad):
    def misbehave(self):
        torch.zeros(10**12)


class Hoards(Bad):
    def misbehave(self):
        held = []
        while True:
            held.append(torch.ones(10**7))


@pytest.fixture
def two_checks(monkeypatch):
    """A check that calls the loss with a single sample, and one after it that does not."""
    calm = Check("calm", Severity.TRAP, lambda s: [Found("called", float(s.value(*s.example())))], "why", "fix")
    single = Check("single", Severity.TRAP, lambda s: list(s.value(*s.example(batch=1))[None][:0]), "why", "fix")
    monkeypatch.setattr(battery, "REGISTRY", {"single": single, "calm": calm})


@pytest.mark.parametrize(
    ("loss", "check", "evidence"),
    [
        (Hangs, "hangs", "in misbehave (test_check_engine.py, line"),
        (Crashes, "crashes", "(1, 3) float32"),
        (Leaves, "crashes", "(1, 3) float32"),
        (AsksForTooMuch, "eats-memory", "memory"),
        (Hoards, "eats-memory", ""),
    ],
)
@pytest.mark.usefixtures("two_checks")
def test_a_loss_that_ends_its_process_ends_its_check_alone(loss, check, evidence):
    report = losskit.check(loss(), time_limit=SECONDS, memory_limit=2**28)
    first, calm = report.findings
    assert first.check == check
    assert "in the check single" in first.what
    assert evidence in first.evidence
    assert "input = torch.tensor" in first.repro
    assert f"criterion = {loss.__name__}()" in first.repro
    assert (calm.check, calm.what) == ("calm", "called")
    assert report.exit_code() == 1


@pytest.mark.parametrize("loss", [Hangs, AsksForTooMuch])
def test_a_check_of_assumed_tensors_accuses_no_loss_of_the_time_or_memory_that_they_take(loss, monkeypatch):
    def function(subject):
        yield Found("called", float(subject.value(*subject.example(batch=1))))

    monkeypatch.setattr(battery, "REGISTRY", {"x": Check("x", Severity.WRONG, function, "", "", assumes=True)})
    report = losskit.check(loss(), time_limit=SECONDS, memory_limit=2**28)
    assert [each.status for each in report.outcomes] == ["not applicable"]
    assert "its calls take too much" in report.outcomes[0].reason
    assert not report.findings


def test_a_loss_that_always_hangs_is_left_soon():
    def stands(input, target):
        time.sleep(1e6)

    started = time.monotonic()
    report = losskit.check(stands, time_limit=1.0)
    assert time.monotonic() - started < 20
    assert [f.check for f in report] == ["hangs"]
    assert "in stands (test_check_engine.py" in report.findings[0].evidence
    assert {o.status for o in report.outcomes[1:]} == {"not run"}
    assert report.exit_code() == 1


HOLDS_PYTHON = """
import os, pathlib, re
import losskit

def stuck(input, target):
    pathlib.Path("pid").write_text(str(os.getpid()))
    re.match("(a+)+$", "a" * 64 + "b")  # holds the lock of the interpreter
    return (input - target).square().mean()

losskit.check(stuck, time_limit=600)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the signal at the death of the parent is Linux's")
def test_a_child_that_runs_no_other_thread_ends_with_its_parent(tmp_path):
    (tmp_path / "stuck.py").write_text(HOLDS_PYTHON)
    parent = subprocess.Popen([sys.executable, "stuck.py"], cwd=tmp_path)
    pid = waited(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text())
    parent.kill()
    parent.wait()
    assert waited(lambda: not Path(f"/proc/{pid}").exists() or " Z " in Path(f"/proc/{pid}/stat").read_text())


def waited(condition, seconds=60):
    """The first true value of a condition."""
    until = time.monotonic() + seconds
    while not (found := condition()) and time.monotonic() < until:
        time.sleep(0.1)
    return found


def test_after_three_endings_the_rest_is_left(monkeypatch):
    single = {f"s{n}": Check(f"s{n}", Severity.TRAP, lambda s: s.value(*s.example(batch=1)), "", "") for n in range(5)}
    monkeypatch.setattr(battery, "REGISTRY", single)
    report = losskit.check(Leaves(), time_limit=SECONDS)
    assert [o.status for o in report.outcomes] == ["crashes"] * 3 + ["not run"] * 2
    assert len(report) == 1


def test_what_a_loss_prints_disturbs_nothing(capfd):
    def talks(input, target):
        print('{"done": true}', flush=True)
        os.write(1, b"{}\n")
        return ((input - target) ** 2).mean()

    assert losskit.check(talks, select=["not-finite"]).with_status("passed")
    assert "done" not in capfd.readouterr().out


def test_checking_changes_nothing_here():
    """Neither the loss nor the random state of the caller changes."""

    class Counts(nn.Module):
        def __init__(self):
            super().__init__()
            self.calls = 0

        def forward(self, input, target):
            self.calls += 1
            return ((input - target) ** 2).mean()

    loss, state = Counts(), torch.get_rng_state()
    losskit.check(loss, select=["not-finite", "broadcasts"])
    assert loss.calls == 0
    assert torch.equal(torch.get_rng_state(), state)


def test_a_fresh_process_checks_what_a_file_holds(tmp_path):
    lines = ["import os", "from torch.nn.functional import l1_loss", "def leaves(input, target):"]
    lines += ["    if len(input) == 1: os._exit(4)", "    return l1_loss(input, target)"]
    (tmp_path / "theirs.py").write_text("\n".join(lines))
    seen = []
    report = losskit.check(
        f"{tmp_path / 'theirs.py'}:leaves",
        select=["not-finite", "batch-of-one"],
        time_limit=60,
        progress=lambda *said: seen.append(said),
    )
    assert report.spec.kind == "regression"
    assert [(f.check, f.causes) for f in report] == [("crashes", ())]
    assert "exit code 4" in report.findings[0].what
    assert [total for _, _, total in seen] == [2, 2]
    assert report.loss == "leaves"
