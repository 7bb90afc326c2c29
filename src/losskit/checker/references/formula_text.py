"""The text of a formula: a line of it, with the conventions that were chosen and the names of a loss."""

from __future__ import annotations

import ast
import functools
import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from losskit.checker.references.reference import Pick

Chosen = tuple[str, int, int, int]  # the file and the line of a choice, how many there were, and which was taken


class Choices(Pick):
    """Chooses conventions, and records the line of each choice."""

    def __init__(self, path: Sequence[int] = ()) -> None:
        super().__init__(path)
        self.chosen: list[Chosen] = []

    def __call__(self, *options: Any) -> Any:
        at = len(self.sizes)
        frame = inspect.currentframe()
        assert frame is not None
        assert frame.f_back is not None
        code = frame.f_back.f_code
        taken = self.path[at] if at < len(self.path) else 0
        self.chosen.append((code.co_filename, frame.f_back.f_lineno, len(options), taken))
        return super().__call__(*options)


@functools.lru_cache(maxsize=64)
def _tree(file: str) -> ast.Module:
    return ast.parse(Path(file).read_text(encoding="utf-8"))


def line_of(file: str, line: int, chosen: Sequence[Chosen], names: Mapping[str, str]) -> str:
    """The statement of a formula at a line; empty if its choices cannot be told apart."""
    inside = [
        each
        for each in ast.walk(_tree(file))
        if isinstance(each, ast.stmt) and each.lineno <= line <= (each.end_lineno or 0) and not hasattr(each, "body")
    ]
    if len(inside) != 1:
        return ""
    taken = [each for each in chosen if each[0] == file and inside[0].lineno <= each[1] <= (inside[0].end_lineno or 0)]
    plain = _Plain(taken, names)
    made = plain.visit(ast.parse(ast.unparse(inside[0])))
    if plain.unclear:
        return ""
    text = ast.unparse(ast.fix_missing_locations(made))
    return text.removeprefix("return ").strip()


@dataclass
class _Plain(ast.NodeTransformer):
    """Replaces choices by what was chosen, and roles and options by the names of the loss."""

    chosen: list[Chosen]
    names: Mapping[str, str]
    unclear: bool = False

    def visit_IfExp(self, node: ast.IfExp) -> ast.AST:
        if _is_pick(node.test):
            test = self.visit(node.test)
            if isinstance(test, ast.Constant):
                return self.visit(node.body if test.value else node.orelse)  # type: ignore[no-any-return]
        return self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        if not _is_pick(node):
            return node
        if isinstance(node.func, ast.Attribute):
            return node.args[0]
        if not self.chosen or self.chosen[0][2] != len(node.args):  # they are visited in the order of the computation
            self.unclear = True
            return node
        return node.args[self.chosen.pop(0)[3]]

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        if isinstance(node.value, ast.Name) and node.value.id == "g":
            return ast.Name(self.names.get(node.attr, node.attr), ast.Load())
        return self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.op, (ast.Mult, ast.Div)) and _is(node.right, 1):
            return node.left
        if isinstance(node.op, (ast.Add, ast.Sub)) and _is_zero(node.right):
            return node.left
        return node


def _is_pick(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call):
        return False
    owner = node.func.value if isinstance(node.func, ast.Attribute) else node.func
    return isinstance(owner, ast.Name) and owner.id == "pick"


def _is(node: ast.AST, value: float) -> bool:
    return isinstance(node, ast.Constant) and node.value == value and not isinstance(node.value, bool)


def _is_zero(node: ast.AST) -> bool:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        return _is_zero(node.left) or _is_zero(node.right)
    return _is(node, 0)
