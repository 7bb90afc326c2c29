"""Slips between two parts of an expression: their order, what only one of them has, and flags that are left out."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from losskit.checker.references.edits import ARGUMENTS, CALLS, RENAMED, Made, Place, Scope, called, changed, put

_FLAGS = {
    "topk": ("largest", False),
    "sort": ("descending", True),
    "argsort": ("descending", True),
    "std": ("unbiased", False),
    "var": ("unbiased", False),
    "sum": ("keepdim", True),
    "mean": ("keepdim", True),
    "norm": ("keepdim", True),
}


def _flags(place: Place, scope: Scope) -> Made:
    """A flag that a call lacks."""
    node = place.node
    if isinstance(node, ast.Call) and called(node) in _FLAGS:
        name, value = _FLAGS[called(node)]
        if not any(k.arg == name for k in node.keywords) and (name != "keepdim" or node.args or node.keywords):
            yield ARGUMENTS, changed(node, keywords=[*node.keywords, ast.keyword(name, ast.Constant(value))])


_MODULES = ("torch", "F", "nn.functional", "torch.nn.functional")
_SWAPPED = (
    *(
        "mean",
        "sum",
        "sqrt",
        "square",
        "log",
        "exp",
        "abs",
        "relu",
        "clamp",
        "sigmoid",
        "softmax",
        "log_softmax",
        "pow",
    ),
    *("log1p", "amax", "amin", "flip", "cumsum", "transpose", "permute", "view", "reshape", "detach", "float"),
)


def _applied(node: ast.AST) -> tuple[str, ast.expr, list[ast.expr], list[ast.keyword]] | None:
    """A call of one tensor as the name of its method, the tensor, and the further arguments."""
    if not isinstance(node, ast.Call) or called(node) not in _SWAPPED:
        return None
    if isinstance(node.func, ast.Attribute) and ast.unparse(node.func.value) not in _MODULES:
        return node.func.attr, node.func.value, list(node.args), list(node.keywords)
    if node.args and not isinstance(node.args[0], ast.Starred):
        return called(node), node.args[0], list(node.args[1:]), list(node.keywords)
    return None


def _orders(place: Place, scope: Scope) -> Made:
    """Two operations in the other order: the mean of roots for the root of a mean."""
    outer = _applied(place.node)
    inner = None if outer is None else _applied(outer[1])
    if outer is not None and inner is not None and outer[0] != inner[0]:
        first = ast.Call(ast.Attribute(inner[1], outer[0], ast.Load()), outer[2], outer[3])
        yield ARGUMENTS, put(place, ast.Call(ast.Attribute(first, inner[0], ast.Load()), inner[2], inner[3]))


def _powers(place: Place, scope: Scope) -> Made:
    """A factor that stands inside or outside a power, or inside or outside a function."""
    node = place.node
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow) and isinstance(node.left, ast.BinOp):
        product = node.left
        if isinstance(product.op, (ast.Mult, ast.Div)):
            yield (
                CALLS,
                put(place, ast.BinOp(product.left, product.op, ast.BinOp(product.right, ast.Pow(), node.right))),
            )
            yield (
                CALLS,
                put(place, ast.BinOp(ast.BinOp(product.left, ast.Pow(), node.right), product.op, product.right)),
            )
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Mult, ast.Div)):
        for side, other in ((node.left, node.right), (node.right, node.left)):
            if isinstance(side, ast.BinOp) and isinstance(side.op, ast.Pow):
                if side is node.left:
                    yield ARGUMENTS, put(place, ast.BinOp(ast.BinOp(side.left, node.op, other), ast.Pow(), side.right))
                else:
                    yield ARGUMENTS, put(place, ast.BinOp(ast.BinOp(other, node.op, side.left), ast.Pow(), side.right))
    applied = _applied(node)
    if applied is not None and isinstance(applied[1], ast.BinOp) and isinstance(applied[1].op, (ast.Mult, ast.Div)):
        name, _, args, keywords = applied
        inner = applied[1]
        if name in ("sum", "mean", "softmax", "log_softmax", "sigmoid", "log", "exp", "sqrt"):
            call = ast.Call(ast.Attribute(inner.left, name, ast.Load()), args, keywords)
            yield ARGUMENTS, put(place, ast.BinOp(call, inner.op, inner.right))


def _factors(node: ast.AST) -> Iterator[tuple[type[ast.operator], ast.expr]]:
    """What an expression is multiplied with, or divided by."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Mult, ast.Div)):
        yield type(node.op), node.right
        if isinstance(node.op, ast.Mult):
            yield ast.Mult, node.left
    if isinstance(node, ast.Call) and called(node) in ("mul", "div") and len(node.args) == 1:
        yield ast.Mult if called(node) == "mul" else ast.Div, node.args[0]


def _shared(place: Place, scope: Scope) -> Made:
    """A factor that only one of two arguments, operands or values has."""
    parent, node = place.parent, place.node
    if isinstance(parent, (ast.Call, ast.Tuple)) and place.name in ("args", "elts"):
        others = [each for each in getattr(parent, place.name) if each is not node]
    elif isinstance(parent, ast.BinOp) and isinstance(parent.op, (ast.Add, ast.Sub)):
        others = [parent.right if node is parent.left else parent.left]
    else:
        return
    if not isinstance(node, (ast.Name, ast.Call, ast.BinOp, ast.Subscript)):
        return
    for other in others:
        for operator, factor in _factors(other):
            if isinstance(factor, (ast.Name, ast.Attribute, ast.Subscript)):
                yield ARGUMENTS, put(place, ast.BinOp(node, operator(), factor))
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Mult, ast.Div)) and isinstance(node.right, ast.Name):
        yield ARGUMENTS, put(place, node.left)


_MASKS = re.compile(r"\w*mask\w*|valid\w*|roi|\w*weights?")
_HEAT = re.compile(r"t|temp\w*|tau|\w*_temp|kd_t")


def _options(place: Place, scope: Scope) -> Made:
    """A mask or a temperature that is missing at one place."""
    node = place.node
    if not isinstance(node, ast.Name) or node.id not in scope.first or not isinstance(node.ctx, ast.Load):
        return
    if isinstance(place.parent, ast.Call) and place.name == "func":
        return
    for name in scope.first:
        if name != node.id and _MASKS.fullmatch(name.lower()):
            yield ARGUMENTS, put(place, ast.BinOp(node, ast.Mult(), ast.Name(name, ast.Load())))
        if name != node.id and _HEAT.fullmatch(name.lower()):
            for operator in (ast.Div(), ast.Mult()):
                yield ARGUMENTS, put(place, ast.BinOp(node, operator, ast.Name(name, ast.Load())))
    for name in scope.attributes:
        if _HEAT.fullmatch(name.lower()):
            own = ast.Attribute(ast.Name("self", ast.Load()), name, ast.Load())
            yield ARGUMENTS, put(place, ast.BinOp(node, ast.Div(), own))


def _layouts(place: Place, scope: Scope) -> Made:
    """A reshaping where the axes have to be exchanged."""
    node = place.node
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and called(node) in ("view", "reshape"):
        for axes in ((-1, 1), (1, -1)):
            move = ast.Attribute(node.func.value, "movedim", ast.Load())
            yield RENAMED, put(place, ast.Call(move, [ast.parse(str(each), mode="eval").body for each in axes], []))
        if len(node.args) == 1 and ast.unparse(node.args[0]) == "-1":
            flat = ast.Attribute(node.func.value, "flatten", ast.Load())
            yield RENAMED, put(place, ast.Call(flat, [ast.Constant(1)], []))


SLIPS = (_flags, _orders, _powers, _shared, _options, _layouts)
