"""What imports what, what importing costs, and what the catalogue owes: names, authorities, constructors."""

import ast
import inspect
import json
import subprocess
import sys
from pathlib import Path

import pytest

import losskit
from cases import ENTRIES
from losskit import functional

SOURCE = Path(losskit.__file__).parent
BELOW = {"ops": {"ops"}, "core": {"ops", "core"}, "losses": {"ops", "core", "losses"}}
BELOW["functional"] = {*BELOW["losses"], "functional"}
BELOW["compose"] = {"ops", "core", "compose"}
BELOW["distributed"] = {"ops", "core", "distributed"}
BELOW["compat"] = {*BELOW["functional"], "compat"}
ON_TOP = {"checker", "experiment", "cli", "commands"}
STANDARD = {*sys.stdlib_module_names, "torch", "numpy", "annotated_types", "typing_extensions", "losskit"}


def part_of(module):
    """`losskit.core.region` to `core`."""
    return module.split(".")[1] if "." in module else ""


def imports_of(path):
    """Every module that a file names in an import, wherever in the file; those for type checking alone are left out."""
    tree = ast.parse(path.read_text())
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
        for inner in ast.walk(node)
    }
    package = "losskit." + ".".join(path.relative_to(SOURCE).with_suffix("").parts)
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                base = ".".join([*package.split(".")[: -node.level], *([base] if base else [])])
            yield base if base not in ("losskit",) else ""
            if base == "losskit":
                yield from (f"losskit.{alias.name}" for alias in node.names)


FILES = sorted(SOURCE.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_arrows_point_one_way(path):
    own = path.relative_to(SOURCE).parts[0].removesuffix(".py")
    wanted = {part_of(name) for name in imports_of(path) if name.startswith("losskit.")}
    if own in BELOW:
        assert wanted <= BELOW[own], f"{own} imports upward: {wanted - BELOW[own]}"
    elif own not in ON_TOP and own not in ("__init__", "__main__"):
        assert not wanted & ON_TOP, f"{own} imports upward: {wanted & ON_TOP}"


@pytest.mark.parametrize(
    "path", [p for p in FILES if p.relative_to(SOURCE).parts[0].removesuffix(".py") in BELOW], ids=lambda p: p.name
)
def test_the_library_needs_torch_numpy_and_annotated_types_alone(path):
    outside = {name.split(".")[0] for name in imports_of(path) if name}
    assert outside <= STANDARD | ({"triton"} if "kernels" in path.parts else set())


def modules_after(code):
    """Every module that a fresh interpreter holds after this code."""
    script = f"import sys, json\n{code}\nprint(json.dumps(sorted(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(json.loads(run.stdout.splitlines()[-1]))


def test_importing_losskit_brings_nothing_but_itself():
    """No extra, no compiler, no Triton: what comes is losskit, annotated-types and a little of the standard library."""
    added = modules_after("import torch, numpy, losskit") - modules_after("import torch, numpy")
    roots = {name.split(".")[0] for name in added}
    assert roots <= {*sys.stdlib_module_names, "losskit", "annotated_types", "typing_extensions", "torch"}
    heavy = ("torch._dynamo", "torch._inductor", "torch.export", "torch.onnx", "torch.distributed", "torch.testing")
    brought = {name for name in added if name.startswith(heavy) or "triton" in name}
    assert not brought
    own = {part_of(name) for name in added if name.startswith("losskit")}
    assert not own & ON_TOP


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_every_loss_is_public_in_both_forms(entry):
    assert getattr(losskit, entry.loss.__name__) is entry.loss
    function = getattr(functional, entry.name)
    assert function.Module is entry.loss
    assert function.__name__ == entry.name
    assert losskit.core.catalogue.find(entry.name).loss is entry.loss
    assert losskit.core.catalogue.find(entry.loss.__name__).loss is entry.loss


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_every_loss_constructs_without_arguments(entry):
    loss = entry.loss()
    assert repr(loss).startswith(entry.loss.__name__ + "(")
    assert {p.kind for p in inspect.signature(entry.loss).parameters.values()} <= {inspect.Parameter.KEYWORD_ONLY}


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_every_loss_has_an_authority_and_says_what_it_is(entry):
    assert entry.authority
    written = entry.loss.written_doc
    assert ".. math::" in written
    assert "Source:" in written
    assert entry.summary.endswith(".")
    assert 20 < len(entry.summary) < 130
    for option in entry.loss.options.values():
        assert option.doc, f"{option.name} is not documented"
        assert f"``{option.name}``" in entry.loss.__doc__
