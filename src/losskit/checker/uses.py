"""Uses: what the code of a loss does with its arguments, which shows those that are not tensors of numbers."""

from __future__ import annotations

import ast
import functools
import inspect
import re
import textwrap
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

MODEL, MODE, BOOLEAN, LIST, SCALARS, DICT, NORMAL = "model", "mode", "boolean", "list", "scalars", "dict", "normal"
TUPLE, COUNT, CONSTANT, SCORED = "tuple", "count", "constant", "scored"
_MODES = r"mode|kind|phase|which|role|side|part|(for|is|as)_\w+|\w+_is_real|train_?generator|training"
_MODELS = (
    r"model|net(work)?|\w+_(net|model|fn|network)|critic|discriminator|disc|d|f|func|fn|encoder|decoder|backbone|policy"
)
_DISTRIBUTION = ("log_prob", "stddev", "entropy", "rsample", "base_dist")
_ANY_KEYS = ("a", "b")
_BY_ITEM = ("items", "keys", "values")


@dataclass(frozen=True)
class Use:
    """What an argument is, besides a tensor of numbers."""

    sort: str  # MODEL, MODE, BOOLEAN, LIST, SCALARS, DICT, NORMAL, TUPLE, COUNT, or CONSTANT in an example
    values: tuple[Any, ...] = ()  # of a mode; the keys of a dict
    star: bool = False  # any number of arguments


def source_of(criterion: Callable[..., Any]) -> str:
    """The code of a class or function; empty if there is none."""
    if isinstance(criterion, functools.partial):
        criterion = criterion.func
    plain = inspect.isroutine(criterion) or inspect.isclass(criterion)
    owner: Any = criterion if plain else type(criterion)
    if (getattr(owner, "__module__", None) or "").split(".")[0] in ("torch", "losskit"):
        return ""
    return _source(owner) if isinstance(owner, Hashable) else ""


@functools.lru_cache(maxsize=64)
def _source(owner: Any) -> str:
    try:
        return textwrap.dedent(inspect.getsource(owner))
    except (OSError, TypeError):
        return ""


@functools.lru_cache(maxsize=64)
def tree_of(code: str) -> ast.FunctionDef | None:
    """The function that is called: `forward` of a class, or the function itself."""
    try:
        parsed = ast.parse(code)
    except SyntaxError:
        return None
    functions = [node for node in ast.walk(parsed) if isinstance(node, ast.FunctionDef)]
    named = [each for each in functions if each.name in ("forward", "__call__")]
    top = [each for each in parsed.body if isinstance(each, ast.FunctionDef)]
    return next(iter([*named, *top]), None)


def uses_of(criterion: Callable[..., Any], names: Sequence[str]) -> dict[str, Use]:
    """The arguments that are not tensors of numbers."""
    tree = tree_of(source_of(criterion))
    found = (
        {name: _use(tree, name, names) or _keyed_by_own(criterion, tree, name) for name in names}
        if tree is not None
        else {}
    )
    own = _own_keys(criterion)
    if own:
        found = {n: _named(n, own) if use == Use(DICT, _ANY_KEYS) else use for n, use in found.items()}
    return {name: use for name, use in found.items() if use is not None}


def _own_keys(criterion: Callable[..., Any]) -> tuple[str, ...]:
    """The keys of the first dict that the loss holds."""
    if not isinstance(criterion, nn.Module):
        return ()
    stored = {name: each for name, each in vars(criterion).items() if name not in vars(nn.Module())}
    held = [*dict(criterion.named_children()).values(), *stored.values()]
    dicts = [each for each in held if isinstance(each, (dict, nn.ModuleDict, nn.ParameterDict)) and len(each)]
    keys = [tuple(map(str, each)) for each in dicts]
    return next((each for each in keys if all(key.isidentifier() for key in each)), ())


def _named(name: str, keys: tuple[str, ...]) -> Use:
    return Use(SCALARS if re.search(_TERMS, name.lower()) else DICT, keys)


def is_read(tree: ast.FunctionDef, name: str) -> bool:
    """Whether the code of a function mentions an argument."""
    loads = (each for part in tree.body for each in ast.walk(part) if isinstance(each, ast.Name))
    return any(each.id in (name, "locals") for each in loads)


def _use(tree: ast.FunctionDef, name: str, names: Sequence[str]) -> Use | None:
    if not is_read(tree, name) and any(is_read(tree, each) for each in names):
        return Use(CONSTANT, (None,))
    if tree.args.vararg is not None and tree.args.vararg.arg == name:
        return Use(_items(tree, name), star=True)
    for sort in (_called, _scored, _compared, _keyed, _iterated, _distribution, _boolean, _counted):
        found = sort(tree, name)
        if found is not None:
            return found
    return None


def _scored(tree: ast.FunctionDef, name: str) -> Use | None:
    """What a network gave for another argument: the loss differentiates the one by the other."""
    arguments = {each.arg for each in tree.args.args}
    for call in _calls(tree):
        if not ast.unparse(call.func).endswith("autograd.grad"):
            continue
        given = {each.arg: each.value for each in call.keywords}
        outputs = given.get("outputs", call.args[0] if call.args else None)
        inputs = given.get("inputs", call.args[1] if len(call.args) > 1 else None)
        if outputs is None or inputs is None:
            continue
        by = {each.id for each in ast.walk(inputs) if isinstance(each, ast.Name)} & arguments - {name}
        if by and name in _sources(tree, outputs):
            looped = any(
                _is(each, name) for node in ast.walk(tree) if isinstance(node, ast.For) for each in ast.walk(node.iter)
            )
            return Use(SCORED, (next(iter(by)), looped))
    return None


def _sources(tree: ast.FunctionDef, node: ast.expr) -> set[str]:
    """The variables that an expression is computed from by assignments, its own included."""
    found = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
    for _ in range(4):
        for each in ast.walk(tree):
            if not isinstance(each, ast.Assign):
                continue
            if found & {n.id for target in each.targets for n in ast.walk(target) if isinstance(n, ast.Name)}:
                found |= {n.id for n in ast.walk(each.value) if isinstance(n, ast.Name)}
    return found


def _counted(tree: ast.FunctionDef, name: str) -> Use | None:
    """A whole number: one that bounds a slice or a range, or is annotated as such."""
    bounds = [
        part for node in ast.walk(tree) if isinstance(node, ast.Slice) for part in (node.lower, node.upper, node.step)
    ]
    bounds += [each for call in _calls(tree) if ast.unparse(call.func) == "range" for each in call.args]
    parts = [each.operand if isinstance(each, ast.UnaryOp) else each for each in bounds]
    found = any(each is not None and _is(each, name) for each in parts) or _annotation(tree, name) == "int"
    return Use(COUNT) if found else None


_TERMS = r"(^|_)(loss|cost|term)(es|s)?(_|$)|(^|_)(losses|costs)"


def _items(tree: ast.FunctionDef, name: str) -> str:
    """Whether the items of an argument are numbers, the losses of tasks, or tensors."""
    named = [name]
    for node in ast.walk(tree):
        if isinstance(node, (ast.For, ast.comprehension)) and name in {
            n.id for n in ast.walk(node.iter) if isinstance(n, ast.Name)
        }:
            named += [n.id for n in ast.walk(node.target) if isinstance(n, ast.Name)]
    return SCALARS if any(re.search(_TERMS, each.lower()) for each in named) else LIST


def _is(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _calls(tree: ast.FunctionDef) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def _annotation(tree: ast.FunctionDef, name: str) -> str:
    arguments = [*tree.args.posonlyargs, *tree.args.args, *tree.args.kwonlyargs]
    found = next((each.annotation for each in arguments if each.arg == name), None)
    return "" if found is None else ast.unparse(found)


def _called(tree: ast.FunctionDef, name: str) -> Use | None:
    called = any(_is(call.func, name) for call in _calls(tree))
    passed = re.fullmatch(_MODELS, name.lower()) is not None and any(
        isinstance(node, ast.Attribute) and _is(node.value, name) and node.attr in ("parameters", "named_parameters")
        for node in ast.walk(tree)
    )
    handed = re.fullmatch(r"model|critic|discriminator|net|network", name.lower()) is not None
    handed = handed and any(_is(each, name) for call in _calls(tree) for each in call.args)
    return Use(MODEL) if called or passed or handed or "Callable" in _annotation(tree, name) else None


def _compared(tree: ast.FunctionDef, name: str) -> Use | None:
    """The strings that an argument is compared with; a plain condition is a flag."""
    texts: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare) and any(_is(_text(each), name) for each in (node.left, *node.comparators)):
            inner = [
                n.value
                for part in (node.left, *node.comparators)
                for n in ast.walk(part)
                if isinstance(n, ast.Constant)
            ]
            texts += [each for each in inner if isinstance(each, str)]
    if texts:
        return Use(MODE, tuple(dict.fromkeys(texts)))
    tested = any(
        isinstance(node, (ast.If, ast.IfExp)) and any(_is(each, name) for each in _conditions(node.test))
        for node in ast.walk(tree)
    )
    flag = _annotation(tree, name) == "bool" or (tested and re.fullmatch(_MODES, name.lower()) is not None)
    return Use(MODE, (True, False)) if flag else None


def _text(node: ast.expr) -> ast.expr:
    """What a text comes from: `mode` of `mode.lower()`."""
    of_method = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    return node.func.value if of_method else node  # type: ignore[attr-defined]


def _conditions(test: ast.expr) -> list[ast.expr]:
    """The parts of a condition that are true or false themselves."""
    if isinstance(test, ast.BoolOp):
        return [part for value in test.values for part in _conditions(value)]
    return _conditions(test.operand) if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not) else [test]


def _keyed(tree: ast.FunctionDef, name: str) -> Use | None:
    """The keys of a dict."""
    keys = [
        node.slice.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Subscript) and _is(node.value, name) and isinstance(node.slice, ast.Constant)
    ]
    gets = [
        call.args[0].value
        for call in _calls(tree)
        if isinstance(call.func, ast.Attribute)
        and _is(call.func.value, name)
        and call.func.attr == "get"
        and call.args
        and isinstance(call.args[0], ast.Constant)
    ]
    texts = tuple(dict.fromkeys(each for each in (*keys, *gets) if isinstance(each, str)))
    if texts:
        return Use(DICT, texts)
    items = any(
        isinstance(call.func, ast.Attribute) and _is(call.func.value, name) and call.func.attr in _BY_ITEM
        for call in _calls(tree)
    )
    return Use(DICT, _ANY_KEYS) if items else None


_OVER = ("zip", "enumerate", "reversed", "list", "tuple", "stack", "cat")  # functions of something to iterate over


def _keyed_by_own(criterion: Callable[..., Any], tree: ast.FunctionDef, name: str) -> Use | None:
    """A dict whose keys are those of a dict, or the words of a list, that the loss holds: losses[task]."""
    read = {node.slice.id for node in ast.walk(tree) if _by_name(node, name)}  # type: ignore[attr-defined]
    for node in ast.walk(tree):
        if not isinstance(node, (ast.For, ast.comprehension)):
            continue
        targets = {each.id for each in ast.walk(node.target) if isinstance(each, ast.Name)}
        held = [
            each.attr for each in ast.walk(node.iter) if isinstance(each, ast.Attribute) and _is(each.value, "self")
        ]
        own = getattr(criterion, held[0], ()) if len(held) == 1 else ()
        keys = list(map(str, own)) if isinstance(own, (list, tuple, dict, nn.ModuleDict, nn.ParameterDict)) else []
        if read & targets and keys and all(each.isidentifier() for each in keys):
            return _named(name, tuple(keys))
    return None


def _counted_through(tree: ast.FunctionDef, name: str) -> bool:
    """Whether a loop counts through an argument: for i in range(len(outputs)), outputs[i]."""
    ranges = [node for node in ast.walk(tree) if isinstance(node, (ast.For, ast.comprehension))]
    counted = any(f"len({name})" in ast.unparse(node.iter) and "range(" in ast.unparse(node.iter) for node in ranges)
    return counted and any(_by_name(node, name) for node in ast.walk(tree))


def _by_name(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Subscript) and _is(node.value, name) and isinstance(node.slice, ast.Name)


def _iterated(tree: ast.FunctionDef, name: str) -> Use | None:
    """A list or tuple of tensors."""
    over = [node.iter for node in ast.walk(tree) if isinstance(node, (ast.For, ast.comprehension))]
    given = [each for call in _calls(tree) if ast.unparse(call.func).rsplit(".", 1)[-1] in _OVER for each in call.args]
    listed = any(_is(each, name) for each in (*over, *given)) or _counted_through(tree, name)
    if not listed and "list" not in _annotation(tree, name).lower():
        return None
    return Use(_items(tree, name))


def parts_of(criterion: Callable[..., Any], name: str) -> int:
    """How many tensors the tuple in an argument has, by its code; 1 for a tensor."""
    tree = tree_of(source_of(criterion))
    if tree is None:
        return 1
    unpacked = [
        len(target.elts)
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and _is(node.value, name)
        for target in node.targets
        if isinstance(target, (ast.Tuple, ast.List)) and not any(isinstance(each, ast.Starred) for each in target.elts)
    ]
    read = {
        node.slice.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Subscript) and _is(node.value, name) and isinstance(node.slice, ast.Constant)
    }
    sized = any(isinstance(node, ast.Attribute) and _is(node.value, name) for node in ast.walk(tree))
    several = re.search(r"s$|output|batch|pair|inp", name.lower()) is not None and not sized
    return max([*unpacked, len(read) if several and read == set(range(len(read))) else 1, 1])


def _distribution(tree: ast.FunctionDef, name: str) -> Use | None:
    read = any(
        isinstance(node, ast.Attribute) and _is(node.value, name) and node.attr in _DISTRIBUTION
        for node in ast.walk(tree)
    )
    compared = any(
        isinstance(call.func, (ast.Attribute, ast.Name))
        and ast.unparse(call.func).split(".")[-1] == "kl_divergence"
        and any(_is(each, name) for each in call.args)
        for call in _calls(tree)
    )
    return Use(NORMAL) if read or compared else None


def _boolean(tree: ast.FunctionDef, name: str) -> Use | None:
    """Whether an argument is used as only tensors of True and False can be."""
    for node in ast.walk(tree):
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Invert) and _is(node.operand, name):
            return Use(BOOLEAN)
        selects = isinstance(node, ast.Subscript) and _is(node.slice, name)
        stored = isinstance(node, ast.Subscript) and "self." in ast.unparse(node.value)  # by classes, as weights are
        if selects and not stored and re.search(r"mask|valid|keep", name.lower()):
            return Use(BOOLEAN)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            masks = node.func.attr in ("masked_fill", "masked_fill_", "masked_select", "where")
            if masks and node.args and _is(node.args[0], name):
                return Use(BOOLEAN)
    return None
