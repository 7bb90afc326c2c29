"""Without a C compiler losskit installs, works and warns; stale kernels raise an error."""

import importlib.util
import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from losskit.ops import constants, native

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

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
WARNED = """
import warnings
with warnings.catch_warnings(record=True) as warned:
    warnings.simplefilter("always")
    import torch, losskit
    assert not warned, warned
    for criterion in (losskit.DiceLoss(), losskit.MSELoss()):
        criterion(torch.rand(2, 1, 8), torch.ones(2, 1, 8))
(only,) = warned
print(only.category.__name__, only.message)
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

    old = built / "losskit" / f"_native.abi3{'.pyd' if sys.platform == 'win32' else '.so'}"
    old.parent.mkdir(parents=True)
    old.write_bytes(b"of an earlier build")
    os.utime(old, (0, 0))
    assert "install a C compiler" in run("setup.py", *there).stderr
    assert not list(built.glob("losskit/_native*"))
    *said, finite = run("-W", "ignore", "-c", USE, PYTHONPATH=str(built)).stdout.splitlines()
    assert sum(line.startswith(str(built)) for line in said) == 2
    assert [line.strip() for line in said].count(REASON) == 2
    assert finite == "True"
    warned = run("-c", WARNED, PYTHONPATH=str(built)).stdout
    assert warned.startswith("LosskitWarning losskit: the C kernels were not built")
    said = run("-m", "losskit", "--version", PYTHONPATH=str(built)).stdout
    assert "on the CPU: reference (plain PyTorch), the C kernels were not built when losskit was installed" in said


@pytest.mark.parametrize("stale", ["constants", "structure", "without a version"])
def test_kernels_of_another_version_are_refused(monkeypatch, stale):
    if stale == "constants":
        monkeypatch.setattr(constants, "FINGERPRINT", constants.FINGERPRINT + 1)
    elif stale == "structure":
        monkeypatch.setattr(native, "Call", native.View)
    else:
        monkeypatch.setattr(native, "_PATH", importlib.util.find_spec("_ctypes").origin)
    native.library.cache_clear()
    try:
        with pytest.raises(ImportError, match="are of another version than the Python files"):
            native.library()
    finally:
        native.library.cache_clear()


def test_the_source_distribution_has_the_documentation_and_the_examples(tmp_path):
    command = [sys.executable, "setup.py", "egg_info", "--egg-base", tmp_path, "sdist", "-d", tmp_path]
    subprocess.run(command, capture_output=True, timeout=300, check=True, cwd=ROOT)
    (archive,) = tmp_path.glob("losskit-*.tar.gz")
    with tarfile.open(archive) as packed:
        names = {name.partition("/")[2] for name in packed.getnames()}
    for folder in ("docs", "examples", "csrc", "src"):
        files = subprocess.run(
            ["git", "ls-files", folder], capture_output=True, text=True, check=True, cwd=ROOT
        ).stdout.split()
        assert files
        assert not set(files) - names, folder
    assert {"CITATION.cff", "CHANGELOG.md", "LICENSE"} <= names
    assert not {name for name in names if name.startswith(("docs/_build", "docs/losses")) or name.endswith(".so")}


DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md")), *sorted((DOCS / "tutorials").rglob("*.md"))]
COMMANDS = {"pip install .", 'pip install ".[compare]"'}
OF_OTHERS = {"pip install nibabel", 'pip install "dask[distributed]"', "pip install ray"}


def test_one_way_to_install_is_named_everywhere():
    found = set()
    for path in (*PAGES, *sorted((ROOT / "src").rglob("*.py"))):
        text = path.read_text(encoding="utf-8")
        found |= {(path.name, line.strip()) for line in text.splitlines() if "pip install" in line}
    for name, line in found:
        commands = line.split("pip install ")[1:]
        assert all(f"pip install {rest}".startswith((*COMMANDS, *OF_OTHERS)) for rest in commands), (name, line)
    assert {"README.md", "quickstart.md", "command-line.md", "version.py"} <= {name for name, _ in found}


def test_what_the_command_imports_comes_with_the_package():
    described = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    dependencies = {re.split(r"[^a-z-]", each)[0] for each in described["dependencies"]}
    assert {"typer", "rich"} <= dependencies
    assert "cli" not in described["optional-dependencies"]
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"version: {described['version']}\n" in citation
