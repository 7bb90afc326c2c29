"""What a user's type checker says of losses: their own signatures, as functions and as modules."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / "tests" / "typed_script.py"


def mypy() -> tuple[set[int], str]:
    """The lines with errors."""
    command = [sys.executable, "-m", "mypy", "--config-file", "pyproject.toml", "--output", "json", str(SCRIPT)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    errors = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return {e["line"] for e in errors if e["severity"] == "error" and e["file"].endswith(SCRIPT.name)}, done.stdout


def pyright() -> tuple[set[int], str]:
    command = [sys.executable, "-m", "basedpyright", "--outputjson", "--level", "error", str(SCRIPT)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    errors = json.loads(done.stdout)["generalDiagnostics"]
    return {e["range"]["start"]["line"] + 1 for e in errors if e["severity"] == "error"}, done.stdout


CHECKERS = [mypy, *([pyright] if importlib.util.find_spec("basedpyright") else [])]


@pytest.mark.parametrize("checker", CHECKERS)
def test_errors_stand_where_the_script_says(checker) -> None:
    lines = SCRIPT.read_text().splitlines()
    marked = {number for number, line in enumerate(lines, start=1) if line.endswith("# error")}
    found, output = checker()
    assert len(marked) > 20
    assert found == marked, output


def test_the_script_runs_up_to_its_errors() -> None:
    text = SCRIPT.read_text()
    subprocess.run([sys.executable, "-c", text[: text.index("power_loss(x)  # error")]], cwd=ROOT, check=True)
