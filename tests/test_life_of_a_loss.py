"""CONTRIBUTING.md's life of one loss, followed to the letter in a copy of the project."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(
    r"^ *```python\n *# (?P<place>\S+?),?(?P<inside> in \w+)?\n(?P<code>.*?)^ *```$", re.DOTALL | re.MULTILINE
)


def steps() -> dict[str, tuple[str, str]]:
    """The code for each file, and the dictionary that it goes into or nothing."""
    text = (ROOT / "CONTRIBUTING.md").read_text()
    return {
        m["place"]: (textwrap.dedent(m["code"]), (m["inside"] or "").removeprefix(" in ")) for m in BLOCK.finditer(text)
    }


def follow(copy: Path, only: str = "") -> None:
    """Add the loss to a copy, or make the step of one file alone."""
    for place, (code, inside) in steps().items():
        if only not in place:
            continue
        path = copy / place
        source = path.read_text()
        if inside:
            head = re.search(rf"^{inside}\b.*\{{\n", source, re.MULTILINE)
            assert head, f"{place} has no {inside}"
            source = source[: head.end()] + textwrap.indent(code, "    ") + source[head.end() :]
        else:
            source += "\n\n" + code
        path.write_text(source)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for folder in ("src", "tests", "docs"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__", "_build"))
    for file in ("pyproject.toml", "CONTRIBUTING.md", "README.md", "CHANGELOG.md"):
        shutil.copy(ROOT / file, tmp_path / file)
    return tmp_path


def run(copy: Path, *command: str) -> tuple[int, str]:
    environment = {**os.environ, "PYTHONPATH": str(copy / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, *command], cwd=copy, env=environment, capture_output=True, text=True, timeout=600, check=False
    )
    return done.returncode, done.stdout + done.stderr


def pytest_in(copy: Path, *files: str) -> tuple[int, str]:
    options = ("-p", "no:xdist", "-p", "no:cacheprovider", "--tb=long", "-k", "quartic")
    return run(copy, "-m", "pytest", *options, *files)


def test_a_loss_added_by_the_book_passes_every_test(copy: Path) -> None:
    follow(copy)
    code, said = run(copy, "tests/test_golden.py")
    assert code == 0, said
    assert "quartic_loss-pair is added to tests/golden/regression.json" in said
    catalogue = [p for p in (copy / "tests").glob("test_*.py") if re.search("^from cases import", p.read_text(), re.M)]
    code, said = pytest_in(copy, *sorted(f"tests/{path.name}" for path in catalogue))
    assert code == 0, said
    assert len(catalogue) > 15


def test_every_step_left_out_is_named(copy: Path) -> None:
    follow(copy, only="src/losskit/losses/regression.py")
    code, said = pytest_in(copy, "tests/test_imports.py", "tests/test_authorities.py", "tests/test_golden.py")
    assert code == 1, said
    for message in (
        "add `quartic_loss = function_form(regression.QuarticLoss)` to src/losskit/functional.py",
        "add `from losskit.losses.regression import QuarticLoss as QuarticLoss` to src/losskit/__init__.py",
        'Add a row to AUTHORITIES in tests/authorities/regression.py: "quartic_loss":',
        "run `python tests/test_golden.py`",
    ):
        assert message in said
