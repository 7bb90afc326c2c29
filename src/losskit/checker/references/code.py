"""The code of a loss: its functions as trees that can be edited and run in place."""

from __future__ import annotations

import ast
import contextlib
import functools
import inspect
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import CodeType, FunctionType
from typing import Any

from torch import nn

_MOST = 8  # functions of a loss


@dataclass(frozen=True)
class Function:
    """A function of the user, with its tree."""

    function: FunctionType
    tree: ast.FunctionDef
    before: int  # lines of the file before it
    settings: tuple[str, ...] = ()  # numbers that its object stores

    @property
    def given(self) -> set[str]:
        """Its variables, and the numbers that its object stores."""
        return {*self.function.__code__.co_varnames, *(f"self.{each}" for each in self.settings)}

    def compiled(self) -> CodeType | None:
        """Its code, as the tree is now."""
        free = self.function.__code__.co_freevars
        body: ast.stmt = self.tree
        if free:
            taken = ast.arguments([], [ast.arg(name) for name in free], None, [], [], None, [])
            made = ast.FunctionDef("around", taken, [self.tree], [], None, None)
            made.type_params = []  # type: ignore[attr-defined, unused-ignore]
            body = ast.fix_missing_locations(ast.copy_location(made, self.tree))
        try:
            code = compile(ast.Module([body], []), "<edited>", "exec", dont_inherit=True)
        except (SyntaxError, ValueError, TypeError, RecursionError):
            return None
        found = _named(code, self.tree.name, 2 if free else 1)
        return found if found is not None and found.co_freevars == free else None

    @contextlib.contextmanager
    def running(self, code: CodeType) -> Iterator[None]:
        before = self.function.__code__
        self.function.__code__ = code
        try:
            yield
        finally:
            self.function.__code__ = before


def _named(code: CodeType, name: str, depth: int) -> CodeType | None:
    for each in code.co_consts:
        if isinstance(each, CodeType):
            found = (
                each if each.co_name == name and depth == 1 else _named(each, name, depth - 1) if depth > 1 else None
            )
            if found is not None:
                return found
    return None


def functions_of(criterion: Callable[..., Any]) -> list[Function]:
    """The functions of the user that a call of the loss runs, as far as they are in its file."""
    while isinstance(criterion, functools.partial):
        criterion = criterion.func
    owner: Any = criterion if isinstance(criterion, FunctionType) else type(criterion)
    start = (
        criterion if isinstance(criterion, FunctionType) else _method(owner, "forward") or _method(owner, "__call__")
    )
    if not isinstance(start, FunctionType) or start.__module__.split(".")[0] in ("torch", "losskit"):
        return []
    found: list[Function] = []
    queue: list[tuple[FunctionType, Any]] = [(start, criterion)]
    seen: set[FunctionType] = set()
    while queue and len(found) < _MOST:
        function, instance = queue.pop(0)
        if function in seen:
            continue
        seen.add(function)
        made = _parsed(function, instance)
        if made is None:
            continue
        found.append(made)
        queue += [
            each for each in _called(made, instance) if each[0].__code__.co_filename == start.__code__.co_filename
        ]
    return found


def _method(owner: Any, name: str) -> FunctionType | None:
    found = inspect.getattr_static(owner, name, None)
    found = found.__func__ if isinstance(found, (staticmethod, classmethod)) else found
    return found if isinstance(found, FunctionType) else None


def _parsed(function: FunctionType, instance: Any) -> Function | None:
    try:
        lines, first = inspect.getsourcelines(function)
        tree = ast.parse(textwrap.dedent("".join(lines))).body[0]
    except (OSError, TypeError, SyntaxError, IndexError):
        return None
    if not isinstance(tree, ast.FunctionDef):
        return None
    tree.decorator_list = []
    tree.args.defaults = [ast.copy_location(ast.Constant(None), tree) for _ in tree.args.defaults]
    tree.args.kw_defaults = [each and ast.copy_location(ast.Constant(None), tree) for each in tree.args.kw_defaults]
    stored = vars(instance) if hasattr(instance, "__dict__") and isinstance(instance, nn.Module) else {}
    numbers = (n for n, v in stored.items() if isinstance(v, (int, float)) and not isinstance(v, bool) and n[0] != "_")
    return Function(function, tree, first - 1, tuple(numbers))


def _called(made: Function, instance: Any) -> Iterator[tuple[FunctionType, Any]]:
    """The functions that it calls by name, as methods, or as parts of a module."""
    for node in ast.walk(made.tree):
        if not isinstance(node, ast.Call):
            continue
        if isinstance(node.func, ast.Name):
            named = made.function.__globals__.get(node.func.id)
            if isinstance(named, FunctionType):
                yield named, instance
        elif isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name):
            owner = instance if node.func.value.id == "self" else made.function.__globals__.get(node.func.value.id)
            if owner is None:
                continue
            method = _method(owner if isinstance(owner, type) else type(owner), node.func.attr)
            if method is not None:
                yield method, owner
            part = getattr(owner, node.func.attr, None)
            forward = _method(type(part), "forward") if isinstance(part, nn.Module) else None
            if forward is not None:
                yield forward, part
