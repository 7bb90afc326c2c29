"""Every example runs unchanged, with the results that it states."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"


def run(name: str) -> str:
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / name)], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("name", "exact", "wrong"),
    [("ddp.py", "sync", "averaged"), ("gradient_accumulation.py", "micro_batches|by hand", "averaged")],
)
def test_examples_are_exact_where_they_say_so(name: str, exact: str, wrong: str) -> None:
    errors: dict[str, list[float]] = {exact: [], wrong: []}
    for line in run(name).splitlines():
        for kind, found in errors.items():
            if re.search(kind, line):
                found.append(float(line.rsplit(" ", 1)[1]))
    assert len(errors[exact]) >= 2
    assert max(errors[exact]) < 1e-6
    assert min(errors[wrong]) > 0.05
