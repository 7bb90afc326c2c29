"""Slices: the variables from which the code of a function computes one of them."""

from __future__ import annotations

import ast
import functools
import linecache
from collections.abc import Callable, Iterator, Sequence
from types import CodeType


class Unknown(Exception):  # noqa: N818 - the name states the condition
    """A variable is computed from something that the code does not say."""


@functools.lru_cache(maxsize=64)
def _tree(file: str) -> ast.Module | None:
    try:
        return ast.parse("".join(linecache.getlines(file)))
    except (SyntaxError, ValueError):
        return None


@functools.lru_cache(maxsize=256)
def function_of(code: CodeType) -> ast.FunctionDef | None:
    """The definition of a function, with the line numbers of its file."""
    tree = _tree(code.co_filename)
    for node in ast.walk(tree) if tree is not None else ():
        if isinstance(node, ast.FunctionDef) and node.name == code.co_name:
            first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
            if first <= code.co_firstlineno <= node.lineno:
                return node
    return None


def statement_at(function: ast.FunctionDef, line: int, name: str) -> ast.stmt | None:
    """The statement of this line that assigns a variable."""
    found = [each for each in _statements(function) if each.lineno <= line <= (each.end_lineno or 0)]
    return next((each for each in reversed(found) if name in targets(each)), None)


def result_at(function: ast.FunctionDef, line: int) -> ast.stmt | None:
    """The statement of this line that returns."""
    found = (each for each in ast.walk(function) if isinstance(each, ast.Return))
    return next((each for each in found if each.lineno <= line <= (each.end_lineno or 0)), None)


def _statements(function: ast.FunctionDef) -> list[ast.stmt]:
    return [n for n in ast.walk(function) if isinstance(n, (ast.Assign, ast.AnnAssign, ast.AugAssign))]


def targets(statement: ast.stmt) -> list[str]:
    """The variables that a statement assigns as a whole."""
    if isinstance(statement, ast.Assign):
        written: Sequence[ast.expr] = statement.targets
    elif isinstance(statement, (ast.AnnAssign, ast.AugAssign)):
        written = [statement.target]
    else:
        return []
    own = [_dotted(each) for each in written if isinstance(each, (ast.Name, ast.Attribute))]
    return [each for each in own if each is not None and (each.startswith("self.") or "." not in each)]


def leaves(
    function: ast.FunctionDef, statement: ast.stmt, is_leaf: Callable[[str], bool]
) -> tuple[set[str], list[ast.stmt]]:
    """The leaves from which a statement computes its variable, and the statements between; raises Unknown."""
    found: set[str] = set()
    between: dict[ast.stmt, None] = {statement: None}
    queue: list[tuple[ast.stmt, str]] = [(statement, name) for name in _names(statement)]
    seen: set[tuple[int, str]] = set()
    while queue:
        after, name = queue.pop()
        if (after.lineno, name) in seen:
            continue
        seen.add((after.lineno, name))
        if is_leaf(name):
            found.add(name)
            continue
        makers = _makers(function, after, name)
        for each in makers:
            between[each] = None
            queue += [(each, inner) for inner in _names(each)]
        if not makers:
            raise Unknown(name)
    return found, sorted(between, key=lambda each: each.lineno)


def _makers(function: ast.FunctionDef, after: ast.stmt, name: str) -> list[ast.stmt]:
    """The assignments of a variable before a statement."""
    for node in ast.walk(function):
        if isinstance(node, (ast.For, ast.With, ast.comprehension, ast.NamedExpr)) and name in _bound_by(node):
            raise Unknown(name)
        if isinstance(node, (ast.Assign, ast.AugAssign)) and name in _written(node):
            raise Unknown(name)  # a part of it, or several at once
    return [each for each in _statements(function) if name in targets(each) and each.lineno < after.lineno]


def _bound_by(node: ast.AST) -> set[str]:
    if isinstance(node, ast.With):
        bound: list[ast.AST] = [each.optional_vars for each in node.items if each.optional_vars is not None]
    else:
        bound = [node.target]  # type: ignore[attr-defined]
    return {inner.id for each in bound for inner in ast.walk(each) if isinstance(inner, ast.Name)}


def _written(node: ast.Assign | ast.AugAssign) -> set[str]:
    """Variables of which a statement writes a part, or that it unpacks."""
    found: set[str] = set()
    for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
        if not isinstance(target, ast.Name):
            found |= {each.id for each in ast.walk(target) if isinstance(each, ast.Name)}
    return found


def _names(statement: ast.stmt) -> Iterator[str]:
    """The variables that a statement reads, attributes of `self` with their name."""
    value = getattr(statement, "value", None)
    if isinstance(statement, ast.AugAssign):
        yield from _read(ast.BinOp(ast.Name(statement.target.id, ast.Load()), statement.op, statement.value))  # type: ignore[union-attr]
    elif value is not None:
        yield from _read(value)


def _read(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Call):
        yield from _function(node.func)
        for each in [*node.args, *(keyword.value for keyword in node.keywords)]:
            yield from _read(each)
    elif isinstance(node, ast.Attribute):
        path = _dotted(node)
        if path is None:
            yield from _read(node.value)
        elif path.split(".")[0] in _MODULES:
            return
        elif node.attr in ("shape", "dtype", "device", "T", "mT", "ndim"):
            yield from _read(node.value)
        else:
            yield path
    elif isinstance(node, ast.Name):
        if node.id not in _MODULES:
            yield node.id
    elif isinstance(node, (ast.Lambda, ast.ListComp, ast.GeneratorExp, ast.DictComp, ast.SetComp, ast.Await)):
        raise Unknown("")
    else:
        for child in ast.iter_child_nodes(node):
            yield from _read(child)


_MODULES = (
    "torch",
    "math",
    "np",
    "numpy",
    "F",
    "nn",
    "float",
    "int",
    "len",
    "max",
    "min",
    "abs",
    "bool",
    "sum",
    "range",
)


def _function(node: ast.expr) -> Iterator[str]:
    """The variables of what is called: the object of a method; a function of the user counts as unknown."""
    if isinstance(node, ast.Attribute):
        path = _dotted(node)
        if path is not None and path.split(".")[0] in _MODULES:
            return
        if path is not None and path.startswith("self.") and path.count(".") == 1:
            raise Unknown(path)
        yield from _read(node.value)
    elif isinstance(node, ast.Name) and node.id not in _MODULES:
        raise Unknown(node.id)
    elif not isinstance(node, ast.Name):
        raise Unknown("")


def _dotted(node: ast.expr) -> str | None:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        owner = _dotted(node.value)
        return owner and f"{owner}.{node.attr}"
    return None
