"""The functions of a file of losses, read as text: what is called with what, and what reaches the result."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from losskit.checker.finding import Severity

_SHAPING = ("view", "reshape", "flatten", "float", "squeeze", "unsqueeze", "permute", "contiguous")
_TARGETS = ("target", "label", "true", "truth", "mask", "gt")


@dataclass(frozen=True)
class Seen:
    """Something in the code."""

    line: int
    what: str


@dataclass(frozen=True)
class Reading:
    """One thing to look for in the functions of a file."""

    id: str
    severity: Severity
    why: str
    fix: str
    look: Callable[[Function], Iterator[Seen]]


@dataclass(frozen=True)
class Function:
    """A function of the file: its code, and what its names refer to."""

    node: ast.FunctionDef
    owner: ast.ClassDef | None
    modules: Mapping[str, str]  # self.bce -> BCELoss, from the constructor

    @property
    def name(self) -> str:
        return f"{self.owner.name}.{self.node.name}" if self.owner is not None else self.node.name

    def calls(self) -> Iterator[ast.Call]:
        yield from (node for node in ast.walk(self.node) if isinstance(node, ast.Call))

    def called(self, call: ast.Call) -> str:
        """The last name of a called function: cross_entropy, BCELoss; also for a module kept on self."""
        return self.called_by(call.func)

    def called_by(self, func: ast.expr) -> str:
        if isinstance(func, ast.Call):  # nn.BCELoss()(x, y)
            return self.called_by(func.func)
        text = ast.unparse(func)
        return self.modules.get(text, text.rsplit(".", 1)[-1])

    def is_target(self, node: ast.expr) -> bool:
        """Whether an expression is built from the target alone, which needs no gradient."""
        names = {n.id.lower() for n in ast.walk(node) if isinstance(n, ast.Name)} - {"torch", "self"}
        return bool(names) and all(any(word in name for word in _TARGETS) for name in names)

    def last(self, name: str, before: int) -> ast.expr | None:
        """The last value assigned to this name before a line."""
        found = [
            n.value
            for n in ast.walk(self.node)
            if isinstance(n, ast.Assign) and n.lineno < before and any(ast.unparse(t) == name for t in n.targets)
        ]
        return found[-1] if found else None

    def activation(self, node: ast.expr, depth: int = 4) -> str:
        """sigmoid, softmax or log_softmax, if this expression is the result of one."""
        if depth == 0:
            return ""
        if isinstance(node, ast.Name):
            assigned = self.last(node.id, node.lineno)
            return self.activation(assigned, depth - 1) if assigned is not None else ""
        if isinstance(node, ast.Call):
            name = self.called(node).lower()
            if name in ("sigmoid", "softmax", "log_softmax", "logsoftmax", "logsigmoid"):
                return name.replace("logsoftmax", "log_softmax")
            if isinstance(node.func, ast.Attribute) and name in _SHAPING:
                return self.activation(node.func.value, depth - 1)
        return ""


def functions_of(tree: ast.Module) -> Iterator[Function]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            held = _modules_on_self(node)
            yield from (Function(f, node, held) for f in node.body if isinstance(f, ast.FunctionDef))
    inside = {id(f) for c in ast.walk(tree) if isinstance(c, ast.ClassDef) for f in c.body}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and id(node) not in inside:
            yield Function(node, None, {})


def _modules_on_self(owner: ast.ClassDef) -> dict[str, str]:
    """The module that each name on self refers to."""
    return {
        ast.unparse(target): ast.unparse(node.value.func).rsplit(".", 1)[-1]
        for node in ast.walk(owner)
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call)
        for target in node.targets
        if ast.unparse(target).startswith("self.")
    }


def method_call(node: ast.AST, *names: str) -> ast.Call | None:
    """A call of one of these methods."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in names:
        return node
    return None


def reaching_return(function: Function) -> set[int]:
    """The nodes from which the returned loss is computed, through plain assignments."""
    found: set[int] = set()
    if not is_loss(function):
        return found
    waiting = [part for n in ast.walk(function.node) if isinstance(n, ast.Return) for part in _loss_in(n.value)]
    assigned: dict[str, list[ast.expr]] = {}
    for node in ast.walk(function.node):
        if isinstance(node, (ast.Assign, ast.AugAssign)):
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                assigned.setdefault(ast.unparse(target), []).append(node.value)
    while waiting:
        for node in ast.walk(waiting.pop()):
            if id(node) in found:
                continue
            found.add(id(node))
            if isinstance(node, ast.Name):
                waiting += assigned.pop(node.id, [])
    return found


def _loss_in(returned: ast.expr | None) -> list[ast.expr]:
    """The loss in a returned value: the first element of a tuple, and the entry of a dict called loss."""
    if isinstance(returned, ast.Tuple) and returned.elts:
        return returned.elts[:1]
    if isinstance(returned, ast.Dict):
        named = [
            v for k, v in zip(returned.keys, returned.values, strict=True) if k is not None and "loss" in ast.unparse(k)
        ]
        return named or returned.values[:1]
    return [] if returned is None else [returned]


def is_loss(function: Function) -> bool:
    """Whether a function looks like the computation of a loss rather than its setup."""
    return not function.node.name.startswith("__") and len(parameters(function)) >= 2


def parameters(function: Function) -> list[ast.arg]:
    arguments = function.node.args
    own = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return [each for each in own if each.arg not in ("self", "cls")]
