"""Further mistakes: an operation on the wrong side of another, a missing factor, a shape, the order of statements."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Sequence

from losskit.checker.references.edits.edit import (
    ARGUMENTS,
    CALLS,
    NAMES,
    NUMBERS,
    OPERATORS,
    PARTS,
    Applies,
    Made,
    Place,
    Scope,
    called,
    changed,
    own,
    put,
)

_OF_BOTH = ("min", "max", "minimum", "maximum", "where")


def across(place: Place, scope: Scope) -> Made:
    """An operation moved across another: into a minimum, into a product, onto each part of a sum."""
    node = place.node
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Mult, ast.Div)):
        for call, factor in ((node.left, node.right), (node.right, node.left)):
            if isinstance(call, ast.Call) and called(call) in _OF_BOTH and len(call.args) >= 2:
                parts = [ast.BinOp(each, node.op, factor) for each in call.args[-2:]]
                yield OPERATORS, put(place, ast.Call(call.func, [*call.args[:-2], *parts], call.keywords))
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Sub)) and isinstance(node.left, ast.BinOp):
        inner = node.left
        product = inner.right
        if isinstance(inner.op, (ast.Add, ast.Sub)) and isinstance(product, ast.BinOp) and _is_product(product):
            # a + b * c - d as a + b * (c - d)
            moved = ast.BinOp(product.left, product.op, ast.BinOp(product.right, node.op, node.right))
            yield OPERATORS, put(place, ast.BinOp(inner.left, inner.op, moved))
        if _is_product(inner):  # b * c - d as b * (c - d)
            yield OPERATORS, put(place, ast.BinOp(inner.left, inner.op, ast.BinOp(inner.right, node.op, node.right)))
    if (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("abs", "square", "exp")
    ):
        total = node.func.value
        if isinstance(total, ast.BinOp) and isinstance(total.op, (ast.Add, ast.Sub)):
            name = node.func.attr
            left, right = (ast.Call(ast.Attribute(x, name, ast.Load()), [], []) for x in (total.left, total.right))
            yield OPERATORS, put(place, ast.BinOp(left, total.op, right))


def _is_product(node: ast.AST) -> bool:
    return isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult)


_SHAPED = ("unsqueeze", "squeeze", "view", "reshape", "flatten")
_SHAPES = ("reshape(-1)", "unsqueeze(1)", "unsqueeze(-1)", "squeeze(-1)")


def shapes(place: Place, scope: Scope) -> Made:
    """A shape that is missing, or one too many."""
    node = place.node
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        if node.func.attr in _SHAPED:
            yield ARGUMENTS, put(place, node.func.value)
        if node.func.attr in ("norm", "sum", "mean") and node.func.value is not None:
            flat = ast.Call(ast.Attribute(node.func.value, "flatten", ast.Load()), [ast.Constant(1)], [])
            yield ARGUMENTS, changed(node.func, value=flat)
        if node.func.attr in ("mean", "sum") and not _is_module(node.func.value):
            for axis in (0, 1, -1):
                called_ = ast.Call(ast.Attribute(node.func.value, "logsumexp", ast.Load()), [_whole(axis)], [])
                mean = ast.Call(ast.Attribute(called_, "mean", ast.Load()), [], [])
                yield CALLS, put(place, mean if not node.args and not node.keywords else called_)
    of_module = isinstance(node, ast.Call) and _is_module(getattr(node.func, "value", node))
    if of_module and called(node) in ("mean", "sum") and len(node.args) == 1:  # type: ignore[arg-type, attr-defined]
        for axis in (0, 1, -1):
            inner = ast.Attribute(node.args[0], "logsumexp", ast.Load())  # type: ignore[attr-defined]
            made = ast.Call(inner, [_whole(axis)], [])
            yield CALLS, put(place, ast.Call(ast.Attribute(made, "mean", ast.Load()), [], []))
    if isinstance(node, ast.Call) and called(node) in ("pow", "square") and isinstance(node.func, ast.Attribute):
        yield CALLS, put(place, ast.Call(ast.Attribute(node.func.value, "exp", ast.Load()), [], []))
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
        yield CALLS, put(place, ast.Call(ast.Attribute(node.left, "exp", ast.Load()), [], []))
    operand = isinstance(place.parent, ast.BinOp) and isinstance(node, (ast.Name, ast.Subscript))
    if operand and not own(node):
        for shape in _SHAPES:
            yield PARTS, put(place, _after(node, shape))


def _after(node: ast.AST, code: str) -> ast.expr:
    call = ast.parse(f"X.{code}", mode="eval").body
    assert isinstance(call, ast.Call)
    assert isinstance(call.func, ast.Attribute)
    call.func.value = node  # type: ignore[assignment]
    return call


def _whole(value: int) -> ast.expr:
    return ast.Constant(value) if value >= 0 else ast.UnaryOp(ast.USub(), ast.Constant(-value))


def _is_module(node: ast.AST) -> bool:
    return isinstance(node, (ast.Name, ast.Attribute)) and ast.unparse(node) in ("torch", "F", "nn.functional")


def factors(place: Place, scope: Scope) -> Made:
    """A factor, a divisor or a summand that is missing."""
    node, parent = place.node, place.parent
    if (
        isinstance(node, ast.BinOp)
        and isinstance(node.op, ast.Div)
        and isinstance(node.right, (ast.Name, ast.Attribute))
    ):
        yield OPERATORS, put(place, ast.BinOp(node, ast.Div(), node.right))
    in_sum = isinstance(parent, ast.BinOp) and isinstance(parent.op, (ast.Add, ast.Sub))
    assigned = isinstance(parent, (ast.Assign, ast.Return))
    if isinstance(node, (ast.Name, ast.UnaryOp, ast.Call)) and (in_sum or assigned):
        stored: list[ast.expr] = [_attribute(name) for name in scope.attributes]
        given: list[ast.expr] = [ast.Name(name, ast.Load()) for name in scope.arguments]
        for other in (*stored, *given)[:10]:
            if ast.dump(other) != ast.dump(node):
                yield PARTS, put(place, ast.BinOp(node, ast.Mult(), other))
                if assigned:
                    yield PARTS, put(place, ast.BinOp(node, ast.Div(), other))
    if isinstance(node, ast.Call) and in_sum:  # the share of the other part of a mixture
        for name in scope.names(node.lineno)[:8]:
            rest = ast.BinOp(ast.Constant(1), ast.Sub(), ast.Name(name, ast.Load()))
            yield PARTS, put(place, ast.BinOp(rest, ast.Mult(), node))
    if isinstance(node, ast.Name) and isinstance(parent, ast.Assign):
        for name in scope.names(node.lineno):
            if name != node.id:
                yield NAMES, put(place, ast.BinOp(node, ast.Add(), ast.Name(name, ast.Load())))
                yield NAMES, put(place, ast.BinOp(node, ast.Sub(), ast.Name(name, ast.Load())))
    if isinstance(node, ast.Name) and isinstance(parent, ast.Call) and place.name == "args":
        yield NUMBERS, put(place, ast.BinOp(node, ast.Sub(), ast.Constant(1)))
        yield NUMBERS, put(place, ast.BinOp(node, ast.Add(), ast.Constant(1)))


def _attribute(name: str) -> ast.expr:
    return ast.Attribute(ast.Name("self", ast.Load()), name, ast.Load())


def order(place: Place, scope: Scope) -> Made:
    """Two statements in the other order, or two similar variables exchanged in all that follows."""
    node = place.node
    siblings = getattr(place.parent, place.name)
    if place.at is not None and isinstance(node, (ast.Assign, ast.AugAssign)) and isinstance(siblings, list):
        for n in range(place.at + 1, min(place.at + 3, len(siblings))):
            if isinstance(siblings[n], (ast.Assign, ast.AugAssign)):
                moved = [*siblings[: place.at], siblings[n], *siblings[place.at : n], *siblings[n + 1 :]]
                yield NAMES, changed(place.parent, **{place.name: moved}), _listed(place)
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and isinstance(siblings, list):
        first = node.targets[0].id
        after = siblings[(place.at or 0) + 1 :]
        loads = [n for each in after for n in ast.walk(each) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)]
        for second in dict.fromkeys(n.id for n in loads if _alike(n.id, first) and n.id in scope.first):
            used = next(n for n, each in enumerate(siblings) if n > (place.at or 0) and _reads(each, first, second))
            shown = Place(siblings[used], place.parent, place.name, used, place.statement, place.above)
            yield NAMES, _exchanged(loads, first, second), _listed(shown)


def _reads(statement: ast.stmt, *names: str) -> bool:
    names_ = (n for n in ast.walk(statement) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load))
    return any(n.id in names for n in names_)


def _listed(place: Place) -> Place:
    """A statement as an element of its list, so that a finding shows what is there before and after."""
    inside = ast.copy_location(ast.FunctionDef("", place.above[0].args, [], []), place.node)  # type: ignore[attr-defined]
    return Place(place.node, place.parent, place.name, place.at, inside)


def _alike(a: str, b: str) -> bool:
    """Whether two names differ in one short word, as `grad_x` and `grad_y`."""
    parts = [re.split(r"_|(?<=[a-z])(?=\d)", each) for each in (a, b)]
    if len(parts[0]) != len(parts[1]) or len(parts[0]) < 2:
        return False
    other = [(x, y) for x, y in zip(*parts, strict=True) if x != y]
    return len(other) == 1 and max(map(len, other[0])) <= 2


def _exchanged(nodes: Sequence[ast.Name], first: str, second: str) -> Applies:
    def apply() -> Callable[[], None]:
        swap = {first: second, second: first}
        found = [(n, n.id) for n in nodes if n.id in swap]
        for n, name in found:
            n.id = swap[name]

        def undo() -> None:
            for n, name in found:
                n.id = name

        return undo

    return apply


def loops(place: Place, scope: Scope) -> Made:
    """An index of a loop that counts from the other end."""
    node = place.node
    powers = isinstance(place.parent, ast.BinOp) and isinstance(place.parent.op, ast.Pow)
    if not isinstance(node, ast.Name) or not powers or place.name != "right":
        return
    for loop in place.above:
        bound = _bound(loop, node.id) if isinstance(loop, ast.For) else None
        if bound is not None:
            last = ast.BinOp(bound, ast.Sub(), ast.Constant(1))
            yield OPERATORS, put(place, ast.BinOp(last, ast.Sub(), node))


def _bound(loop: ast.For, index: str) -> ast.expr | None:
    """How often a loop runs whose index has this name."""
    if not isinstance(loop.iter, ast.Call) or not loop.iter.args:
        return None
    if called(loop.iter) == "range" and isinstance(loop.target, ast.Name) and loop.target.id == index:
        return loop.iter.args[-1]
    first = loop.target.elts[0] if isinstance(loop.target, ast.Tuple) else None
    if called(loop.iter) == "enumerate" and isinstance(first, ast.Name) and first.id == index:
        return ast.Call(ast.Name("len", ast.Load()), [loop.iter.args[0]], [])
    return None


def alike(place: Place, scope: Scope) -> Made:
    """The same number in several places of a function or a statement, of which all are wrong."""
    node = place.node
    if not isinstance(node, ast.stmt) or isinstance(node, (ast.For, ast.If, ast.With, ast.FunctionDef)):
        return
    yield from _axes(place)
    bounds = [n for each in ast.walk(node) if isinstance(each, ast.Slice) for n in _ones(each)]
    if len(bounds) >= 2:  # x[1:] - x[:-1], with another lag
        lags: list[ast.expr] = [_attribute(name) for name in scope.attributes]
        lags += [ast.Name(name, ast.Load()) for name in scope.arguments]
        for lag in lags:
            yield NAMES, _all(bounds, lag)


_ALONG = ("norm", "sum", "mean", "softmax", "log_softmax", "normalize", "std", "var")


def _axes(place: Place) -> Made:
    """The dimension of all reductions of a function, at the first of them."""
    tree = place.above[0] if place.above else place.node
    found: dict[int, list[tuple[ast.AST, str]]] = {}
    for call in (n for n in ast.walk(tree) if isinstance(n, ast.Call) and called(n) in _ALONG):
        own_ = 1 if _is_module(getattr(call.func, "value", call)) else 0
        dims = [k.value for k in call.keywords if k.arg in ("dim", "axis")]
        for each in [*dims, *(call.args[-1:] if len(call.args) > own_ else [])]:
            if isinstance(each, ast.Constant) and type(each.value) is int:
                found.setdefault(each.value, []).append((each, "value"))
    inside = {id(n) for n in ast.walk(place.node)}
    for axis, fields in found.items():
        if len(fields) > 1 and id(fields[0][0]) in inside:
            for other in (0, 1, 2):
                if other != axis:
                    yield ARGUMENTS, _values(fields, other)


def _values(fields: Sequence[tuple[ast.AST, str]], value: int) -> Applies:
    def apply() -> Callable[[], None]:
        before = [getattr(node, name) for node, name in fields]
        for node, name in fields:
            setattr(node, name, value)

        def undo() -> None:
            for (node, name), old in zip(fields, before, strict=True):
                setattr(node, name, old)

        return undo

    return apply


def _ones(node: ast.Slice) -> list[tuple[ast.AST, str]]:
    found: list[tuple[ast.AST, str]] = []
    for name in ("lower", "upper"):
        value = getattr(node, name)
        if isinstance(value, ast.UnaryOp) and isinstance(value.operand, ast.Constant) and value.operand.value == 1:
            found.append((value, "operand"))
        elif isinstance(value, ast.Constant) and value.value == 1:
            found.append((node, name))
    return found


def _all(fields: Sequence[tuple[ast.AST, str]], made: ast.expr) -> Applies:
    def apply() -> Callable[[], None]:
        before = [getattr(node, name) for node, name in fields]
        for node, name in fields:
            setattr(node, name, ast.fix_missing_locations(ast.copy_location(made, getattr(node, name))))

        def undo() -> None:
            for (node, name), value in zip(fields, before, strict=True):
                setattr(node, name, value)

        return undo

    return apply


MISPLACED = (across, shapes, factors, order, loops, alike)
