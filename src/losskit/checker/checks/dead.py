"""Options that no code reads: stored by the constructor, and never used by the loss."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Callable, Iterator
from typing import Any

from torch import nn

_READS_ALL = ("getattr(self", "vars(self)", "self.__dict__", "locals()", "super().forward")


def dead_options(criterion: Callable[..., Any]) -> set[str]:
    """The options of a class that reach nothing but attributes that no method reads."""
    if not isinstance(criterion, nn.Module):
        return set()
    kind = type(criterion)
    if len([each for each in kind.__mro__ if each not in nn.Module.__mro__]) != 1:
        return set()  # a base class may read them
    try:
        text = textwrap.dedent(inspect.getsource(kind))
        tree = ast.parse(text)
    except (OSError, TypeError, SyntaxError):
        return set()
    owner = tree.body[0]
    if not isinstance(owner, ast.ClassDef) or any(each in text for each in _READS_ALL):
        return set()
    methods = [each for each in owner.body if isinstance(each, (ast.FunctionDef, ast.AsyncFunctionDef))]
    start = next((each for each in methods if each.name == "__init__"), None)
    if start is None:
        return set()
    read = {name for each in methods if each is not start for name in _attributes(each, ast.Load)}
    options = [each.arg for each in (*start.args.args, *start.args.kwonlyargs) if each.arg != "self"]
    return {each for each in options if not _reaches(start, each, read)}


def compared_with(criterion: Callable[..., Any], option: str) -> list[str]:
    """The words that the code of a loss compares an option with."""
    owner = type(criterion) if isinstance(criterion, nn.Module) else criterion
    try:
        return re.findall(rf"\b{option}\s*==\s*[\"']([^\"']+)[\"']", inspect.getsource(owner))
    except (OSError, TypeError):
        return []


def _attributes(node: ast.AST, context: type) -> Iterator[str]:
    for each in ast.walk(node):
        if isinstance(each, ast.Attribute) and isinstance(each.ctx, context) and isinstance(each.value, ast.Name):
            yield each.attr


def _reaches(start: ast.FunctionDef | ast.AsyncFunctionDef, option: str, read: set[str]) -> bool:
    """Whether an option reaches an attribute that is read, or anything besides plain assignments and checks."""
    tainted: set[str] = {option}
    held: set[str] = set()
    for statement in start.body:
        if not _mentions(statement, tainted, held):
            continue
        if isinstance(statement, (ast.If, ast.Assert)) and not _assigns(statement):
            continue  # only checks the option
        if isinstance(statement, (ast.Assign, ast.AnnAssign)) and statement.value is not None:
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            for target in targets:
                if isinstance(target, ast.Attribute):
                    held.add(target.attr)
                elif isinstance(target, ast.Name):
                    tainted.add(target.id)
                else:
                    return True
            continue
        return True
    return bool(held & read)


def _mentions(node: ast.AST, names: set[str], attributes: set[str]) -> bool:
    used = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
    return bool(used & names) or bool(attributes & set(_attributes(node, ast.Load)))


def _assigns(node: ast.AST) -> bool:
    return any(isinstance(each, (ast.Assign, ast.AugAssign, ast.Call)) and not _raised(node) for each in ast.walk(node))


def _raised(node: ast.AST) -> bool:
    """Whether a condition only raises."""
    return isinstance(node, ast.Assert) or (
        isinstance(node, ast.If) and all(isinstance(each, ast.Raise) for each in (*node.body, *node.orelse))
    )
