"""Statements that were copied from another one: a name that was left unchanged, or both sides computed alike."""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FunctionType

from losskit.checker.checks.tools import code
from losskit.checker.finding import Found, Severity
from losskit.checker.quantities.slices import function_of
from losskit.checker.references.code import Function, functions_of
from losskit.checker.registry import check
from losskit.checker.subject import Subject

_DIRECTIONS = {*"xyzhw", "dx", "dy", "row", "col", "rows", "cols", "horizontal", "vertical", "left", "right"}
_MAKES = r"zeros|ones|empty|full|rand|clone|eye|new_"
_FEWEST = 4  # names in a statement


@check(
    "copied-unchanged",
    Severity.WRONG,
    why="One of two statements that should treat two sides alike uses a variable of the other side.",
    fix="Compare both statements name by name.",
    anyhow=True,
    assumes=True,
)
def copied_unchanged(subject: Subject) -> Iterator[Found]:
    """Do two statements that treat two sides alike use the variables of their own side?"""
    criterion = subject.build()
    functions = functions_of(criterion)
    made = _constructor(criterion) if functions else None
    for tree, before, file in [*([made] if made else []), *((f.tree, f.before, _file(f)) for f in functions)]:
        for first, second, said in copies(tree):
            what = f"{file}, line {second.lineno + before}: `{ast.unparse(second)}` {said}"
            yield Found(what, {"beside": ast.unparse(first)}, code(subject, *subject.example()))
            return


def _file(function: Function) -> str:
    return Path(function.function.__code__.co_filename).name


def _constructor(criterion: object) -> tuple[ast.FunctionDef, int, str] | None:
    """The constructor of a class of the user."""
    made = vars(type(criterion)).get("__init__")
    if not isinstance(made, FunctionType):
        return None
    function = function_of(made.__code__)
    return None if function is None else (function, 0, Path(made.__code__.co_filename).name)


def copies(tree: ast.FunctionDef) -> Iterator[tuple[ast.Assign, ast.Assign, str]]:
    """Pairs of statements of which the second was copied from the first, with what is wrong with it."""
    tree = _Plain().visit(copy.deepcopy(tree))
    known = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} | {each.arg for each in tree.args.args}
    for body in _bodies(tree):
        plain = [each for each in body if isinstance(each, ast.Assign) and _single(each)]
        for n, before in enumerate(plain):
            for after in plain[n + 1 : n + 4]:
                said = _slip(before, after, known)
                if said:
                    yield before, after, said


def _bodies(tree: ast.FunctionDef) -> Iterator[Sequence[ast.stmt]]:
    for node in ast.walk(tree):
        for body in (getattr(node, "body", None), getattr(node, "orelse", None)):
            if isinstance(body, list):
                yield body


def _single(statement: ast.Assign) -> bool:
    return len(statement.targets) == 1 and isinstance(statement.targets[0], ast.Name)


def _target(statement: ast.Assign) -> str:
    return ast.unparse(statement.targets[0])


def _slip(before: ast.Assign, after: ast.Assign, known: set[str]) -> str:
    """What the second of two statements has of the first one's side; empty if nothing."""
    renamed = _renaming(_target(before), _target(after))
    if renamed is None or _shape(before.value) != _shape(after.value):
        return ""
    old, new = _names(before.value), _names(after.value)
    if old == new:
        return _same_side(before, after, renamed)
    expected = [_with(name, renamed) if _with(name, renamed) in known else name for name in old]
    swapped = [_with(name, (renamed[1], renamed[0])) if e == name else e for name, e in zip(old, expected, strict=True)]
    wrong = [(e, made) for name, e, made in zip(old, expected, new, strict=True) if made == name != e]
    right = sum(made == e != name for name, e, made in zip(old, expected, new, strict=True))
    others = any(made not in (name, e) for name, e, made in zip(old, expected, new, strict=True))
    if not wrong or not right or others or new == swapped or len({each for each, _ in wrong}) > 1:
        return ""
    should, made = wrong[0]
    if should == _target(after) or (made in new and should in new and right < 2):
        return ""  # it reads its own earlier value, or both sides on purpose
    return f"reads {made} where `{ast.unparse(before)}` has its own side: {should}"


def _same_side(before: ast.Assign, after: ast.Assign, renamed: tuple[str, str]) -> str:
    """Whether the same is computed for two directions."""
    value = ast.unparse(after.value)
    numbers = sum(isinstance(node, ast.Constant) for node in ast.walk(after.value))
    if ast.unparse(before.value) != value or not set(renamed) <= _DIRECTIONS or re.search(_MAKES, value):
        return ""
    return f"is the same as {_target(before)}" if numbers + len(_names(after.value)) >= _FEWEST else ""


def _renaming(first: str, second: str) -> tuple[str, str] | None:
    """The one word in which two names differ."""
    a, b = _words(first), _words(second)
    apart = [pair for pair in zip(a, b, strict=False) if pair[0] != pair[1]]
    return apart[0] if len(a) == len(b) and len(apart) == 1 else None


def _words(name: str) -> list[str]:
    """The words of a name: `grad_x2` -> grad, x, 2; `kx` -> k, x."""
    found = re.findall(r"[A-Za-z]+|\d+", name)
    if len(found) == 1 and len(found[0]) == 2:
        return list(found[0])
    return found


def _with(name: str, renamed: tuple[str, str]) -> str:
    """A name with a word replaced."""
    old, new = renamed
    if name == old:
        return new
    parts = re.split(r"(_|\.|\d+)", name)
    if len(parts) == 1 and len(name) == 2 and old in name and len(old) == 1:
        return name.replace(old, new)
    short = {old[0]: new[0]} if min(len(old), len(new)) > 2 and old[0] != new[0] else {}  # c_mask of chosen
    return "".join(new if each == old else short.get(each, each) for each in parts)


def _shape(node: ast.expr) -> str:
    """The structure of an expression without its names."""
    return ast.dump(_Nameless().visit(copy.deepcopy(node)))


class _Plain(ast.NodeTransformer):
    """Attributes of the object as variables."""

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        if isinstance(node.value, ast.Name) and node.value.id == "self":
            return ast.copy_location(ast.Name(f"self.{node.attr}", node.ctx), node)
        return self.generic_visit(node)  # type: ignore[return-value]


class _Nameless(ast.NodeTransformer):
    def visit_Name(self, node: ast.Name) -> ast.Name:
        return ast.copy_location(ast.Name("name", node.ctx), node)


def _names(node: ast.expr) -> list[str]:
    """The variables of an expression, in their order."""
    found = [each for each in ast.walk(node) if isinstance(each, ast.Name)]
    return [each.id for each in sorted(found, key=lambda name: (name.lineno, name.col_offset))]
