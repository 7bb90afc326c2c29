"""Mistakes: what one slip may have changed in a function, the likely kinds first."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import Any

from losskit.checker.references.code import Function
from losskit.checker.references.edits.edit import (
    ARGUMENTS,
    CALLS,
    KEPT,
    NAMES,
    NUMBERS,
    OPERATORS,
    PARTS,
    RENAMED,
    UNREAD,
    Applies,
    Edit,
    Made,
    Place,
    Scope,
    called,
    changed,
    own,
    places,
    put,
)
from losskit.checker.references.edits.misplaced import MISPLACED
from losskit.checker.references.edits.slips import SLIPS


def edits_of(function: Function) -> list[Edit]:
    """Every edit of a function, the likely kinds first."""
    there = [place for place in places(function.tree) if isinstance(place.node, (ast.expr, ast.stmt, ast.keyword))]
    scope = Scope(function.tree, function.settings)
    found: list[Edit] = []
    for place in there:
        for make in _MAKERS:
            found += [Edit(kind, at[0] if at else place, apply) for kind, apply, *at in make(place, scope)]
    return sorted(found, key=lambda edit: edit.kind)


_OTHER: dict[type[ast.AST], tuple[type[ast.AST], ...]] = {
    ast.Add: (ast.Sub, ast.Mult),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Div, ast.Add),
    ast.Div: (ast.Mult,),
    ast.MatMult: (ast.Mult,),
    ast.Lt: (ast.Gt, ast.LtE),
    ast.Gt: (ast.Lt, ast.GtE),
    ast.LtE: (ast.GtE, ast.Lt),
    ast.GtE: (ast.LtE, ast.Gt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.BitAnd: (ast.BitOr,),
    ast.BitOr: (ast.BitAnd,),
}


def _operators(place: Place, scope: Scope) -> Made:
    node = place.node
    if isinstance(node, (ast.BinOp, ast.AugAssign)):
        for other in _OTHER.get(type(node.op), ()):
            if other is not ast.Mult or not _accumulates(place):
                yield OPERATORS, changed(node, op=other())
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Sub, ast.Div, ast.Pow)):
        yield OPERATORS, changed(node, left=node.right, right=node.left)
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        for other in _OTHER.get(type(node.ops[0]), ()):
            yield OPERATORS, changed(node, ops=[other()])
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.Invert, ast.Not)):
        yield OPERATORS, put(place, node.operand)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub) and _number(node.left) == 1:
        yield OPERATORS, put(place, node.right)
        yield OPERATORS, put(place, ast.UnaryOp(ast.USub(), node.right))
    if _value(place) and not isinstance(node, ast.Constant):
        yield OPERATORS, put(place, ast.UnaryOp(ast.USub(), node))  # type: ignore[arg-type]
        beside = isinstance(place.parent, ast.BinOp) and _number(place.parent.right) == 1
        if isinstance(node, (ast.Name, ast.Attribute, ast.Call)) and not beside:
            yield OPERATORS, put(place, ast.BinOp(ast.Constant(1.0), ast.Sub(), node))


def _accumulates(place: Place) -> bool:
    """Whether a sum is added to a variable that starts at 0."""
    node, statement = place.node, place.statement
    if isinstance(node, ast.AugAssign):
        return True
    names = [t.id for t in getattr(statement, "targets", []) if isinstance(t, ast.Name)]
    return isinstance(node, ast.BinOp) and isinstance(node.left, ast.Name) and node.left.id in names


def _value(place: Place) -> bool:
    """Whether a node is a value in arithmetic: an operand, an argument, or what is assigned or returned."""
    node, parent = place.node, place.parent
    if not isinstance(node, ast.expr) or isinstance(node, (ast.Tuple, ast.List, ast.Slice, ast.Starred, ast.Lambda)):
        return False
    if isinstance(parent, ast.Call):
        return place.name == "args" or (place.name == "func" and False)
    if isinstance(parent, ast.Attribute):
        return isinstance(place.above[-1], ast.Attribute) and not own(parent) and _in_call(place)
    return isinstance(parent, (ast.BinOp, ast.UnaryOp, ast.Compare, ast.Assign, ast.AugAssign, ast.Return, ast.IfExp))


def _in_call(place: Place) -> bool:
    return len(place.above) > 1 and isinstance(place.above[-2], ast.Call) and place.above[-2].func is place.parent


def _number(node: ast.AST | None) -> float | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)) and not isinstance(node.value, bool):
        return float(node.value)
    return None


def _names(place: Place, scope: Scope) -> Made:
    node = place.node
    calls = isinstance(place.parent, ast.Call) and place.name == "func"
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and not calls and node.id in scope.first:
        for other in scope.names(node.lineno):
            if other != node.id:
                yield UNREAD if other in scope.unused else NAMES, changed(node, id=other)
    if own(node) and not calls and node.attr in scope.attributes:  # type: ignore[attr-defined]
        for other in scope.attributes:
            if other != node.attr:  # type: ignore[attr-defined]
                yield NAMES, changed(node, attr=other)
    if _number(node) is not None and not isinstance(place.parent, (ast.Subscript, ast.Slice, ast.keyword, ast.UnaryOp)):
        yield from ((UNREAD, put(place, ast.Name(name, ast.Load()))) for name in scope.unused)
        yield from ((UNREAD, put(place, _setting(name))) for name in scope.settings)
    if isinstance(node, ast.stmt) and not isinstance(node, (ast.For, ast.If, ast.With, ast.FunctionDef)):
        yield from _exchanges(node, scope)


def _setting(name: str) -> ast.expr:
    return ast.Attribute(ast.Name("self", ast.Load()), name, ast.Load())


def _exchanges(statement: ast.stmt, scope: Scope) -> Made:
    """Two names exchanged in a statement."""
    names = [n for n in ast.walk(statement) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)]
    loads = [n for n in names if n.id in scope.first]
    attributes = [n for n in ast.walk(statement) if own(n)]
    for nodes, key in ((loads, "id"), (attributes, "attr")):
        named = list(dict.fromkeys(getattr(n, key) for n in nodes))
        for i, first in enumerate(named):
            for second in named[i + 1 :]:
                yield NAMES, exchanged(nodes, key, first, second)
    if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Tuple):
        yield NAMES, changed(statement.targets[0], elts=statement.targets[0].elts[::-1])


def exchanged(nodes: Sequence[ast.AST], key: str, first: str, second: str) -> Applies:
    def apply() -> Callable[[], None]:
        swap = {first: second, second: first}
        changed = [(n, getattr(n, key)) for n in nodes if getattr(n, key) in swap]
        for n, name in changed:
            setattr(n, key, swap[name])

        def undo() -> None:
            for n, name in changed:
                setattr(n, key, name)

        return undo

    return apply


_DIMS: tuple[Any, ...] = (0, 1, -1, 2, None)


def _arguments(place: Place, scope: Scope) -> Made:
    node = place.node
    if isinstance(node, ast.Call):
        yield from _of_call(node)
    if isinstance(node, ast.keyword) and node.arg in ("dim", "axis"):
        for other in (0, 1, -1, 2):
            if ast.unparse(node.value) != str(other):
                yield ARGUMENTS, changed(node, value=_constant(other))
    if isinstance(node, ast.keyword) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, bool):
        yield ARGUMENTS, changed(node, value=ast.Constant(not node.value.value))
    if isinstance(node, ast.keyword) and node.arg == "reduction":
        yield from ((ARGUMENTS, changed(node, value=ast.Constant(r))) for r in ("mean", "sum", "batchmean", "none"))
    if isinstance(node, ast.Slice):
        yield from _of_slice(node)
    if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
        if isinstance(node.slice, ast.Name):
            yield ARGUMENTS, changed(node, slice=ast.Call(ast.Attribute(node.slice, "bool", ast.Load()), [], []))
        if isinstance(node.slice, (ast.Name, ast.Compare)):
            yield ARGUMENTS, changed(node, slice=ast.UnaryOp(ast.Invert(), node.slice))
        if isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, int):
            yield from ((ARGUMENTS, changed(node, slice=_constant(node.slice.value + d))) for d in (1, -1))


def _constant(value: Any) -> ast.expr:
    if isinstance(value, (int, float)) and value < 0:
        return ast.UnaryOp(ast.USub(), ast.Constant(-value))
    return ast.Constant(value)


def _of_call(node: ast.Call) -> Made:
    if len(node.args) >= 2 and not any(isinstance(each, ast.Starred) for each in node.args):
        for i in range(len(node.args) - 1):
            swapped = [*node.args]
            swapped[i], swapped[i + 1] = swapped[i + 1], swapped[i]
            yield ARGUMENTS, changed(node, args=swapped)
    if called(node) == "where" and len(node.args) == 3:
        yield ARGUMENTS, changed(node, args=[node.args[0], node.args[2], node.args[1]])
    if called(node) in _ELEMENTWISE and not any(k.arg == "reduction" for k in node.keywords):
        yield ARGUMENTS, changed(node, keywords=[*node.keywords, ast.keyword("reduction", ast.Constant("none"))])
    if called(node) in _REDUCES:
        yield from _of_dims(node)
    for keyword in node.keywords:
        if keyword.arg in ("min", "max") and called(node).startswith("clamp"):
            opposite = "max" if keyword.arg == "min" else "min"
            if not any(k.arg == opposite for k in node.keywords):
                yield ARGUMENTS, changed(keyword, arg=opposite)
        elif keyword.arg not in ("dim", "axis", "keepdim", "mode", "padding_mode", "padding", *KEPT):
            yield ARGUMENTS, changed(node, keywords=[k for k in node.keywords if k is not keyword])


def _of_dims(node: ast.Call) -> Made:
    """Other dimensions of a reduction."""
    of_tensor = isinstance(node.func, ast.Attribute) and _is_module(node.func.value)
    at = 1 if of_tensor else 0
    if any(k.arg in ("dim", "axis") for k in node.keywords):
        yield ARGUMENTS, changed(node, keywords=[k for k in node.keywords if k.arg not in ("dim", "axis", "keepdim")])
    else:
        if len(node.args) > at:
            for other in (0, 1, -1, 2):
                if ast.unparse(node.args[at]) != str(other):
                    yield ARGUMENTS, changed(node, args=[*node.args[:at], _constant(other), *node.args[at + 1 :]])
            yield ARGUMENTS, changed(node, args=node.args[:at])
        elif len(node.args) == at:
            for other in (0, 1, -1):
                yield ARGUMENTS, changed(node, keywords=[ast.keyword("dim", _constant(other)), *node.keywords])


_ELEMENTWISE = (
    *("cross_entropy", "binary_cross_entropy", "binary_cross_entropy_with_logits", "nll_loss", "mse_loss", "l1_loss"),
    *("smooth_l1_loss", "huber_loss", "kl_div"),
)


def _of_slice(node: ast.Slice) -> Made:
    lower, upper = _bound(node.lower), _bound(node.upper)
    if lower == 1 and node.upper is None:
        yield ARGUMENTS, changed(node, lower=None, upper=_constant(-1))
        yield ARGUMENTS, changed(node, lower=None)
    if node.lower is None and upper == -1:
        yield ARGUMENTS, changed(node, lower=ast.Constant(1), upper=None)
        yield ARGUMENTS, changed(node, upper=None)
    for name, value in (("lower", lower), ("upper", upper)):
        if value is not None:
            yield from ((ARGUMENTS, changed(node, **{name: _constant(value + d)})) for d in (1, -1))
    if node.lower is None and node.upper is None and node.step is None:
        yield ARGUMENTS, changed(node, lower=ast.Constant(1))
        yield ARGUMENTS, changed(node, upper=_constant(-1))


def _bound(node: ast.expr | None) -> int | None:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant):
        return -node.operand.value if isinstance(node.operand.value, int) else None
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, int) else None


_REDUCES = (
    *("sum", "mean", "prod", "norm", "std", "var", "max", "min", "amax", "amin", "softmax", "log_softmax", "normalize"),
    *("cumsum", "logsumexp", "logcumsumexp", "argsort", "sort", "argmax", "argmin", "flip", "cosine_similarity"),
)
_MODULES = ("torch", "F", "nn", "math", "np", "functional", "nn.functional", "torch.nn.functional")


def _is_module(node: ast.AST) -> bool:
    return ast.unparse(node) in _MODULES


_OTHERS: dict[str, tuple[str, ...]] = {
    "min": ("max",), "max": ("min",), "minimum": ("maximum",), "maximum": ("minimum",), "amin": ("amax",),
    "amax": ("amin",), "mean": ("sum",), "sum": ("mean",), "clamp_min": ("clamp_max",), "clamp_max": ("clamp_min",),
    "softmax": ("log_softmax",), "log_softmax": ("softmax",), "sigmoid": ("logsigmoid", "tanh"),
    "logsigmoid": ("sigmoid",), "exp": ("expm1", "square"), "log": ("log1p", "log2"), "log1p": ("log",),
    "sqrt": ("square", "rsqrt"), "abs": ("square",), "square": ("abs",), "cumsum": ("logcumsumexp",),
    "relu": ("softplus",),
    "softplus": ("relu", "sigmoid"), "l1_loss": ("mse_loss",), "mse_loss": ("l1_loss",), "sin": ("cos",),
    "cos": ("sin",), "prod": ("sum",), "std": ("var",), "var": ("std",), "triu": ("tril",), "tril": ("triu",),
    "zeros": ("ones",), "ones": ("zeros",), "zeros_like": ("ones_like",), "ones_like": ("zeros_like",),
    "mm": (), "log_sigmoid": ("sigmoid",), "logical_and": ("logical_or",), "logical_or": ("logical_and",),
    "any": ("all",), "all": ("any",), "gt": ("lt",), "lt": ("gt",), "eq": ("ne",), "ne": ("eq",),
    "ge": ("gt", "le"), "le": ("lt", "ge"), "fliplr": ("flipud",), "argmax": ("argmin",), "argmin": ("argmax",),
}  # fmt: skip
_DROPPED = (
    *("exp", "sqrt", "abs", "log", "detach", "pow", "square", "sigmoid", "softmax", "log_softmax", "relu", "normalize"),
    *("clamp", "log1p", "expm1", "t", "softplus", "neg", "flip", "tanh", "cumsum", "mean", "sum", "clamp_min", "round"),
    *("reciprocal", "float", "item", "logsigmoid", "data", "unsqueeze", "squeeze"),
)
_INSERTED = ("exp", "sqrt", "log", "detach", "abs", "square", "reciprocal")


def _calls(place: Place, scope: Scope) -> Made:
    node = place.node
    if isinstance(node, ast.Call) and isinstance(node.func, (ast.Attribute, ast.Name)):
        name = called(node)
        key = "attr" if isinstance(node.func, ast.Attribute) else "id"
        for other in _OTHERS.get(name, ()):
            yield RENAMED, changed(node.func, **{key: other})
        if name in _DROPPED:
            inner = (
                node.func.value if isinstance(node.func, ast.Attribute) and not _is_module(node.func.value) else None
            )
            inner = inner or (node.args[0] if node.args else None)
            if inner is not None:
                yield RENAMED, put(place, inner)
    if isinstance(node, ast.With) and "no_grad" in ast.unparse(node.items[0].context_expr):
        yield CALLS, changed(node, items=[ast.withitem(ast.parse("torch.enable_grad()", mode="eval").body)])
    if isinstance(node, ast.Attribute) and node.attr in ("T", "data", "mT"):
        yield CALLS, put(place, node.value)
    compared = isinstance(place.parent, ast.Compare)  # of which any function may make a constant
    if _value(place) and not compared and isinstance(node, (ast.Name, ast.Call, ast.BinOp, ast.Subscript)):
        # Only of a difference: a term that is never positive would vanish.
        clips = ("relu",) if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Sub)) else ()
        # A sigmoid of anything but an argument saturates, and what saturates has no gradient.
        bounds = ("sigmoid",) if isinstance(node, ast.Name) and node.id in scope.arguments else ()
        total = isinstance(node, ast.Call) and called(node) in ("sum", "mean")  # whose exponential outweighs the rest
        for name in (*(each for each in _INSERTED if not (total and each in ("exp", "reciprocal"))), *clips, *bounds):
            yield CALLS, put(place, ast.Call(ast.Attribute(node, name, ast.Load()), [], []))


def _numbers(place: Place, scope: Scope) -> Made:
    node = place.node
    value = _number(node)
    dims = isinstance(place.parent, (ast.Subscript, ast.Slice, ast.keyword, ast.Tuple))
    argument = isinstance(place.parent, ast.Call) and called(place.parent) in _REDUCES
    if value is not None and not dims and not argument and not (isinstance(place.statement, ast.If) and value > 2):
        inverse = 1 / value if abs(value) > 1e-3 else 1.0
        for other in dict.fromkeys((1.0, 2.0, 0.5, -value, inverse, value + 1, value - 1)):
            if other not in (value, 0.0):  # a factor or a power of 0 removes a term
                yield NUMBERS, put(place, _constant(int(other) if other.is_integer() else other))
    if _value(place) and isinstance(node, (ast.Name, ast.BinOp, ast.Call, ast.Attribute)):
        for factor in (2, 0.5):
            yield NUMBERS, put(place, ast.BinOp(ast.Constant(factor), ast.Mult(), node))


def _parts(place: Place, scope: Scope) -> Made:
    node = place.node
    if isinstance(node, ast.BinOp) and not _adds_a_term(node) and not _accumulates(place):
        yield PARTS, put(place, node.left)
        if not isinstance(node.op, (ast.Div, ast.Pow, ast.Sub)):
            yield PARTS, put(place, node.right)
        elif isinstance(node.op, ast.Sub):
            yield PARTS, put(place, ast.UnaryOp(ast.USub(), node.right))
    if isinstance(node, (ast.AugAssign, ast.Assign)) and len(getattr(place.parent, place.name)) > 1:
        yield PARTS, put(place, ast.Pass())
    if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
        yield PARTS, put(place, node.value)
    yield from _missing(place, scope)


def _adds_a_term(node: ast.BinOp) -> bool:
    """Whether both sides of a sum are computed: without one of them it is another loss, not a repaired one."""
    sides = (node.left, node.right)
    adds = isinstance(node.op, (ast.Add, ast.Sub))
    return adds and all(any(isinstance(each, ast.Call) for each in ast.walk(side)) for side in sides)


def _missing(place: Place, scope: Scope) -> Made:
    """What may be missing around a value: a mask, a complement, a second factor."""
    node = place.node
    if isinstance(node, (ast.Name, ast.Attribute)) and isinstance(place.parent, ast.BinOp):
        for name in scope.arguments:  # a weight of positives, whose complement weighs the negatives
            yield PARTS, put(place, _with(f"(X * {name} + (1 - X) * (1 - {name}))", node))
    if _value(place) and isinstance(node, (ast.Name, ast.BinOp, ast.Call)):
        for made in _WITHOUT_DIAGONAL:
            yield PARTS, put(place, _with(made, node))
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        for x, mask in ((node.left, node.right), (node.right, node.left)):
            if isinstance(mask, (ast.Name, ast.Call)):
                for limit in ("inf", "-inf"):
                    code = f'X.masked_fill(({ast.unparse(mask)}) == 0, float("{limit}"))'
                    yield PARTS, put(place, _with(code, x))
        for factor in (node.left, node.right):
            if isinstance(factor, (ast.Name, ast.Attribute)):  # a factor in one term only: squared, or its complement
                yield PARTS, put(place, ast.BinOp(node, ast.Mult(), factor))


_WITHOUT_DIAGONAL = (
    'X.masked_fill(torch.eye(len(X), dtype=torch.bool), float("-inf"))',
    "X * (1 - torch.eye(len(X)).to(X))",
    "X & ~torch.eye(len(X), dtype=torch.bool)",
)


def _with(code: str, node: ast.expr) -> ast.expr:
    """An expression of X, with a node in its place."""

    class Put(ast.NodeTransformer):
        def visit_Name(self, name: ast.Name) -> ast.expr:
            return node if name.id == "X" else name

    return Put().visit(ast.parse(code, mode="eval").body)  # type: ignore[no-any-return]


_MAKERS = (_operators, _names, _arguments, _calls, _numbers, _parts, *SLIPS, *MISPLACED)
