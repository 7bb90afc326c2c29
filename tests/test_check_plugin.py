"""The pytest plugin: one line of a test checks a loss, and a failure shows the findings."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

TESTS = """
    from torch import nn
    from torch.nn import functional as F

    class Counting(nn.Module):
        def forward(self, input, target):
            return F.mse_loss(input.detach(), target) + 0 * input.sum()

    TAKES = dict(kind="regression", scores="values", layout="same")

    def test_sound(check_loss):
        report = check_loss(nn.MSELoss(), select=["not-finite", "broadcasts"])
        assert report.spec.kind == "regression"

    def test_faulty(check_loss):
        check_loss(Counting(), select=["wrong-answers-unlearnt", "no-graph", "slope-disagrees"], **TAKES)

    def test_strict(check_loss):
        check_loss(nn.MSELoss(), select=["broadcasts"], strict=True)

    def test_waived(check_loss):
        check_loss(nn.MSELoss(), select=["broadcasts"], strict=True, waive={"broadcasts": "shapes are checked before"})
"""


@pytest.fixture(autouse=True)
def named_plugins_alone(monkeypatch):
    """The plugin of this checkout, whether or not an installed losskit has one."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")


def test_a_faulty_loss_fails_its_test_with_what_was_found(pytester):
    pytester.makepyfile(TESTS)
    result = pytester.runpytest_inprocess("-p", "losskit_pytest", "-p", "no:cacheprovider")
    result.assert_outcomes(passed=2, failed=2)
    result.stdout.fnmatch_lines(["*Counting: FAULTY*", "*fix:*", "*criterion = Counting()*"])
    result.stdout.fnmatch_lines(["*MSELoss: correct on valid input*", "*TRAP*accepts a target*", "*broadcasts*"])
    result.stdout.no_fnmatch_line("*losskit_pytest/__init__.py:*")  # without the traceback of the fixture


def test_a_waiver_of_the_project_holds_in_tests(pytester):
    pytester.makepyfile(
        "from torch import nn\n"
        "def test_it(check_loss):\n    check_loss(nn.MSELoss(), select=['broadcasts'], strict=True)\n"
    )
    pytester.makepyprojecttoml("[tool.losskit.check]\nwaive = { broadcasts = 'shapes are checked before' }\n")
    result = pytester.runpytest_inprocess("-p", "losskit_pytest", "-p", "no:cacheprovider")
    result.assert_outcomes(passed=1)


def test_the_plugin_costs_pytest_no_torch():
    """It is imported at every start of pytest, also in projects that do not use it."""
    code = "import sys, losskit_pytest; print('torch' in sys.modules, 'losskit' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["False", "False"]


@pytest.mark.parametrize("line", [r"\[project\.entry-points\.pytest11\]\nlosskit = \"losskit_pytest\"\n"])
def test_pytest_finds_it_where_losskit_is_installed(line):
    assert re.search(line, (Path(__file__).parents[1] / "pyproject.toml").read_text())
