"""The compiled node of autograd: `losskit accelerate` installs it, and the tests of plans and closed forms pass."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from effort import EFFORT
from losskit.ops import accelerated, native

ROOT = Path(__file__).parent.parent
WITH_NODE = ("test_plans.py", "test_shortcuts.py", "test_learned_options.py", "test_golden.py", "test_node.py")
COMPILED = "compile"  # in the names of tests of compiled code, which does not use the node
pytestmark = pytest.mark.skipif(not native.AVAILABLE, reason="the node calls the C kernels")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a compiled node."""
    assert shutil.which("c++") or shutil.which("g++") or shutil.which("clang++") or sys.platform == "win32"
    folder = tmp_path_factory.mktemp("node")
    done = run(folder, "-m", "losskit", "accelerate")
    assert "CrossEntropyLoss" in done.stdout
    return folder


def run(folder, *command, code=0, **variables):
    environment = {**os.environ, "LOSSKIT_CACHE": str(folder), "PYTHONPATH": str(ROOT / "src"), **variables}
    done = subprocess.run([sys.executable, *command], env=environment, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == code, done.stdout + done.stderr
    return done


def test_plans_and_closed_forms_pass_with_the_node(folder):
    files = [f"tests/{name}" for name in WITH_NODE]
    quiet = ("-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-k", f"not {COMPILED}")
    run(folder, "-m", "pytest", *quiet, *files, LOSSKIT_ONE_IN="1" if EFFORT > 1 else "3")


def test_a_damaged_node_is_ignored_with_a_warning(folder, tmp_path):
    (file,) = folder.glob("node-*")
    (tmp_path / file.name).write_bytes(b"no library")
    text = "import torch, losskit; print(losskit.MSELoss()(torch.zeros(3, requires_grad=True), torch.ones(3)).item())"
    done = run(tmp_path, "-c", text)
    assert done.stdout.strip() == "1.0"
    assert "cannot load the compiled node" in done.stderr


def test_the_command_says_what_it_removed_and_why_it_failed(folder, tmp_path):
    (file,) = folder.glob("node-*")
    shutil.copy(file, tmp_path)
    assert run(tmp_path, "-m", "losskit", "accelerate", "--remove").stdout.startswith("removed ")
    assert "no compiled node" in run(tmp_path, "-m", "losskit", "accelerate", "--remove").stdout
    assert "Set LOSSKIT_CACHE" in run(os.devnull, "-m", "losskit", "accelerate", code=1).stderr


def test_the_node_depends_on_the_versions_of_torch_and_of_the_kernels(monkeypatch):
    file = accelerated.compiled_file()
    for module, name in ((accelerated.torch, "__version__"), (accelerated.constants, "FINGERPRINT")):
        with monkeypatch.context() as patch:
            patch.setattr(module, name, "other")
            assert accelerated.compiled_file() != file
