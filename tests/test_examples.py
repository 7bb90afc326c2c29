"""Every example runs unchanged, with the results that it states."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import losskit

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"


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


# Integrations: those that need what the tests have, and the script that runs all of them

sys.path[:0] = [str(EXAMPLES), str(EXAMPLES / "integrations")]

import run_integrations  # noqa: E402

NOTEBOOKS = sorted((EXAMPLES / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("name", ["jit", "fsdp2", "tensor_parallel", "torchmetrics"])
def test_an_integration_is_exact(name: str) -> None:
    path = EXAMPLES / "integrations" / f"with_{name}.py"
    result = run_integrations.run(path, run_integrations.prepared())
    assert result["outcome"] == "ok", result["printed"]


def test_a_compiled_step_takes_no_more_graphs_than_with_pytorch_as_sizes_change() -> None:
    import with_compile

    least, _ = with_compile.report(torch.nn.CrossEntropyLoss(), "torch", backend="aot_eager")
    graphs, error = with_compile.report(
        losskit.DiceLoss() + 0.5 * losskit.CrossEntropyLoss(), "sum", backend="aot_eager"
    )
    assert graphs == least < len(set(with_compile.SIZES))
    assert error < 1e-5


def test_every_integration_has_a_section_and_a_result() -> None:
    page = (ROOT / "docs" / "integrations.md").read_text()
    results = json.loads(run_integrations.RESULTS.read_text())
    names = {path.stem for path in (*run_integrations.EXAMPLES, *NOTEBOOKS)}
    assert results.keys() == names
    assert {name for name in names if name not in page} <= {"with_dask", "with_ray"}  # which one section shows
    assert {result["outcome"] for result in results.values()} == {"ok"}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_kept_without_outputs(path: Path) -> None:
    notebook = json.loads(path.read_text())
    assert notebook["nbformat"] == 4
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == []
            assert cell["execution_count"] is None
            compile("".join(cell["source"]), path.name, "exec")


@pytest.mark.parametrize(
    ("code", "outcome"),
    [("import json", "ok"), ("1 / 0", "failed"), ("import no_such_package", "skipped, no_such_package not installed")],
)
def test_what_comes_of_an_integration_is_told(code: str, outcome: str, tmp_path: Path) -> None:
    path = tmp_path / "with_code.py"
    path.write_text(code)
    result = run_integrations.run(path, dict(os.environ))
    assert result["outcome"] == outcome
    assert ("ZeroDivisionError" in result["printed"]) is (outcome == "failed")
