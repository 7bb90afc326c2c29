"""Other versions of PyTorch: code that 2.6 cannot compile, and the script that runs the tests with each version."""

from __future__ import annotations

import ast
import importlib
import sys
import types
from collections.abc import Iterator
from pathlib import Path

import pytest

import losskit

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

import versions

PACKAGE = Path(losskit.__file__).parent
COMPILED = sorted(
    path
    for folder in ("core", "ops", "losses", "compose")
    for path in (PACKAGE / folder).rglob("*.py")
    if "triton" not in path.parts
)


def refused(tree: ast.AST, names: dict[str, object]) -> Iterator[str]:
    """What the compiler of torch 2.6 refuses in this code, as far as its syntax shows it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and any(ast.unparse(base) == "NamedTuple" for base in node.bases):
            yield from (f"property of {node.name}" for each in node.body if "property" in decorators(each))
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        if called == "next" and len(node.args) == 2:
            yield "next with a default"
        if called.endswith("product") and any(keyword.arg == "repeat" for keyword in node.keywords):
            yield "product with repeat="
        if called == "isinstance":
            kind = node.args[1]
            if isinstance(kind, ast.BinOp) or isinstance(names.get(ast.unparse(kind)), types.UnionType):
                yield f"isinstance of the union {ast.unparse(kind)}"


def decorators(node: ast.AST) -> list[str]:
    return [ast.unparse(each) for each in getattr(node, "decorator_list", [])]


# Compiled code does not reach these: errors, the forms of `losskit doctor`, records of formulas and of first uses.
NOT_COMPILED = {
    "core/contract.py": {"next with a default"},
    "core/loss.py": {"next with a default"},
    "ops/device_forms.py": {"property of Form"},
    "ops/first_use.py": {"property of Verdict"},
    "ops/formula.py": {"property of Program"},
    "ops/tape.py": {"property of Operation"},
}


@pytest.mark.parametrize("path", COMPILED, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_torch_2_6_compiles_the_code(path: Path) -> None:
    name = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
    found = set(refused(ast.parse(path.read_text(encoding="utf-8")), vars(importlib.import_module(name))))
    assert found == NOT_COMPILED.get(path.relative_to(PACKAGE).as_posix(), set())


@pytest.mark.parametrize(
    "code",
    [
        "next((a for a in b), None)",
        "itertools.product((0, 1), repeat=2)",
        "isinstance(x, int | str)",
        "isinstance(x, Union)",
        "class A(NamedTuple):\n    @property\n    def size(self): ...",
    ],
)
def test_refused_code_is_recognized(code: str) -> None:
    assert list(refused(ast.parse(code), {"Union": int | str}))


def test_the_table_of_the_documentation_is_that_of_the_results() -> None:
    text, lines = versions.PAGE.read_text(encoding="utf-8"), versions.load()
    assert lines
    assert versions.page(text, lines) == text
    assert sorted(lines, key=versions.key) == lines


def test_a_failed_step_is_a_row(tmp_path: Path) -> None:
    chosen = versions.arguments().parse_args(["--tests", "test_distances.py"])
    line = versions.row(tmp_path, chosen, str(tmp_path / "python"), "2.6.0", "none", "folder")
    assert line["failed"] == 1
    assert str(tmp_path / "python") in line["first"][0]
