"""Slices: the variables from which the code of a function computes one of them."""

from __future__ import annotations

import ast
import functools
import linecache
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import CodeType, FunctionType, ModuleType
from typing import Any

import torch

_SIZES = ("shape", "dtype", "device", "ndim", "itemsize", "is_cuda")  # attributes that are no values
_MEASURES = ("size", "dim", "numel", "new_zeros", "new_ones", "new_full", "new_tensor", "nelement")
_LIKE = ("len", "zeros_like", "ones_like", "rand_like", "randn_like", "empty_like", "full_like", "isinstance")
_BUILTINS = ("float", "int", "len", "max", "min", "abs", "bool", "sum", "range", "tuple", "list", "sorted", "round")


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


@dataclass(frozen=True)
class Made:
    """One variable that a statement makes: its name, the expression, and whether the statement is in place."""

    name: str
    value: ast.expr
    statement: ast.stmt

    @property
    def line(self) -> int:
        return self.statement.lineno

    def code(self) -> str:
        """The statement alone: one of several assignments in a line, or the result of a function."""
        if isinstance(self.statement, (ast.Return, ast.Expr)):
            in_place = isinstance(self.statement, ast.Expr) and not self.name.startswith("self.")
            return ast.unparse(self.statement) if in_place else f"{self.name} = {ast.unparse(self.value)}"
        several = isinstance(self.statement, ast.Assign) and isinstance(self.statement.targets[0], ast.Tuple)
        return f"{self.name} = {ast.unparse(self.value)}" if several else ast.unparse(self.statement)


@functools.lru_cache(maxsize=256)
def made_in(function: ast.FunctionDef) -> tuple[Made, ...]:
    """The variables that the statements of a function make, in their order."""
    statements = [node for node in ast.walk(function) if isinstance(node, ast.stmt)]
    return tuple(each for node in sorted(statements, key=lambda node: node.lineno) for each in _made(node))


def _made(node: ast.stmt) -> Iterator[Made]:
    if isinstance(node, ast.Assign):
        for target in node.targets:
            if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                for one, value in zip(target.elts, node.value.elts, strict=False):
                    yield from _assigned(one, value, node)
            else:
                yield from _assigned(target, node.value, node)
    elif isinstance(node, ast.AnnAssign) and node.value is not None:
        yield from _assigned(node.target, node.value, node)
    elif isinstance(node, ast.AugAssign):
        read = ast.copy_location(ast.BinOp(_loaded(node.target), node.op, node.value), node)
        yield from _assigned(node.target, ast.fix_missing_locations(read), node)
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        yield from _in_place(node, node.value)


def _assigned(target: ast.expr, value: ast.expr, statement: ast.stmt) -> Iterator[Made]:
    name = dotted(target)
    if name is not None and (name.startswith("self.") or "." not in name):
        yield Made(name, value, statement)


def _in_place(statement: ast.Expr, call: ast.Call) -> Iterator[Made]:
    """x.clamp_(min=0), and self.register_buffer("x", value)."""
    if not isinstance(call.func, ast.Attribute):
        return
    owner = dotted(call.func.value)
    if owner == "self" and call.func.attr == "register_buffer" and len(call.args) > 1:
        name = call.args[0].value if isinstance(call.args[0], ast.Constant) else None
        if isinstance(name, str):
            yield Made(f"self.{name}", call.args[1], statement)
    elif owner is not None and call.func.attr.endswith("_") and not call.func.attr.startswith("_"):
        yield Made(owner, call, statement)


def _loaded(target: ast.expr) -> ast.expr:
    read: ast.expr = ast.parse(ast.unparse(target), mode="eval").body
    return read


def made_at(function: ast.FunctionDef, line: int, name: str) -> Made | None:
    """What makes a variable in this line."""
    held = [each for each in made_in(function) if each.line <= line <= (each.statement.end_lineno or 0)]
    return next((each for each in reversed(held) if each.name == name), None)


def result_at(function: ast.FunctionDef, line: int) -> Made | None:
    """What this line returns."""
    found = (each for each in ast.walk(function) if isinstance(each, ast.Return) and each.value is not None)
    node = next((each for each in found if each.lineno <= line <= (each.end_lineno or 0)), None)
    return None if node is None or node.value is None else Made(function.name, node.value, node)


@dataclass
class Slice:
    """What a variable is computed from, up to variables that count as leaves."""

    function: ast.FunctionDef
    variables: Mapping[str, Any]  # at that time
    around: Mapping[str, Any]  # of its file
    is_leaf: Callable[[str], bool]
    leaves: set[str] = field(default_factory=set)
    held: set[str] = field(default_factory=set)  # read for its size, or constant
    between: dict[Made, None] = field(default_factory=dict)

    def of(self, made: Made) -> list[Made]:
        """The statements from the leaves to a variable, in their order; raises Unknown."""
        self.between[made] = None
        queue = [(made, name) for name in self._read(made.value)]
        seen: set[tuple[int, str]] = set()
        while queue:
            after, name = queue.pop()
            if (after.line, name) in seen:
                continue
            seen.add((after.line, name))
            if self.is_leaf(name):
                self.leaves.add(name)
                continue
            for each in self._makers(after, name):
                self.between[each] = None
                queue += [(each, inner) for inner in self._read(each.value)]
        return sorted(self.between, key=lambda each: each.line)

    def _makers(self, after: Made, name: str) -> list[Made]:
        """What made a variable before a statement; raises Unknown if that is not all."""
        for node in ast.walk(self.function):
            if isinstance(node, (ast.For, ast.With, ast.comprehension, ast.NamedExpr)) and name in _bound_by(node):
                raise Unknown(name)
            if isinstance(node, (ast.Assign, ast.AugAssign)) and name in _parts_written(node):
                raise Unknown(name)
        found = [each for each in made_in(self.function) if each.name == name and each.line < after.line]
        if not found:
            raise Unknown(name)
        return found

    def _read(self, node: ast.AST) -> Iterator[str]:
        """The variables whose values an expression reads."""
        if isinstance(node, ast.Call):
            yield from self._read_call(node)
        elif isinstance(node, ast.Attribute):
            yield from self._read_attribute(node)
        elif isinstance(node, ast.Subscript):
            yield from self._read_item(node)
        elif isinstance(node, ast.Name):
            if not self._is_constant(node.id):
                yield node.id
        elif isinstance(node, (ast.Lambda, ast.ListComp, ast.GeneratorExp, ast.DictComp, ast.SetComp, ast.Await)):
            raise Unknown("")
        else:
            for child in ast.iter_child_nodes(node):
                yield from self._read(child)

    def _read_item(self, node: ast.Subscript) -> Iterator[str]:
        """An item of a leaf is a leaf; the size of one is no value."""
        if isinstance(node.value, ast.Attribute) and node.value.attr in _SIZES:
            yield from self._only_held(node.value.value)
        elif self._is_counted(node.slice) and self.is_leaf(ast.unparse(node)):
            yield ast.unparse(node)
        else:
            for child in (node.value, node.slice):
                yield from self._read(child)

    def _is_counted(self, index: ast.expr) -> bool:
        """Whether an index is that of a loop."""
        names = {each.id for each in ast.walk(index) if isinstance(each, ast.Name)}
        loops = (node for node in ast.walk(self.function) if isinstance(node, ast.For))
        return any(names & _bound_by(node) for node in loops)

    def _read_attribute(self, node: ast.Attribute) -> Iterator[str]:
        path = dotted(node)
        if node.attr in _SIZES:
            yield from self._only_held(node.value)
        elif node.attr in ("T", "mT", "data", "real", "imag") or path is None:
            yield from self._read(node.value)
        elif not self._is_constant(path):
            yield path

    def _read_call(self, node: ast.Call) -> Iterator[str]:
        given = [*node.args, *(keyword.value for keyword in node.keywords)]
        if isinstance(node.func, ast.Attribute) and node.func.attr in _MEASURES:
            yield from self._only_held(node.func.value)
        elif (dotted(node.func) or "").rsplit(".", 1)[-1] in _LIKE and given:
            yield from self._only_held(given.pop(0))
        else:
            yield from self._read_function(node.func)
        for each in given:
            yield from self._read(each)

    def _read_function(self, node: ast.expr) -> Iterator[str]:
        """The variables of what is called: the object of a method; a method of the loss counts as unknown."""
        path = dotted(node)
        if path is not None and (path in _BUILTINS or self._is_global(path.split(".")[0])):
            if self._is_elsewhere(path):
                raise Unknown(path)
            return
        if path is not None and path.startswith("self.") and path.count(".") == 1:
            if not _is_plain_module(self._value(path)):
                raise Unknown(path)
            self.held.add(path)
        elif isinstance(node, ast.Attribute):
            yield from self._read(node.value)
        else:
            raise Unknown(path or "")

    def _only_held(self, node: ast.expr) -> Iterator[str]:
        """What is read for its size: an expression of variables that need not be known."""
        yield from ()
        for each in ast.walk(node):
            name = dotted(each) if isinstance(each, (ast.Name, ast.Attribute)) else None
            if name is not None and not self._is_global(name.split(".")[0]):
                self.held.add(name)

    def _is_constant(self, name: str) -> bool:
        """Whether a name is a module, a function, a setting or a size."""
        if self._is_global(name.split(".")[0]) or name in _BUILTINS:
            return True
        if self.is_leaf(name):
            return False
        value = self._value(name)
        known = value is None or isinstance(value, (bool, str, tuple, torch.dtype, torch.device, torch.Size))
        known = known and name in self.variables if "." not in name else known and name.startswith("self.")
        if known or (type(value) is int and self._is_size(name)):
            self.held.add(name)
            return True
        return False

    def _is_size(self, name: str) -> bool:
        """Whether a whole number comes from the shape of a tensor, or counts classes."""
        if name.startswith("self."):
            return any(word in name for word in ("num", "n_", "classes", "dim"))
        for node in ast.walk(self.function):
            if isinstance(node, ast.Assign) and name in {n.id for t in node.targets for n in _stored(t)}:
                text = ast.unparse(node.value)
                return ".shape" in text or ".size(" in text or "len(" in text
        return False

    def _is_global(self, name: str) -> bool:
        found = self.around.get(name)
        return name not in self.variables and (isinstance(found, ModuleType) or callable(found))

    def _is_elsewhere(self, path: str) -> bool:
        """Whether a function comes from another file of the user: what it computes is not seen here."""
        made = self.around.get(path)
        code = getattr(made, "__code__", None)
        own = isinstance(made, FunctionType) and getattr(made, "__module__", "").split(".")[0] != "torch"
        return own and code is not None and code.co_filename != self.around.get("__file__", code.co_filename)

    def _value(self, name: str) -> Any:
        return value_of(self.variables, name)


def value_of(variables: Mapping[str, Any], name: str) -> Any:
    """The value of a variable, of an attribute of one, or of an item of one; None if there is none."""
    if name in variables:
        return variables[name]
    if "[" in name:
        try:
            return eval(name, {"torch": torch, **{n: v for n, v in variables.items() if n.isidentifier()}})  # noqa: S307 - an expression of the loss
        except Exception:  # noqa: BLE001 - it is no value here
            return None
    owner, *rest = name.split(".")
    found = variables.get(owner)
    for each in rest:
        found = getattr(found, each, None)
    return found


def _is_plain_module(value: Any) -> bool:
    """Whether a part of the loss is a module of PyTorch without parameters, which its text makes again."""
    return re.fullmatch(r"torch\.nn\.modules\.(pooling|activation|padding|flatten)", type(value).__module__) is not None


def _stored(node: ast.AST) -> list[ast.Name]:
    return [each for each in ast.walk(node) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)]


def _bound_by(node: ast.AST) -> set[str]:
    if isinstance(node, ast.With):
        bound: Sequence[ast.AST] = [each.optional_vars for each in node.items if each.optional_vars is not None]
    else:
        bound = [node.target]  # type: ignore[attr-defined]
    return {inner.id for each in bound for inner in _stored(each)}


def _parts_written(node: ast.Assign | ast.AugAssign) -> set[str]:
    """Variables of which a statement writes a part, or that it unpacks."""
    found: set[str] = set()
    for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
        both = isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple)
        if not isinstance(target, (ast.Name, ast.Attribute)) and not both:
            found |= {each.id for each in ast.walk(target) if isinstance(each, ast.Name)}
    return found


def dotted(node: ast.AST) -> str | None:
    """A name, or an attribute of one: self.gamma."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        owner = dotted(node.value)
        return owner and f"{owner}.{node.attr}"
    return None
