"""Arguments without effect in the code: options that no method reads, and terms that are overwritten."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from torch import nn

from losskit.checker.uses import source_of, tree_of
from losskit.checker.words import helper_functions

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


_OF_TRAINERS = r"_.*|epochs?|step|iter\w*|meta\w*|info|verbose|device|dtype|names?|\w*kwargs|size_average|reduce"
_KNOWN_UNUSED = r"unused|not used|ignored|compatib|signature|interface|placeholder|\bapi\b"


def may_be_read(name: str) -> bool:
    """Whether an argument is more than a part of the interface of a trainer."""
    return re.fullmatch(_OF_TRAINERS, name.lower()) is None


def unread_arguments(criterion: Callable[..., Any]) -> list[str]:
    """The arguments of a call that have a default and that its code never mentions."""
    own = _unread(source_of(criterion))
    helpers = [(each.__name__, name) for each in helper_functions(criterion) for name in _unread(source_of(each))]
    return own + [f"{name} of {function}" for function, name in helpers]


def _unread(text: str) -> list[str]:
    tree = tree_of(text)
    if tree is None or "locals()" in text:
        return []
    every = (*tree.args.posonlyargs, *tree.args.args)
    optional = every[len(every) - len(tree.args.defaults) :]
    keywords = [each for each, d in zip(tree.args.kwonlyargs, tree.args.kw_defaults, strict=True) if d is not None]
    read = {name for each in tree.body for name in _names(each, ast.Load)}
    unread = [each.arg for each in (*optional, *keywords) if each.arg not in read]
    return [
        each
        for each in unread
        if may_be_read(each) and not re.search(rf"\b{re.escape(each)}\b[^\n]*({_KNOWN_UNUSED})", text, re.IGNORECASE)
    ]


def compared_with(criterion: Callable[..., Any], option: str) -> list[str]:
    """The words that the code of a loss compares an option with."""
    owner = type(criterion) if isinstance(criterion, nn.Module) else criterion
    try:
        source = inspect.getsource(owner)
    except (OSError, TypeError):
        return []
    documented = re.findall(rf"^\s*{option}\b.*$", inspect.getdoc(owner) or "", re.MULTILINE)
    quoted = [each for line in documented for each in re.findall(r"'(\w+)'", line)]
    compared = re.findall(rf"\b{option}\s*==\s*[\"']([^\"']+)[\"']", source)
    return list(dict.fromkeys([*compared, *quoted]))


def overwritten(criterion: Callable[..., Any]) -> tuple[list[str], str]:
    """Arguments and options that enter only a variable that is assigned anew before it is read, and the variable."""
    tree = tree_of(source_of(criterion))
    if tree is None:
        return [], ""
    for at, statement in enumerate(tree.body):
        name = _assigned(statement)
        if not name or name in _names(statement.value, ast.Load):  # type: ignore[attr-defined]
            continue
        earlier = _before(tree.body[:at], name)
        if not earlier or any(map(_calls_itself, earlier)):
            continue
        rest = [each for each in tree.body if each not in earlier]
        used = {found for each in rest for found in _names(each, ast.Load)}
        arguments = [each.arg for each in (*tree.args.args, *tree.args.kwonlyargs) if each.arg != "self"]
        inside = {found for each in earlier for found in _names(each, ast.Load)}
        lost = [each for each in arguments if each in inside - used]
        if isinstance(criterion, nn.Module):
            held = [each for statement in earlier for each in _attributes(statement, ast.Load)]
            everywhere = list(_attributes(ast.parse(source_of(criterion)), ast.Load))
            lost += sorted({n for n in held if n in vars(criterion) and held.count(n) == everywhere.count(n)})
        if lost:
            return lost, name
    return [], ""


def last_of_loop(criterion: Callable[..., Any]) -> str:
    """A total that starts at 0 and that a loop assigns anew instead of adding to it; empty if there is none."""
    tree = tree_of(source_of(criterion))
    if tree is None:
        return ""
    zeros = {name for each in tree.body for name in _zeros(each)}
    for loop in (each for each in tree.body if isinstance(each, ast.For)):
        inside = set().union(*(_names(each, ast.Load) for each in loop.body))
        for name in {_assigned(each) for each in loop.body} & zeros - inside - {""}:
            if re.search(r"loss|total|cost|sum|^l$", name):
                return name
    return ""


def _zeros(statement: ast.stmt) -> Iterator[str]:
    """The variables that a statement sets to 0."""
    if not isinstance(statement, ast.Assign):
        return
    for target in statement.targets:
        several = isinstance(target, ast.Tuple) and isinstance(statement.value, ast.Tuple)
        names = target.elts if isinstance(target, ast.Tuple) and several else [target]
        values = statement.value.elts if isinstance(statement.value, ast.Tuple) and several else [statement.value]
        for name, value in zip(names, values, strict=False):
            if isinstance(name, ast.Name) and isinstance(value, ast.Constant) and value.value == 0:
                yield name.id


def ends_loop(criterion: Callable[..., Any]) -> int:
    """The line of a `return` that ends every first round of a loop; 0 if there is none."""
    tree = tree_of(source_of(criterion))
    for loop in ast.walk(tree) if tree is not None else ():
        if not isinstance(loop, ast.For) or not loop.body or not isinstance(loop.body[-1], ast.Return):
            continue
        inner = [each for statement in loop.body for each in ast.walk(statement)]
        if not any(isinstance(each, (ast.Continue, ast.Break)) for each in inner) and len(loop.body) > 1:
            return loop.body[-1].lineno
    return 0


def _calls_itself(node: ast.AST) -> bool:
    """Whether a method of the loss is called, which may keep what it gets."""
    called = [each.func for each in ast.walk(node) if isinstance(each, ast.Call)]
    return any(ast.unparse(each).startswith("self.") for each in called)


def _before(body: list[ast.stmt], name: str) -> list[ast.stmt] | None:
    """The statements that only change this variable; None if another one reads it."""
    found = []
    for each in body:
        if name not in _names(each, ast.Load) | _names(each, ast.Store):
            continue
        loop = isinstance(each, ast.For) and not each.orelse and all(_changes(inner, name) for inner in each.body)
        if not loop and not _changes(each, name):
            return None
        found.append(each)
    return found


def _changes(statement: ast.stmt, name: str) -> bool:
    """Whether a statement, or each inside a condition, assigns this variable and nothing else."""
    if isinstance(statement, ast.If):
        return all(_changes(each, name) for each in (*statement.body, *statement.orelse))
    if isinstance(statement, ast.AugAssign):
        return isinstance(statement.target, ast.Name) and statement.target.id == name
    return _assigned(statement) == name


def _assigned(statement: ast.stmt) -> str:
    """The one variable that a plain assignment assigns."""
    if not isinstance(statement, ast.Assign) or len(statement.targets) != 1:
        return ""
    target = statement.targets[0]
    return target.id if isinstance(target, ast.Name) else ""


def _names(node: ast.AST, context: type) -> set[str]:
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name) and isinstance(each.ctx, context)}


def _attributes(node: ast.AST, context: type) -> Iterator[str]:
    for each in ast.walk(node):
        if isinstance(each, ast.Attribute) and isinstance(each.ctx, context) and isinstance(each.value, ast.Name):
            yield each.attr


def _reaches(start: ast.FunctionDef | ast.AsyncFunctionDef, option: str, read: set[str]) -> bool:
    """Whether an option reaches an attribute that is read, or anything besides plain assignments and checks."""
    tainted: set[str] = {option}
    held: set[str] = set()
    for statement in _flat(start.body):
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
        if (name := _buffer(statement)) and _mentions(statement, tainted, held):
            held.add(name)
            continue
        return True
    return bool(held & read)


def _flat(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements, with those of a condition on None in its place."""
    for each in body:
        default = isinstance(each, ast.If) and not each.orelse and ast.unparse(each.test).endswith("is None")
        if default and all(isinstance(inner, ast.Assign) for inner in each.body):  # type: ignore[attr-defined]
            yield from each.body  # type: ignore[attr-defined]
        else:
            yield each


def _buffer(statement: ast.stmt) -> str:
    """The name of the buffer that a statement registers; empty if it registers none."""
    call = statement.value if isinstance(statement, ast.Expr) else None
    if isinstance(call, ast.Call) and ast.unparse(call.func) == "self.register_buffer" and call.args:
        name = call.args[0]
        return name.value if isinstance(name, ast.Constant) and isinstance(name.value, str) else ""
    return ""


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
