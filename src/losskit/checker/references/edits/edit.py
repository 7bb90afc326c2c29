"""Edits: what one mistake may have changed in a function, the likely ones first."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

# Kinds, in the order of the search: names last of the likely ones, since they are many.
UNREAD, OPERATORS, RENAMED, ARGUMENTS, NAMES, CALLS, NUMBERS, PARTS = range(8)


@dataclass(frozen=True)
class Place:
    """A node in a tree, and where it stands."""

    node: ast.AST
    parent: ast.AST
    name: str
    at: int | None
    statement: ast.stmt
    above: tuple[ast.AST, ...] = field(default=(), repr=False)

    @property
    def now(self) -> Any:
        """What stands there, after an edit perhaps."""
        held = getattr(self.parent, self.name)
        return held if self.at is None else held[self.at]

    def put(self, made: Any) -> None:
        if self.at is None:
            setattr(self.parent, self.name, made)
        else:
            getattr(self.parent, self.name)[self.at] = made


@dataclass(frozen=True)
class Edit:
    """One change; `apply` makes it and returns what undoes it."""

    kind: int
    place: Place
    apply: Callable[[], Callable[[], None]] = field(repr=False)


_ALLOCATES = (
    *("range", "zeros", "ones", "empty", "full", "eye", "arange", "linspace", "rand", "randn", "randperm", "repeat"),
    *("expand", "one_hot", "tensor", "device", "size", "isinstance", "len", "float", "int", "print", "new_zeros"),
    *(
        "new_ones",
        "new_full",
        "repeat_interleave",
        "tile",
        "triu_indices",
        "Linear",
        "Conv2d",
        "register_buffer",
        "zip",
    ),
)
KEPT = ("dtype", "device", "requires_grad", "create_graph", "retain_graph", "num_classes", "memory_format")


def places(tree: ast.FunctionDef) -> Iterator[Place]:
    def below(node: ast.AST, statement: ast.stmt, above: tuple[ast.AST, ...]) -> Iterator[Place]:
        for name, value in ast.iter_fields(node):
            if not _editable(node, name):
                continue
            for at, each in enumerate(value) if isinstance(value, list) else [(None, value)]:
                if not isinstance(each, ast.AST):
                    continue
                own = each if isinstance(each, ast.stmt) else statement
                yield Place(each, node, name, at, own, above)
                yield from below(each, own, (*above, each))

    for at, statement in enumerate(tree.body):
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
            continue
        yield Place(statement, tree, "body", at, statement, (tree,))
        yield from below(statement, statement, (tree, statement))


def _editable(node: ast.AST, name: str) -> bool:
    if isinstance(node, (ast.Raise, ast.Assert, ast.While, ast.JoinedStr, ast.Global, ast.Nonlocal, ast.With)):
        return isinstance(node, ast.With) and name == "body"
    if isinstance(node, (ast.For, ast.comprehension)) and name in ("iter", "target"):
        return False
    if isinstance(node, (ast.If, ast.IfExp)) and name == "test":
        return False  # what an option or a shape decides
    if isinstance(node, ast.Call) and called(node) in _ALLOCATES:
        return False
    if isinstance(node, ast.keyword) and node.arg in KEPT:
        return False
    if isinstance(node, (ast.Assign, ast.AugAssign, ast.AnnAssign)) and name in ("targets", "target", "annotation"):
        return False
    return name not in ("args", "returns", "decorator_list") or not isinstance(node, ast.FunctionDef)


def called(node: ast.Call) -> str:
    """The last name of what a call calls."""
    if isinstance(node.func, ast.Attribute):
        return node.func.attr
    return node.func.id if isinstance(node.func, ast.Name) else ""


_CONTAINERS = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.GeneratorExp)


def read_by(tree: ast.AST) -> set[str]:
    """The names, and the attributes of its object, that a function reads; to write to an element is not to read."""
    written = {id(_base(node)) for node in ast.walk(tree) if _is_stored(node)}
    return {
        node.id if isinstance(node, ast.Name) else f"self.{node.attr}"  # type: ignore[attr-defined]
        for node in ast.walk(tree)
        if (isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and id(node) not in written) or own(node)
    }


def _is_stored(node: ast.AST) -> bool:
    return isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store)


def _base(node: ast.AST) -> ast.AST:
    """What an element is an element of."""
    while isinstance(node, ast.Subscript):
        node = node.value
    return node


class Scope:
    """Names that a statement may use."""

    def __init__(self, tree: ast.FunctionDef, settings: Sequence[str] = ()) -> None:
        arguments = [*tree.args.posonlyargs, *tree.args.args, *tree.args.kwonlyargs]
        self.arguments = [each.arg for each in arguments if each.arg != "self"]
        self.first: dict[str, int] = dict.fromkeys(self.arguments, 0)
        self.attributes: list[str] = []
        used: set[str] = set()
        methods = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                self.first.setdefault(node.id, node.lineno)
            elif isinstance(node, ast.Name):
                used.add(node.id)
            elif own(node) and id(node) not in methods:
                self.attributes.append(node.attr)  # type: ignore[attr-defined]
        for node in ast.walk(tree):  # a list put into itself crashes PyTorch
            if isinstance(node, ast.Assign) and isinstance(node.value, _CONTAINERS):
                for target in node.targets:
                    self.first.pop(getattr(target, "id", ""), None)
        self.attributes = list(dict.fromkeys(self.attributes))
        self.unused = [name for name in self.arguments if name not in used]
        self.settings = [name for name in settings if name not in self.attributes]  # that the function does not read
        self.attributes += self.settings

    def names(self, line: int) -> list[str]:
        known = [name for name, first in self.first.items() if first < line and name not in self.unused]
        return [*self.unused, *known]


def own(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self"


Applies = Callable[[], Callable[[], None]]
Made = Iterator[tuple[int, Applies] | tuple[int, Applies, Place]]  # the place that a finding shows, if another


def put(place: Place, made: ast.AST) -> Applies:
    """Puts another node in a place."""

    def apply() -> Callable[[], None]:
        located = ast.fix_missing_locations(ast.copy_location(made, place.node))
        place.put(located)
        return lambda: place.put(place.node)

    return apply


def changed(node: ast.AST, **changes: Any) -> Applies:
    """Changes the fields of a node."""

    def apply() -> Callable[[], None]:
        before = {name: getattr(node, name) for name in changes}
        for name, value in changes.items():
            setattr(node, name, value)
            for each in value if isinstance(value, list) else [value]:
                if isinstance(each, (ast.expr, ast.keyword)):
                    ast.fix_missing_locations(ast.copy_location(each, node) if not hasattr(each, "lineno") else each)

        def undo() -> None:
            for name, value in before.items():
                setattr(node, name, value)

        return undo

    return apply
