"""Imports between modules, their cost, and completeness of the catalogue: names, authorities, constructors."""

import ast
import inspect
import json
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import losskit
from cases import ENTRIES, made
from losskit import functional
from losskit.core.options import REQUIRED

SOURCE = Path(losskit.__file__).parent
FILES = sorted(SOURCE.rglob("*.py"))
MODULES = {".".join(("losskit", *path.relative_to(SOURCE).with_suffix("").parts)): path for path in FILES}
MODULES = {name.removesuffix(".__init__"): path for name, path in MODULES.items()}

LIBRARY = {"ops", "core", "losses"}
ON_TOP = {"figures", "checker", "experiment", "cli"}  # not imported by `import losskit`
# What each part of the package may import besides itself. Parts that are not listed are entry points.
BELOW = {
    "version": set(),
    "ops": set(),
    "core": {"ops"},
    "losses": {"ops", "core"},
    "functional": LIBRARY,
    "compose": {"ops", "core"},
    "distributed": {"ops", "core"},
    "building": LIBRARY,
    "figures": {*LIBRARY, "version"},
    "checker": {*LIBRARY, "building", "version"},
    "experiment": {*LIBRARY, "building", "version"},
    "cli": {*LIBRARY, "building", "figures", "checker", "experiment", "losskit", "version"},
}
KNOWN_CIRCLES: set[tuple[str, str]] = set()  # the import that closes each, still to be removed
STANDARD = {*sys.stdlib_module_names, "torch", "numpy", "annotated_types", "typing_extensions", "losskit"}


def part_of(module):
    """`losskit.core.region` to `core`; the package itself to its name."""
    return [*module.split("."), module][1]


def run_nodes(node):
    """Every node below this one that runs, without those for type checking only."""
    yield node
    typing_only = isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
    for child in node.orelse if typing_only else ast.iter_child_nodes(node):
        yield from run_nodes(child)


def imports_of(path):
    """Every module that a file imports, anywhere in the file, except for type checking only."""
    for node in run_nodes(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path} imports relatively"
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name if name in MODULES else node.module for name in inner)


@pytest.mark.parametrize(("module", "path"), MODULES.items(), ids=MODULES)
def test_arrows_point_one_way(module, path):
    own = part_of(module)
    if own not in ("losskit", "__main__"):
        wanted = {part_of(name) for name in imports_of(path) if name.split(".")[0] == "losskit"}
        assert wanted <= {own, *BELOW[own]}, f"{own} imports upward: {wanted - {own} - BELOW[own]}"


def circle(without):
    """Modules that import each other in a circle, over every import but these; empty if there is none.

    The implicit import of a package's `__init__` is not counted.
    """
    wanted = {module: {name for name in imports_of(path) if name in MODULES} for module, path in MODULES.items()}
    for module, name in without:
        wanted[module].discard(name)
    try:
        TopologicalSorter(wanted).prepare()
    except CycleError as error:
        return " imports ".join(reversed(error.args[1]))
    return ""


def test_no_modules_import_each_other_in_a_circle():
    """An import inside a function delays a circle until the call, and still counts as one."""
    assert not circle(without=KNOWN_CIRCLES)
    for known in KNOWN_CIRCLES:
        assert circle(without=KNOWN_CIRCLES - {known}), f"{known} closes no circle any more: take it off the list"


@pytest.mark.parametrize("path", [p for m, p in MODULES.items() if part_of(m) not in ON_TOP], ids=lambda p: p.name)
def test_the_library_needs_torch_numpy_and_annotated_types_alone(path):
    outside = {name.split(".")[0] for name in imports_of(path)}
    assert outside <= STANDARD | ({"triton"} if "kernels" in path.parts else set())


def modules_after(code):
    """Every module that a fresh interpreter has loaded after this code."""
    script = f"import sys, json\n{code}\nprint(json.dumps(sorted(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(json.loads(run.stdout.splitlines()[-1]))


def test_importing_losskit_brings_nothing_but_itself():
    """No extra, no compiler, no Triton: only losskit, annotated-types and some of the standard library."""
    added = modules_after("import torch, numpy, losskit") - modules_after("import torch, numpy")
    roots = {name.split(".")[0] for name in added}
    assert roots <= {*sys.stdlib_module_names, "losskit", "annotated_types", "typing_extensions", "torch"}
    heavy = ("torch._dynamo", "torch._inductor", "torch.export", "torch.onnx", "torch.distributed", "torch.testing")
    brought = {name for name in added if name.startswith(heavy) or "triton" in name}
    assert not brought
    own = {part_of(name) for name in added if name.startswith("losskit")}
    assert not own & ON_TOP


def test_dir_lists_what_is_public_and_nothing_else():
    listed = set(dir(losskit))
    init = ast.parse((SOURCE / "__init__.py").read_text())
    named = {alias.asname for node in ast.walk(init) if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert listed == named - {None, "found"} | {"check", "compare"}
    assert {"check", "compare", "compose", "DiceLoss", "__version__"} <= listed
    assert all(hasattr(losskit, name) for name in listed)
    assert {entry.name for entry in ENTRIES} <= set(dir(losskit.functional))
    assert {"BlobLoss", "linear"} <= set(dir(losskit.compose))
    for module in (losskit.functional, losskit.compose, losskit.distributed):
        assert not any(inspect.ismodule(getattr(module, name)) or name.startswith("_") for name in dir(module))
    assert dir(losskit.distributed) == ["Synchronized", "micro_batches", "sync"]


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_every_loss_is_public_in_both_forms(entry):
    name = entry.loss.__name__
    public = f"from losskit.losses.{entry.family} import {name} as {name}"
    assert getattr(losskit, name, None) is entry.loss, (
        f"{name} is not public: add `{public}` to src/losskit/__init__.py"
    )


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_every_loss_has_a_function_form(entry):
    name = entry.loss.__name__
    function = getattr(functional, entry.name, None)
    form = f"{entry.name} = function_form({entry.family}.{name})"
    assert function is not None, f"{name} has no function form: add `{form}` to src/losskit/functional.py"
    assert function.Module is entry.loss
    assert function.__name__ == entry.name
    assert losskit.core.catalogue.find(entry.name).loss is entry.loss
    assert losskit.core.catalogue.find(entry.loss.__name__).loss is entry.loss


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_every_loss_constructs_without_arguments(entry):
    required = [name for name, declared in entry.loss.options.items() if declared.default is REQUIRED]
    if required:
        with pytest.raises(TypeError, match=f"{required[0]} has no default. Pass {required[0]}="):
            entry.loss()
    loss = made(entry)
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
