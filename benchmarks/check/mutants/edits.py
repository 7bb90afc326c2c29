"""Edits: every single change of a function that this knows, each with the class of mistake that it is."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass

Replaced = Iterator[tuple[str, ast.expr]]
_OTHER_OPERATOR: dict[type[ast.operator], ast.operator] = {
    ast.Add: ast.Sub(),
    ast.Sub: ast.Add(),
    ast.Mult: ast.Div(),
    ast.Div: ast.Mult(),
}
_OTHER_COMPARISON: dict[type[ast.cmpop], ast.cmpop] = {ast.Lt: ast.Gt(), ast.Gt: ast.Lt()}
_OTHER_NAME = {
    "max": "min",
    "min": "max",
    "maximum": "minimum",
    "softmax": "sigmoid",
    "log_softmax": "softmax",
    "logsigmoid": "sigmoid",
}
_DROPPED = ("exp", "log", "log1p", "sqrt", "abs", "square", "normalize", "sigmoid", "norm")


@dataclass(frozen=True)
class Edit:
    """One edit of a function: the class of mistake, what it says, and the function."""

    mistake: str
    said: str
    function: ast.FunctionDef


def edits(function: ast.FunctionDef) -> Iterator[Edit]:
    """All single edits of a function."""
    defaults = {id(node) for each in function.args.defaults for node in ast.walk(each)}
    for at, node in enumerate(ast.walk(function)):
        if id(node) in defaults:
            continue
        for mistake, made in _replaced(node, function):
            changed = copy.deepcopy(function)
            old = list(ast.walk(changed))[at]
            _Put(old, copy.deepcopy(made)).visit(changed)
            yield _edit(mistake, f"{ast.unparse(node)} -> {ast.unparse(made)}", changed)
    yield from _whole(function)


class _Put(ast.NodeTransformer):
    """Puts one node in the place of another."""

    def __init__(self, old: ast.AST, new: ast.AST) -> None:
        self.old, self.new = old, new

    def visit(self, node: ast.AST) -> ast.AST:
        return self.new if node is self.old else self.generic_visit(node)


def _edit(mistake: str, said: str, function: ast.FunctionDef) -> Edit:
    return Edit(mistake, said, ast.fix_missing_locations(function))


def _replaced(node: ast.AST, function: ast.FunctionDef) -> Replaced:
    for rule in (_arithmetic, _complement, _calls, _conditions):
        yield from rule(node)
    yield from _names(node, function)


def _is_number(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, (int, float)) and not isinstance(node.value, bool)


def _arithmetic(node: ast.AST) -> Replaced:
    if not isinstance(node, ast.BinOp):
        return
    other = _OTHER_OPERATOR.get(type(node.op))
    if other is not None:
        mistake = "+ and - exchanged" if isinstance(node.op, (ast.Add, ast.Sub)) else "* and / exchanged"
        yield mistake, ast.BinOp(node.left, other, node.right)
    if isinstance(node.op, (ast.Add, ast.Sub)) and not _is_number(node.left):
        yield "a term missing", node.left
        yield "a term missing", node.right
    if isinstance(node.op, (ast.Mult, ast.Div)):
        yield "a factor missing", node.left
        if isinstance(node.op, ast.Mult):
            yield "a factor missing", node.right
    if isinstance(node.op, (ast.Sub, ast.Div)):
        yield "operands exchanged", ast.BinOp(node.right, node.op, node.left)
    if isinstance(node.op, ast.Pow):
        yield "a power missing", node.left


def _complement(node: ast.AST) -> Replaced:
    one = isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub) and ast.unparse(node.left) == "1"
    if one and isinstance(node, ast.BinOp):
        yield "1 - x and x exchanged", node.right


def _calls(node: ast.AST) -> Replaced:
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return
    name, owner = node.func.attr, node.func.value
    method = ast.unparse(owner) not in ("F", "torch", "math")
    inner = owner if method else (node.args or [owner])[0]
    if name in ("mean", "sum") and method:
        renamed = ast.Call(
            ast.Attribute(owner, "sum" if name == "mean" else "mean", ast.Load()), node.args, node.keywords
        )
        yield "mean and sum exchanged", renamed
    if name == "clamp":
        yield "a clamp missing", inner
    if name == "detach":
        yield "detach missing", inner
    if name in _DROPPED:
        yield "a function missing", inner
    if name in _OTHER_NAME:
        attribute = ast.Attribute(owner, _OTHER_NAME[name], ast.Load())
        arguments = node.args[:1] if _OTHER_NAME[name] == "sigmoid" else node.args
        keywords = [] if _OTHER_NAME[name] == "sigmoid" else node.keywords
        yield "another function", ast.Call(attribute, arguments, keywords)
    if len(node.args) == 2 and not method and name not in _OTHER_NAME:
        yield "arguments exchanged", ast.Call(node.func, node.args[::-1], node.keywords)
    yield from _dimensions(node)
    for keyword in node.keywords:
        if keyword.arg in ("reduction", "ignore_index"):
            rest = [each for each in node.keywords if each is not keyword]
            yield f"{keyword.arg} not passed", ast.Call(node.func, node.args, rest)


def _dimensions(node: ast.Call) -> Replaced:
    for at, each in enumerate(node.keywords):
        if each.arg == "dim" and isinstance(each.value, ast.Constant) and each.value.value == 1:
            keywords = [*node.keywords[:at], ast.keyword("dim", ast.Constant(0)), *node.keywords[at + 1 :]]
            yield "another dimension", ast.Call(node.func, node.args, keywords)


def _names(node: ast.AST, function: ast.FunctionDef) -> Replaced:
    arguments = [each.arg for each in function.args.args]
    options = arguments[len(arguments) - len(function.args.defaults) :]
    if not isinstance(node, ast.Name) or not isinstance(node.ctx, ast.Load) or node.id not in arguments:
        return
    if node.id in options:
        default = function.args.defaults[options.index(node.id)]
        yield "an option without effect", default
        for other in options:
            if other != node.id and {node.id, other} <= {"alpha", "beta"}:
                yield "options exchanged", ast.Name(other, ast.Load())
        return
    for other in arguments[: len(arguments) - len(options)]:
        if other != node.id:
            yield "another argument", ast.Name(other, ast.Load())


def _conditions(node: ast.AST) -> Replaced:
    if isinstance(node, ast.Compare) and type(node.ops[0]) in _OTHER_COMPARISON:
        yield "< and > exchanged", ast.Compare(node.left, [_OTHER_COMPARISON[type(node.ops[0])]], node.comparators)
    if isinstance(node, ast.Subscript) and ast.unparse(node.slice) in ("valid", "mask"):
        yield "ignored labels count", node.value
    if _is_number(node) and ast.unparse(node) in ("0.5", "2"):
        yield "another constant", ast.Constant(1)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and not _is_number(node.operand):
        yield "a minus missing", node.operand


def _whole(function: ast.FunctionDef) -> Iterator[Edit]:
    """Edits of statements: what is written to the caller's tensors, cut from the graph, or rounded."""
    first, second = (each.arg for each in function.args.args[:2])
    for mistake, line in (
        ("writes to an argument", f"{second}.mul_(0.5)"),
        ("rounds to half precision", f"{first} = {first}.half().to({first}.dtype)"),
    ):
        changed = copy.deepcopy(function)
        changed.body.insert(1, ast.parse(line).body[0])
        yield _edit(mistake, line, changed)
    for at, statement in enumerate(function.body):
        changed = copy.deepcopy(function)
        own = changed.body[at]
        if isinstance(own, ast.Return) and own.value is not None:
            own.value = _detached(own.value)
            yield _edit("a result cut from the graph", "return x.detach()", changed)
        elif isinstance(own, ast.Assign) and isinstance(own.targets[0], ast.Name):
            own.value = _detached(own.value)
            yield _edit("a factor held constant", f"{ast.unparse(statement)} -> detached", changed)


def _detached(value: ast.expr) -> ast.expr:
    return ast.Call(ast.Attribute(value, "detach", ast.Load()), [], [])
