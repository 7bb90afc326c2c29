"""Slips between two parts of an expression: their order, what only one of them has, and flags that are left out."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator

from losskit.checker.references.edits.edit import ARGUMENTS, RENAMED, Applies, Made, Place, Scope, called, changed, put

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
    if not isinstance(node, ast.expr):
        return
    product = _product(node.left) if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow) else None
    if product is not None and isinstance(node, ast.BinOp):
        left, right = (ast.BinOp(each, ast.Pow(), node.right) for each in (product.left, product.right))
        yield ARGUMENTS, put(place, ast.BinOp(product.left, product.op, right))
        yield ARGUMENTS, put(place, ast.BinOp(left, product.op, product.right))
    product = _product(node)
    if product is not None:
        for side, other in ((product.left, product.right), (product.right, product.left)):
            if isinstance(side, ast.BinOp) and isinstance(side.op, ast.Pow):
                first, second = (side.left, other) if side is product.left else (other, side.left)
                inside = ast.BinOp(first, product.op, second)
                yield ARGUMENTS, put(place, ast.BinOp(inside, ast.Pow(), side.right))
    applied = _applied(node)
    product = None if applied is None else _product(applied[1])
    if applied is not None and product is not None and applied[0] in _LINEAR:
        call = ast.Call(ast.Attribute(product.left, applied[0], ast.Load()), applied[2], applied[3])
        yield ARGUMENTS, put(place, ast.BinOp(call, product.op, product.right))


_LINEAR = ("sum", "mean", "softmax", "log_softmax", "sigmoid", "log", "exp", "sqrt")


def _product(node: ast.expr) -> ast.BinOp | None:
    return node if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Mult, ast.Div)) else None


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


def _means(place: Place, scope: Scope) -> Made:
    """A mean over all elements of what a mask keeps, instead of over those that it keeps."""
    node = place.node
    if not isinstance(node, ast.Call) or called(node) != "mean" or not isinstance(node.func, ast.Attribute):
        return
    masked = node.func.value
    if not isinstance(masked, ast.BinOp) or not isinstance(masked.op, ast.Mult):
        return
    for mask in (masked.right, masked.left):
        if isinstance(mask, ast.Name) and _MASKS.fullmatch(mask.id.lower()):
            total, count = (
                ast.Call(ast.Attribute(each, "sum", ast.Load()), node.args, node.keywords) for each in (masked, mask)
            )
            yield RENAMED, put(place, ast.BinOp(total, ast.Div(), count))


def _everywhere(place: Place, scope: Scope) -> Made:
    """The same dimension, or the same complement, wherever a function has it."""
    node = place.node
    if isinstance(node, ast.keyword) and node.arg in ("dim", "axis"):
        value = ast.unparse(node.value)
        same = [n for n in _keywords(place) if n.arg == node.arg and ast.unparse(n.value) == value]
        if len(same) > 1 and same[0] is node:
            for other in ("0", "1", "-1", "2"):
                if other != value:
                    yield ARGUMENTS, _all([(n, ast.parse(other, mode="eval").body) for n in same])
    if isinstance(node, ast.stmt) and not hasattr(node, "body"):
        ones = [n for n in ast.walk(node) if isinstance(n, ast.BinOp) and ast.unparse(n).startswith("1 - ")]
        names = {ast.unparse(n.right) for n in ones}
        if len(ones) > 1 and len(names) == 1 and isinstance(ones[0].right, ast.Name):
            yield RENAMED, _without_ones(node, ones)


def _keywords(place: Place) -> list[ast.keyword]:
    return [n for n in ast.walk(place.above[0]) if isinstance(n, ast.keyword)]


def _all(changes: list[tuple[ast.keyword, ast.expr]]) -> Applies:
    def apply() -> Callable[[], None]:
        before = [(n, n.value) for n, _ in changes]
        for n, value in changes:
            n.value = ast.fix_missing_locations(ast.copy_location(value, n.value))

        def undo() -> None:
            for n, value in before:
                n.value = value

        return undo

    return apply


def _without_ones(statement: ast.stmt, ones: list[ast.BinOp]) -> Applies:
    """`1 - m` as `m`."""
    places = []
    for parent in ast.walk(statement):
        for name, value in ast.iter_fields(parent):
            if value in ones:
                places.append((parent, name, value))

    def apply() -> Callable[[], None]:
        for parent, name, one in places:
            setattr(parent, name, one.right)

        def undo() -> None:
            for parent, name, one in places:
                setattr(parent, name, one)

        return undo

    return apply


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


def _scales(place: Place, scope: Scope) -> Made:
    """A number that stands in several places, such as the 255 of images in 0 to 255, is 1."""
    node = place.node
    if not isinstance(node, ast.Constant) or not isinstance(node.value, (int, float)) or abs(node.value) <= 2:
        return
    same = [n for n in ast.walk(place.above[0]) if isinstance(n, ast.Constant) and n.value == node.value]
    if len(same) > 1 and same[0] is node:
        value = node.value

        def put(now: float) -> None:
            for each in same:
                each.value = now

        def apply() -> Callable[[], None]:
            put(1.0)
            return lambda: put(value)

        yield -1, apply  # there are few of them: they come first


SLIPS = (_scales, _flags, _orders, _powers, _shared, _options, _means, _everywhere, _layouts)
