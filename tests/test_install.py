"""Without a C compiler losskit installs, works and says what is missing; with stale kernels it refuses."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from losskit.ops import constants, native

ROOT = Path(__file__).parent.parent
REASON = "not native: the C kernels were not built when losskit was installed"
USE = """
import torch
import losskit

logits, labels = torch.randn(2, 3, 8, requires_grad=True), torch.randint(0, 3, (2, 8))
for criterion in (losskit.DiceCELoss(), losskit.LovaszLoss()):
    print(losskit.__file__, losskit.explain(criterion, logits, labels))
    criterion(logits, labels).backward()
losskit.MSELoss()(logits, logits.detach() + 1).backward()
print(bool(logits.grad.isfinite().all()))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="a compiler that no variable names")
def test_without_a_compiler_the_package_builds_and_the_plain_operators_serve(tmp_path):
    built = tmp_path / "lib"
    there = ["egg_info", "--egg-base", tmp_path, "build", "--build-base", tmp_path, "--build-lib", built]
    environment = {k: v for k, v in os.environ.items() if k != "LOSSKIT_BACKEND"} | {"CC": "/nonexistent/compiler"}

    def run(*command, **more):
        done = subprocess.run(
            [sys.executable, *command], capture_output=True, text=True, timeout=300, check=False, cwd=ROOT,
            env=environment | more,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    assert "Install a C compiler" in run("setup.py", *there).stderr
    assert not list(built.glob("losskit/_native*"))
    *said, finite = run("-W", "ignore", "-c", USE, PYTHONPATH=str(built)).stdout.splitlines()
    assert sum(line.startswith(str(built)) for line in said) == 2
    assert [line.strip() for line in said].count(REASON) == 2
    assert finite == "True"


@pytest.mark.parametrize("stale", ["constants", "structure", "without a version"])
def test_kernels_of_another_version_are_refused(monkeypatch, stale):
    if stale == "constants":
        monkeypatch.setattr(constants, "FINGERPRINT", constants.FINGERPRINT + 1)
    elif stale == "structure":
        monkeypatch.setattr(native, "_Call", native._View)
    else:
        monkeypatch.setattr(native, "_PATH", importlib.util.find_spec("_ctypes").origin)
    native.library.cache_clear()
    try:
        with pytest.raises(ImportError, match="are of another version than the Python files"):
            native.library()
    finally:
        native.library.cache_clear()
