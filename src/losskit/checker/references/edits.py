"""Edits: what one mistake may have changed in a function, the likely ones first."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from losskit.checker.references.code import Function

OPERATORS, NAMES, ARGUMENTS, CALLS, NUMBERS, PARTS = range(6)  # kinds, in the order of the search


@dataclass(frozen=True)
class Place:
    """A node in a tree, and where it stands."""

    node: ast.AST
    parent: ast.AST
    name: str
    at: int | None
    statement: ast.stmt
    above: tuple[ast.AST, ...] = field(default=(), repr=False)

    def put(self, made: Any) -> None:
        if self.at is None:
            setattr(self.parent, self.name, made)
        else:
            getattr(self.parent, self.name)[self.at] = made


@dataclass(frozen=True)
class Edit:
    """One change; `apply` makes it and returns what undoes it."""

    kind: int
    place: Place
    apply: Callable[[], Callable[[], None]] = field(repr=False)


_ALLOCATES = (
    *("range", "zeros", "ones", "empty", "full", "eye", "arange", "linspace", "rand", "randn", "randperm", "repeat"),
    *("expand", "one_hot", "tensor", "device", "size", "isinstance", "len", "float", "int", "print", "new_zeros"),
    *(
        "new_ones",
        "new_full",
        "repeat_interleave",
        "tile",
        "triu_indices",
        "Linear",
        "Conv2d",
        "register_buffer",
        "zip",
    ),
)
_KEPT = ("dtype", "device", "requires_grad", "create_graph", "retain_graph", "num_classes", "memory_format")


def edits_of(function: Function) -> list[Edit]:
    """Every edit of a function, the likely kinds first."""
    places = [place for place in _places(function.tree) if isinstance(place.node, (ast.expr, ast.stmt, ast.keyword))]
    scope = _Scope(function.tree, function.settings)
    found: list[Edit] = []
    for place in places:
        for make in _MAKERS:
            found += [Edit(kind, place, apply) for kind, apply in make(place, scope)]
    return sorted(found, key=lambda edit: edit.kind)


def _places(tree: ast.FunctionDef) -> Iterator[Place]:
    def below(node: ast.AST, statement: ast.stmt, above: tuple[ast.AST, ...]) -> Iterator[Place]:
        for name, value in ast.iter_fields(node):
            if not _editable(node, name):
                continue
            for at, each in enumerate(value) if isinstance(value, list) else [(None, value)]:
                if not isinstance(each, ast.AST):
                    continue
                own = each if isinstance(each, ast.stmt) else statement
                yield Place(each, node, name, at, own, above)
                yield from below(each, own, (*above, each))

    for at, statement in enumerate(tree.body):
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
            continue
        yield Place(statement, tree, "body", at, statement, (tree,))
        yield from below(statement, statement, (tree, statement))


def _editable(node: ast.AST, name: str) -> bool:
    if isinstance(node, (ast.Raise, ast.Assert, ast.While, ast.JoinedStr, ast.Global, ast.Nonlocal, ast.With)):
        return isinstance(node, ast.With) and name == "body"
    if isinstance(node, (ast.For, ast.comprehension)) and name in ("iter", "target"):
        return False
    if isinstance(node, (ast.If, ast.IfExp)) and name == "test":
        return False  # what an option or a shape decides
    if isinstance(node, ast.Call) and called(node) in _ALLOCATES:
        return False
    if isinstance(node, ast.keyword) and node.arg in _KEPT:
        return False
    if isinstance(node, (ast.Assign, ast.AugAssign, ast.AnnAssign)) and name in ("targets", "target", "annotation"):
        return False
    return name not in ("args", "returns", "decorator_list") or not isinstance(node, ast.FunctionDef)


def called(node: ast.Call) -> str:
    """The last name of what a call calls."""
    if isinstance(node.func, ast.Attribute):
        return node.func.attr
    return node.func.id if isinstance(node.func, ast.Name) else ""


_CONTAINERS = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.GeneratorExp)


def read_by(tree: ast.AST) -> set[str]:
    """The names, and the attributes of its object, that a function reads."""
    return {
        node.id if isinstance(node, ast.Name) else f"self.{node.attr}"
        for node in ast.walk(tree)
        if (isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)) or _own(node)
    }


class _Scope:
    """Names that a statement may use."""

    def __init__(self, tree: ast.FunctionDef, settings: Sequence[str] = ()) -> None:
        arguments = [*tree.args.posonlyargs, *tree.args.args, *tree.args.kwonlyargs]
        self.arguments = [each.arg for each in arguments if each.arg != "self"]
        self.first: dict[str, int] = dict.fromkeys(self.arguments, 0)
        self.attributes: list[str] = []
        used: set[str] = set()
        methods = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                self.first.setdefault(node.id, node.lineno)
            elif isinstance(node, ast.Name):
                used.add(node.id)
            elif _own(node) and id(node) not in methods:
                self.attributes.append(node.attr)  # type: ignore[attr-defined]
        for node in ast.walk(tree):  # a list put into itself crashes PyTorch
            if isinstance(node, ast.Assign) and isinstance(node.value, _CONTAINERS):
                for target in node.targets:
                    self.first.pop(getattr(target, "id", ""), None)
        self.attributes = list(dict.fromkeys(self.attributes))
        self.unused = [name for name in self.arguments if name not in used]
        self.settings = [name for name in settings if name not in self.attributes]  # that the function does not read
        self.attributes += self.settings

    def names(self, line: int) -> list[str]:
        known = [name for name, first in self.first.items() if first < line and name not in self.unused]
        return [*self.unused, *known]


def _own(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self"


Applies = Callable[[], Callable[[], None]]
Made = Iterator[tuple[int, Applies]]


def _put(place: Place, made: ast.AST) -> Applies:
    """Puts another node in a place."""

    def apply() -> Callable[[], None]:
        located = ast.fix_missing_locations(ast.copy_location(made, place.node))
        place.put(located)
        return lambda: place.put(place.node)

    return apply


def _set(node: ast.AST, **changes: Any) -> Applies:
    """Changes the fields of a node."""

    def apply() -> Callable[[], None]:
        before = {name: getattr(node, name) for name in changes}
        for name, value in changes.items():
            setattr(node, name, value)
            for each in value if isinstance(value, list) else [value]:
                if isinstance(each, (ast.expr, ast.keyword)):
                    ast.fix_missing_locations(ast.copy_location(each, node) if not hasattr(each, "lineno") else each)

        def undo() -> None:
            for name, value in before.items():
                setattr(node, name, value)

        return undo

    return apply


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


def _operators(place: Place, scope: _Scope) -> Made:
    node = place.node
    if isinstance(node, (ast.BinOp, ast.AugAssign)):
        for other in _OTHER.get(type(node.op), ()):
            yield OPERATORS, _set(node, op=other())
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Sub, ast.Div, ast.Pow)):
        yield OPERATORS, _set(node, left=node.right, right=node.left)
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        for other in _OTHER.get(type(node.ops[0]), ()):
            yield OPERATORS, _set(node, ops=[other()])
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.Invert, ast.Not)):
        yield OPERATORS, _put(place, node.operand)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub) and _number(node.left) == 1:
        yield OPERATORS, _put(place, node.right)
        yield OPERATORS, _put(place, ast.UnaryOp(ast.USub(), node.right))
    if _value(place) and not isinstance(node, ast.Constant):
        yield OPERATORS, _put(place, ast.UnaryOp(ast.USub(), node))  # type: ignore[arg-type]
        if isinstance(node, (ast.Name, ast.Attribute, ast.Call)):
            yield OPERATORS, _put(place, ast.BinOp(ast.Constant(1.0), ast.Sub(), node))


def _value(place: Place) -> bool:
    """Whether a node is a value in arithmetic: an operand, an argument, or what is assigned or returned."""
    node, parent = place.node, place.parent
    if not isinstance(node, ast.expr) or isinstance(node, (ast.Tuple, ast.List, ast.Slice, ast.Starred, ast.Lambda)):
        return False
    if isinstance(parent, ast.Call):
        return place.name == "args" or (place.name == "func" and False)
    if isinstance(parent, ast.Attribute):
        return isinstance(place.above[-1], ast.Attribute) and not _own(parent) and _in_call(place)
    return isinstance(parent, (ast.BinOp, ast.UnaryOp, ast.Compare, ast.Assign, ast.AugAssign, ast.Return, ast.IfExp))


def _in_call(place: Place) -> bool:
    return len(place.above) > 1 and isinstance(place.above[-2], ast.Call) and place.above[-2].func is place.parent


def _number(node: ast.AST | None) -> float | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)) and not isinstance(node.value, bool):
        return float(node.value)
    return None


def _names(place: Place, scope: _Scope) -> Made:
    node = place.node
    calls = isinstance(place.parent, ast.Call) and place.name == "func"
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and not calls and node.id in scope.first:
        for other in scope.names(node.lineno):
            if other != node.id:
                yield NAMES - (0.5 if other in scope.unused else 0), _set(node, id=other)  # type: ignore[misc]
    if _own(node) and not calls and node.attr in scope.attributes:  # type: ignore[attr-defined]
        for other in scope.attributes:
            if other != node.attr:  # type: ignore[attr-defined]
                yield NAMES, _set(node, attr=other)
    if _number(node) is not None and not isinstance(place.parent, (ast.Subscript, ast.Slice, ast.keyword, ast.UnaryOp)):
        yield from ((NAMES, _put(place, ast.Name(name, ast.Load()))) for name in scope.unused)
        yield from ((NAMES, _put(place, _setting(name))) for name in scope.settings)
    if isinstance(node, ast.stmt) and not isinstance(node, (ast.For, ast.If, ast.With, ast.FunctionDef)):
        yield from _exchanges(node, scope)


def _setting(name: str) -> ast.expr:
    return ast.Attribute(ast.Name("self", ast.Load()), name, ast.Load())


def _exchanges(statement: ast.stmt, scope: _Scope) -> Made:
    """Two names exchanged in a statement."""
    names = [n for n in ast.walk(statement) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)]
    loads = [n for n in names if n.id in scope.first]
    own = [n for n in ast.walk(statement) if _own(n)]
    for nodes, key in ((loads, "id"), (own, "attr")):
        named = list(dict.fromkeys(getattr(n, key) for n in nodes))
        for i, first in enumerate(named):
            for second in named[i + 1 :]:
                yield NAMES, _exchanged(nodes, key, first, second)
    if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Tuple):
        yield NAMES, _set(statement.targets[0], elts=statement.targets[0].elts[::-1])


def _exchanged(nodes: Sequence[ast.AST], key: str, first: str, second: str) -> Applies:
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


def _arguments(place: Place, scope: _Scope) -> Made:
    node = place.node
    if isinstance(node, ast.Call):
        yield from _of_call(node)
    if isinstance(node, ast.keyword) and node.arg in ("dim", "axis"):
        for other in (0, 1, -1, 2):
            if ast.unparse(node.value) != str(other):
                yield ARGUMENTS, _set(node, value=_constant(other))
    if isinstance(node, ast.keyword) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, bool):
        yield ARGUMENTS, _set(node, value=ast.Constant(not node.value.value))
    if isinstance(node, ast.keyword) and node.arg == "reduction":
        yield from ((ARGUMENTS, _set(node, value=ast.Constant(r))) for r in ("mean", "sum", "batchmean", "none"))
    if isinstance(node, ast.Slice):
        yield from _of_slice(node)
    if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
        if isinstance(node.slice, ast.Name):
            yield ARGUMENTS, _set(node, slice=ast.Call(ast.Attribute(node.slice, "bool", ast.Load()), [], []))
        if isinstance(node.slice, (ast.Name, ast.Compare)):
            yield ARGUMENTS, _set(node, slice=ast.UnaryOp(ast.Invert(), node.slice))
        if isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, int):
            yield from ((ARGUMENTS, _set(node, slice=_constant(node.slice.value + d))) for d in (1, -1))


def _constant(value: Any) -> ast.expr:
    if isinstance(value, (int, float)) and value < 0:
        return ast.UnaryOp(ast.USub(), ast.Constant(-value))
    return ast.Constant(value)


def _of_call(node: ast.Call) -> Made:
    if len(node.args) >= 2 and not any(isinstance(each, ast.Starred) for each in node.args):
        for i in range(len(node.args) - 1):
            swapped = [*node.args]
            swapped[i], swapped[i + 1] = swapped[i + 1], swapped[i]
            yield ARGUMENTS, _set(node, args=swapped)
    if called(node) == "where" and len(node.args) == 3:
        yield ARGUMENTS, _set(node, args=[node.args[0], node.args[2], node.args[1]])
    if called(node) in _ELEMENTWISE and not any(k.arg == "reduction" for k in node.keywords):
        yield ARGUMENTS, _set(node, keywords=[*node.keywords, ast.keyword("reduction", ast.Constant("none"))])
    reduces = called(node) in _REDUCES
    of_tensor = isinstance(node.func, ast.Attribute) and _is_module(node.func.value)
    at = 1 if of_tensor else 0
    if reduces and not any(k.arg in ("dim", "axis") for k in node.keywords):
        if len(node.args) > at:
            for other in (0, 1, -1, 2):
                if ast.unparse(node.args[at]) != str(other):
                    yield ARGUMENTS, _set(node, args=[*node.args[:at], _constant(other), *node.args[at + 1 :]])
            yield ARGUMENTS, _set(node, args=node.args[:at])
        elif len(node.args) == at:
            for other in (0, 1, -1):
                yield ARGUMENTS, _set(node, keywords=[ast.keyword("dim", _constant(other)), *node.keywords])
    elif reduces:
        yield ARGUMENTS, _set(node, keywords=[k for k in node.keywords if k.arg not in ("dim", "axis", "keepdim")])
    for keyword in node.keywords:
        if keyword.arg in ("min", "max") and called(node).startswith("clamp"):
            other = "max" if keyword.arg == "min" else "min"
            if not any(k.arg == other for k in node.keywords):
                yield ARGUMENTS, _set(keyword, arg=other)
        elif keyword.arg not in ("dim", "axis", "keepdim", "mode", "padding_mode", "padding", *_KEPT):
            yield ARGUMENTS, _set(node, keywords=[k for k in node.keywords if k is not keyword])


_ELEMENTWISE = (
    *("cross_entropy", "binary_cross_entropy", "binary_cross_entropy_with_logits", "nll_loss", "mse_loss", "l1_loss"),
    *("smooth_l1_loss", "huber_loss", "kl_div"),
)


def _of_slice(node: ast.Slice) -> Made:
    lower, upper = _bound(node.lower), _bound(node.upper)
    if lower == 1 and node.upper is None:
        yield ARGUMENTS, _set(node, lower=None, upper=_constant(-1))
        yield ARGUMENTS, _set(node, lower=None)
    if node.lower is None and upper == -1:
        yield ARGUMENTS, _set(node, lower=ast.Constant(1), upper=None)
        yield ARGUMENTS, _set(node, upper=None)
    for name, value in (("lower", lower), ("upper", upper)):
        if value is not None:
            yield from ((ARGUMENTS, _set(node, **{name: _constant(value + d)})) for d in (1, -1))
    if node.lower is None and node.upper is None and node.step is None:
        yield ARGUMENTS, _set(node, lower=ast.Constant(1))
        yield ARGUMENTS, _set(node, upper=_constant(-1))


def _bound(node: ast.expr | None) -> int | None:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant):
        return -node.operand.value if isinstance(node.operand.value, int) else None  # type: ignore[no-any-return]
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, int) else None


_REDUCES = (
    *("sum", "mean", "prod", "norm", "std", "var", "max", "min", "amax", "amin", "softmax", "log_softmax", "normalize"),
    *("cumsum", "logsumexp", "logcumsumexp", "argsort", "sort", "argmax", "argmin", "flip", "cosine_similarity"),
)
_MODULES = ("torch", "F", "nn", "math", "np", "functional", "nn.functional", "torch.nn.functional")


def _is_module(node: ast.AST) -> bool:
    return ast.unparse(node) in _MODULES


_RENAMED: dict[str, tuple[str, ...]] = {
    "min": ("max",), "max": ("min",), "minimum": ("maximum",), "maximum": ("minimum",), "amin": ("amax",),
    "amax": ("amin",), "mean": ("sum",), "sum": ("mean",), "clamp_min": ("clamp_max",), "clamp_max": ("clamp_min",),
    "softmax": ("log_softmax",), "log_softmax": ("softmax",), "sigmoid": ("logsigmoid", "tanh"),
    "logsigmoid": ("sigmoid",), "exp": ("expm1", "square"), "log": ("log1p", "log2"), "log1p": ("log",),
    "sqrt": ("square", "rsqrt"), "abs": ("square",), "square": ("abs",), "cumsum": ("logcumsumexp",), "relu": ("softplus",),
    "softplus": ("relu", "sigmoid"), "l1_loss": ("mse_loss",), "mse_loss": ("l1_loss",), "sin": ("cos",),
    "cos": ("sin",), "prod": ("sum",), "std": ("var",), "var": ("std",), "triu": ("tril",), "tril": ("triu",),
    "mm": (), "log_sigmoid": ("sigmoid",), "logical_and": ("logical_or",), "logical_or": ("logical_and",),
    "any": ("all",), "all": ("any",), "gt": ("lt",), "lt": ("gt",), "eq": ("ne",), "ne": ("eq",),
    "ge": ("gt", "le"), "le": ("lt", "ge"), "fliplr": ("flipud",), "argmax": ("argmin",), "argmin": ("argmax",),
}  # fmt: skip
_DROPPED = (
    *("exp", "sqrt", "abs", "log", "detach", "pow", "square", "sigmoid", "softmax", "log_softmax", "relu", "normalize"),
    *("clamp", "log1p", "expm1", "t", "softplus", "neg", "flip", "tanh", "cumsum", "mean", "sum", "clamp_min", "round"),
    *("reciprocal", "float", "item", "logsigmoid", "data"),
)
_INSERTED = ("exp", "sqrt", "log", "detach", "abs", "square", "sigmoid", "reciprocal", "relu")


def _calls(place: Place, scope: _Scope) -> Made:
    node = place.node
    if isinstance(node, ast.Call) and isinstance(node.func, (ast.Attribute, ast.Name)):
        name = called(node)
        key = "attr" if isinstance(node.func, ast.Attribute) else "id"
        for other in _RENAMED.get(name, ()):
            yield CALLS, _set(node.func, **{key: other})
        if name in _DROPPED:
            inner = (
                node.func.value if isinstance(node.func, ast.Attribute) and not _is_module(node.func.value) else None
            )
            inner = inner or (node.args[0] if node.args else None)
            if inner is not None:
                yield CALLS, _put(place, inner)
    if isinstance(node, ast.With) and "no_grad" in ast.unparse(node.items[0].context_expr):
        yield CALLS, _set(node, items=[ast.withitem(ast.parse("torch.enable_grad()", mode="eval").body)])
    if isinstance(node, ast.Attribute) and node.attr in ("T", "data", "mT"):
        yield CALLS, _put(place, node.value)
    if _value(place) and isinstance(node, (ast.Name, ast.Call, ast.BinOp, ast.Subscript)):
        for name in _INSERTED:
            yield CALLS, _put(place, ast.Call(ast.Attribute(node, name, ast.Load()), [], []))


def _numbers(place: Place, scope: _Scope) -> Made:
    node = place.node
    value = _number(node)
    dims = isinstance(place.parent, (ast.Subscript, ast.Slice, ast.keyword, ast.Tuple))
    argument = isinstance(place.parent, ast.Call) and called(place.parent) in _REDUCES
    if value is not None and not dims and not argument and not (isinstance(place.statement, ast.If) and value > 2):
        for other in dict.fromkeys((0.0, 1.0, 2.0, 0.5, -value, 1 / value if value else 1.0, value + 1, value - 1)):
            if other != value:
                yield NUMBERS, _put(place, _constant(int(other) if other.is_integer() else other))
    if _value(place) and isinstance(node, (ast.Name, ast.BinOp, ast.Call, ast.Attribute)):
        for factor in (2, 0.5):
            yield NUMBERS, _put(place, ast.BinOp(ast.Constant(factor), ast.Mult(), node))


def _parts(place: Place, scope: _Scope) -> Made:
    node = place.node
    if isinstance(node, ast.BinOp):
        yield PARTS, _put(place, node.left)
        if not isinstance(node.op, (ast.Div, ast.Pow, ast.Sub)):
            yield PARTS, _put(place, node.right)
        elif isinstance(node.op, ast.Sub):
            yield PARTS, _put(place, ast.UnaryOp(ast.USub(), node.right))
    if isinstance(node, (ast.AugAssign, ast.Assign)) and len(getattr(place.parent, place.name)) > 1:
        yield PARTS, _put(place, ast.Pass())
    if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
        yield PARTS, _put(place, node.value)
    if isinstance(node, (ast.Name, ast.Attribute)) and isinstance(place.parent, ast.BinOp):
        for name in scope.arguments:  # a weight of positives, whose complement weighs the negatives
            yield PARTS, _put(place, _with(f"(X * {name} + (1 - X) * (1 - {name}))", node))
    if _value(place) and isinstance(node, (ast.Name, ast.BinOp, ast.Call)):
        for made in _WITHOUT_DIAGONAL:
            yield PARTS, _put(place, _with(made, node))
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        for x, mask in ((node.left, node.right), (node.right, node.left)):
            if isinstance(mask, (ast.Name, ast.Call)):
                for limit in ("inf", "-inf"):
                    code = f'X.masked_fill(({ast.unparse(mask)}) == 0, float("{limit}"))'
                    yield PARTS, _put(place, _with(code, x))
        for factor in (node.left, node.right):
            if isinstance(factor, (ast.Name, ast.Attribute)):  # a factor in one term only: squared, or its complement
                yield PARTS, _put(place, ast.BinOp(node, ast.Mult(), factor))


_WITHOUT_DIAGONAL = (
    'X.masked_fill(torch.eye(len(X), dtype=torch.bool), float("-inf"))',
    "X * (1 - torch.eye(len(X)).to(X))",
    "X & ~torch.eye(len(X), dtype=torch.bool)",
)


def _with(code: str, node: ast.expr) -> ast.expr:
    """An expression of X, with a node in its place."""

    class Put(ast.NodeTransformer):
        def visit_Name(self, name: ast.Name) -> ast.expr:  # noqa: N802 - the name of ast
            return node if name.id == "X" else name

    return Put().visit(ast.parse(code, mode="eval").body)  # type: ignore[no-any-return]


_MAKERS = (_operators, _names, _arguments, _calls, _numbers, _parts)
