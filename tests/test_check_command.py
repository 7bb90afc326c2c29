"""losskit check on the command line: arguments, output and exit code."""

import json
import re

import pytest
import torch
from torch import nn
from typer.testing import CliRunner

import losskit
from losskit.checker import battery, command, registry
from losskit.checker.finding import Finding, Outcome, Severity
from losskit.checker.render import write_page
from losskit.checker.waivers import waivers_for
from losskit.cli.commands import app

FILE = """
import torch
from torch.nn import functional as F

def sound(input, target, factor=1.0):
    if input.shape != target.shape:
        raise ValueError("shapes differ")
    return factor * F.mse_loss(input, target)

def detached(input, target):
    return F.mse_loss(input.detach(), target) + 0 * input.sum()

def vague(input, target):
    return (input * target).sum().sin()

class Needs:
    def __init__(self, gamma):
        self.gamma = gamma
    def __call__(self, input, target):
        return self.gamma * F.mse_loss(input, target)
"""


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """A folder with losses; checks run in this process, unlike in the tests of the engine."""
    (tmp_path / "mine.py").write_text(FILE)
    monkeypatch.chdir(tmp_path)
    real = command.run_check
    monkeypatch.setattr(command, "run_check", lambda *given, **options: real(*given, **{**options, "isolate": False}))
    return tmp_path


def run(*arguments):
    return CliRunner().invoke(app, ["check", *arguments], prog_name="losskit", catch_exceptions=False)


SOME = (
    "--select",
    "not-finite",
    "--select",
    "broadcasts",
    "--select",
    "no-graph",
    "--select",
    "wrong-answers-unlearnt",
)


def test_a_sound_loss_exits_0():
    result = run("mine.py:sound", *SOME)
    assert result.exit_code == 0
    assert "no fault found" in result.stdout
    assert "Tested as: regression; numbers as input" in result.stdout


def test_a_fault_exits_1_with_evidence_repro_and_fix():
    result = run("mine.py:detached", "--kind", "regression", "--scores", "values", "--target", "same", *SOME)
    assert result.exit_code == 1
    verdict, *_ = result.stdout.splitlines()
    assert "FAULTY" in verdict
    for part in ("NO GRADIENT", "seen", "why", "fix", "from mine import detached", "criterion = detached"):
        assert part in result.stdout


def test_unsure_exits_2_and_says_which_option_to_pass():
    result = run("mine.py:vague")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "unsure" in result.stderr
    assert "--kind regression --scores values" in result.stderr


def test_a_trap_fails_only_where_it_is_strict():
    arguments = ("torch.nn:MSELoss", "--select", "broadcasts")
    assert run(*arguments).exit_code == 0
    assert run(*arguments, "--strict").exit_code == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["mine.py:absent"], "has no absent"),
        (["mine.py"], "Name one of them: losskit check mine.py:"),
        (["absent.py:loss"], "There is no file absent.py"),
        (["mine.py:Needs"], "gamma"),
        (["mine.py:sound", "--with", "factr=2"], 'did you mean "factor"'),
        (["mine.py:sound", "--with", "factor"], "key=value"),
        (["mine.py:sound", "--with", "factor=tensor([1.0])"], "package.module:Name(factor=tensor([1.0]))"),
        (["mine.py:sound", "--kind", "regresion"], 'did you mean "regression"'),
        (["mine.py:sound", "--select", "brodcasts"], 'did you mean "broadcasts"'),
        (["mine.py:sound", "--shape", "a,b"], "--shape takes sizes"),
        (["mine.py:sound", "--batch", "absent.pt"], "There is no file absent.pt"),
        (["--source", "absent.py"], "cannot be read"),
        ([], "give a loss, such as"),
        (["mine.py:sound", "--source", "mine.py"], "give a loss, such as"),
        (["mine.py:sound", "--select", "not-finite", "--html", "no/such/folder.html"], "cannot be written"),
    ],
)
def test_what_cannot_be_carried_out_exits_2(arguments, message):
    result = run(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_options_of_the_loss_are_literals():
    result = run("mine.py:Needs", "--with", "gamma=2.5", "--select", "not-finite", "--json")
    assert json.loads(result.stdout)["loss"] == "Needs(gamma=2.5)"
    shaped = run("torch.nn:CrossEntropyLoss", "--shape", "3,7", "--classes", "4", "--select", "not-finite", "--json")
    spec = json.loads(shaped.stdout)["spec"]
    assert (spec["classes"], spec["spatial"]) == (4, [3, 7])


def test_a_loss_of_ours_by_name():
    assert "Tested as: binary" in run("focal(gamma=1.5)", "--select", "not-finite").stdout


def test_options_in_the_text_of_a_loss():
    text = "torch.nn:CrossEntropyLoss(weight=tensor([1.0, 2.0, 1.0, 1.0]))"
    report = json.loads(run(text, "--select", "not-finite", "--json").stdout)
    assert report["spec"]["classes"] == 4


def test_json_holds_no_nan():
    result = run("torch.nn:MSELoss", "--select", "empty-batch", "--json")
    json.loads(result.stdout, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert "nan" in result.stdout


def test_json_is_the_report_and_nothing_else():
    result = run("torch.nn:MSELoss", "--json", *SOME)
    report = json.loads(result.stdout)
    assert [f["check"] for f in report["findings"]] == ["broadcasts"]
    assert report["spec"]["kind"] == "regression"
    assert {c["status"] for c in report["checks"]} <= {"passed", "found", "not applicable"}


def test_verbose_tells_every_check():
    brief, full = (run("torch.nn:MSELoss", *SOME, *more).stdout for more in ([], ["--verbose"]))
    assert "no-graph: passed" in full
    assert "no-graph" not in brief


def test_a_check_that_fails_by_itself_is_told_and_is_no_fault_of_the_loss(monkeypatch):
    broken = registry.Check("broken", Severity.WRONG, lambda subject: 1 / 0, "", "")
    monkeypatch.setattr(battery, "REGISTRY", {"broken": broken})
    result = run("torch.nn:MSELoss")
    assert result.exit_code == 0
    assert "The check broken could not run because of a bug in it (ZeroDivisionError" in result.stdout


def test_a_batch_from_a_file(here):
    torch.save((torch.randn(4, 3, 8).softmax(1), torch.randint(3, (4, 8))), here / "own.pt")
    result = run("torch.nn:CrossEntropyLoss", "--batch", "own.pt")
    assert result.exit_code == 1
    assert "a softmax was applied" in result.stdout
    assert "load(Path('own.pt'))" in result.stdout


def test_source_is_read_and_not_run(here):
    (here / "other.py").write_text("raise SystemExit(9)\ndef loss(input, target):\n    return input.sum().mean()\n")
    result = run("--source", "other.py")
    assert result.exit_code == 0
    assert "other.py, line 3, in loss" in result.stdout


def test_checks_are_listed():
    lines = run("--checks").stdout.splitlines()
    assert {line.split()[0] for line in lines} >= {"not-finite", "broadcasts", "batch-activation"}


def test_long_lines_of_a_repro_stay_whole():
    shown = run("torch.nn:CrossEntropyLoss", "--select", "half-sums-overflow").stdout
    line = next(each for each in shown.splitlines() if "input = torch.tensor" in each)
    assert line.endswith("repeat(1, 1, 128, 128)")


def test_waivers_of_a_project(here):
    (here / "pyproject.toml").write_text(
        "[tool.losskit.check]\nwaive = { broadcasts = 'shapes are checked before' }\n"
        '[tool.losskit.check.loss."torch.nn:L1Loss"]\nwaive = { "not-finite" = "only here" }\n'
    )
    result = run("torch.nn:MSELoss", "--strict", *SOME)
    assert result.exit_code == 0
    assert "waived broadcasts: shapes are checked before" in result.stdout
    (here / "below").mkdir()
    assert waivers_for("torch.nn:L1Loss", here / "below") == {
        "broadcasts": "shapes are checked before",
        "not-finite": "only here",
    }


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("waive = { brodcasts = 'x' }", 'did you mean "broadcasts"'),
        ("waive = { broadcasts = true }", "table of reasons"),
        ("waived = {}", "has the keys waive and loss; got waived"),
        ("waive = {", "cannot be read"),
    ],
)
def test_a_waiver_that_is_none_is_told(here, written, message):
    (here / "pyproject.toml").write_text(f"[tool.losskit.check]\n{written}\n")
    result = run("torch.nn:MSELoss", "--select", "broadcasts")
    assert result.exit_code == 2
    assert message in result.stderr


# The page.


def page(tmp_path, *findings):
    from losskit.checker.finding import report_of
    from losskit.checker.subject import Subject

    outcomes = [Outcome(f.check, "found", "", (f,)) for f in findings] or [Outcome("calm", "passed")]
    write_page(report_of("<b>x</b>", Subject.of(nn.MSELoss()).spec, outcomes, {}), tmp_path / "page.html")
    return (tmp_path / "page.html").read_text()


def test_the_page_is_self_contained_and_escapes_what_it_shows(tmp_path):
    nasty = Finding("a", Severity.WRONG, "gives <script>", {"value": 1.5}, "print('<i>')", "why", "fix")
    html = page(tmp_path, nasty, Finding("b", Severity.COST, "costs", "much"))
    assert not re.search(r'(src|href)="?http|@import|<link', html)
    assert "&lt;script&gt;" in html
    assert "<script>" not in html
    assert "&lt;b&gt;x" in html
    assert "value 1.5" in html


@pytest.mark.parametrize("severity", Severity)
def test_severity_is_told_in_words_and_not_by_colour_alone(tmp_path, severity):
    html = page(tmp_path, Finding("a", severity, "it happens"))
    body = html.split("How to read it")[0]
    assert re.search(rf'class="tag \w+">\S {severity.value}<', body)


def test_a_page_without_findings_says_so(tmp_path):
    assert "no fault found" in page(tmp_path)


def test_html_is_written_beside_the_report(here):
    result = run("torch.nn:MSELoss", "--html", "report.html", *SOME)
    assert "Report: report.html" in result.stdout
    assert losskit.__version__ in (here / "report.html").read_text()
