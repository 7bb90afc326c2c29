"""Reading the code of losses, without running it: what trial calls cannot show, with line numbers."""

from __future__ import annotations

import ast
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from losskit.checker.finding import Finding, Outcome, Report, Severity, report_of

_FUNCTIONAL = ("F", "functional", "torch.nn.functional", "nn.functional")
_TENSOR_METHODS = ("item", "tolist", "numpy", "detach")
_FLATTENING = ("view", "reshape")
_SHAPING = ("view", "reshape", "flatten", "float", "squeeze", "unsqueeze", "permute", "contiguous")
_BCE = ("binary_cross_entropy", "BCELoss")
_BCE_LOGITS = ("binary_cross_entropy_with_logits", "BCEWithLogitsLoss", "sigmoid_focal_loss")
_CE = ("cross_entropy", "CrossEntropyLoss")
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
    """A function of the file: its code, and what its names stand for."""

    node: ast.FunctionDef
    owner: ast.ClassDef | None
    modules: Mapping[str, str]  # self.bce -> BCELoss, from the constructor

    @property
    def name(self) -> str:
        return f"{self.owner.name}.{self.node.name}" if self.owner is not None else self.node.name

    def calls(self) -> Iterator[ast.Call]:
        yield from (node for node in ast.walk(self.node) if isinstance(node, ast.Call))

    def called(self, call: ast.Call) -> str:
        """The last name of what is called: cross_entropy, BCELoss; that of a module kept on self, too."""
        return self.called_by(call.func)

    def called_by(self, func: ast.expr) -> str:
        if isinstance(func, ast.Call):  # nn.BCELoss()(x, y)
            return self.called_by(func.func)
        text = ast.unparse(func)
        return self.modules.get(text, text.rsplit(".", 1)[-1])

    def is_target(self, node: ast.expr) -> bool:
        """Whether this is built from the target alone, where no gradient is wanted."""
        names = {n.id.lower() for n in ast.walk(node) if isinstance(n, ast.Name)} - {"torch", "self"}
        return bool(names) and all(any(word in name for word in _TARGETS) for name in names)

    def last(self, name: str, before: int) -> ast.expr | None:
        """What was assigned to this name last before a line."""
        found = [
            n.value
            for n in ast.walk(self.node)
            if isinstance(n, ast.Assign) and n.lineno < before and any(ast.unparse(t) == name for t in n.targets)
        ]
        return found[-1] if found else None

    def activation(self, node: ast.expr, depth: int = 4) -> str:
        """sigmoid, softmax or log_softmax, where this expression is the result of one."""
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


def read(path: Path, waive: Mapping[str, str] | None = None) -> Report:
    """What the code of a file shows, read as text: nothing of it is imported or run."""
    began = time.monotonic()
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror or error}.") from error
    except (SyntaxError, ValueError) as error:
        raise ValueError(f"{path} is no Python that can be read: {error}") from error
    functions = list(_functions(tree))
    outcomes = []
    for reading in READINGS.values():
        found = tuple(
            Finding(
                reading.id,
                reading.severity,
                f"{path.name}, line {seen.line}, in {function.name}: {seen.what}",
                _line(path, seen.line),
                "",
                reading.why,
                reading.fix,
            )
            for function in functions
            for seen in reading.look(function)
        )
        outcomes.append(Outcome(reading.id, "found" if found else "passed", "", found))
    notes = [f"Read {len(functions)} functions as text; nothing was run."]
    return report_of(path.name, None, outcomes, dict(waive or {}), time.monotonic() - began, notes)


def _line(path: Path, number: int) -> str:
    return path.read_text(encoding="utf-8").splitlines()[number - 1].strip()


def _functions(tree: ast.Module) -> Iterator[Function]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            held = _held(node)
            yield from (Function(f, node, held) for f in node.body if isinstance(f, ast.FunctionDef))
    inside = {id(f) for c in ast.walk(tree) if isinstance(c, ast.ClassDef) for f in c.body}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and id(node) not in inside:
            yield Function(node, None, {})


def _held(owner: ast.ClassDef) -> dict[str, str]:
    """Which module each name on self stands for."""
    return {
        ast.unparse(target): ast.unparse(node.value.func).rsplit(".", 1)[-1]
        for node in ast.walk(owner)
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call)
        for target in node.targets
        if ast.unparse(target).startswith("self.")
    }


def _method(node: ast.AST, *names: str) -> ast.Call | None:
    """A call of one of these methods."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in names:
        return node
    return None


def _sum_then_mean(function: Function) -> Iterator[Seen]:
    for call in function.calls():
        outer = _method(call, "mean")
        inner = _method(outer.func.value, "sum") if outer is not None else None  # type: ignore[attr-defined]
        if inner is not None and not inner.args and not inner.keywords:
            yield Seen(call.lineno, ".sum().mean(): the mean of one number is that number, so this is a sum")


def _data(function: Function) -> Iterator[Seen]:
    for node in ast.walk(function.node):
        if isinstance(node, ast.Attribute) and node.attr == "data" and isinstance(node.ctx, ast.Load):
            value = ast.unparse(node.value)
            if value not in ("torch", "torch.utils", "self") and not function.is_target(node.value):
                yield Seen(node.lineno, f"{value}.data cuts the graph without autograd noticing")


def _cut(function: Function) -> Iterator[Seen]:
    """Numbers that leave the graph on their way to what is returned."""
    returned = _reaching_return(function)
    for call in function.calls():
        method = _method(call, *_TENSOR_METHODS)
        if method is None or call.args or function.is_target(method.func.value):  # type: ignore[attr-defined]
            continue
        if id(call) in returned:
            yield Seen(call.lineno, f".{method.func.attr}() on the way to the result: no gradient flows past it")  # type: ignore[attr-defined]


def _reaching_return(function: Function) -> set[int]:
    """The nodes of everything that the returned values are computed from, through plain assignments."""
    found: set[int] = set()
    waiting = [n.value for n in ast.walk(function.node) if isinstance(n, ast.Return) and n.value is not None]
    if not _is_loss(function):
        return found
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


def _is_loss(function: Function) -> bool:
    """Whether a function looks like the computation of a loss rather than its setting up."""
    return not function.node.name.startswith("__") and len(_parameters(function)) >= 2


def _parameters(function: Function) -> list[ast.arg]:
    arguments = function.node.args
    own = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return [each for each in own if each.arg not in ("self", "cls")]


def _old_names(function: Function) -> Iterator[Seen]:
    for call in function.calls():
        text = ast.unparse(call.func)
        for name in ("sigmoid", "tanh"):
            if any(text == f"{owner}.{name}" for owner in _FUNCTIONAL):
                yield Seen(call.lineno, f"{text} is deprecated")
        if any(k.arg in ("size_average", "reduce") for k in call.keywords):
            yield Seen(call.lineno, "size_average and reduce are deprecated")


def _unused(function: Function) -> Iterator[Seen]:
    body = [
        node
        for node in function.node.body
        if not isinstance(node, ast.Expr) or not isinstance(node.value, ast.Constant)
    ]
    if all(isinstance(node, (ast.Pass, ast.Raise)) for node in body):
        return
    used = {n.id for node in body for n in ast.walk(node) if isinstance(n, ast.Name)}
    everything = {ast.unparse(n) for node in body for n in ast.walk(node) if isinstance(n, ast.Call)}
    if any(text.startswith("locals(") for text in everything):
        return
    for each in _parameters(function):
        if each.arg not in used and not each.arg.startswith("_"):
            yield Seen(each.lineno, f"the parameter {each.arg} is never used")


def _flattened(function: Function) -> Iterator[Seen]:
    for call in function.calls():
        method = _method(call, *_FLATTENING, "flatten")
        if method is None or not _is_loss(function):
            continue
        everything = method.func.attr == "flatten" and not call.args and not call.keywords  # type: ignore[attr-defined]
        if everything or [ast.unparse(a) for a in call.args] == ["-1"]:
            yield Seen(call.lineno, f"{ast.unparse(call)} merges samples and classes into one row")


def _sigmoid_then_bce(function: Function) -> Iterator[Seen]:
    for call in function.calls():
        if function.called(call) in _BCE and call.args and function.activation(call.args[0]) == "sigmoid":
            yield Seen(call.lineno, "binary cross-entropy of a sigmoid")


def _twice(function: Function) -> Iterator[Seen]:
    for call in function.calls():
        name = function.called(call)
        first = function.activation(call.args[0]) if call.args else ""
        if name in _CE and first in ("softmax", "sigmoid"):
            yield Seen(call.lineno, f"cross-entropy applies log_softmax itself, and gets a {first}")
        if name in _BCE_LOGITS and first in ("sigmoid", "softmax"):
            yield Seen(call.lineno, f"{name} applies a sigmoid itself, and gets a {first}")


_CUT = "The result does not depend on the model any more, in part or altogether: what was cut is never learnt."
READINGS: dict[str, Reading] = {
    reading.id: reading
    for reading in (
        Reading(
            "source-activation-twice",
            Severity.WRONG,
            "The scores are squeezed into [0, 1] before they are squeezed again: the loss stays far above 0.",
            "Pass the logits.",
            _twice,
        ),
        Reading("source-data", Severity.WRONG, _CUT, "Take .data away; for a constant on purpose, .detach().", _data),
        Reading(
            "source-cut",
            Severity.TRAP,
            _CUT,
            "Compute with tensors to the end; .item() is for printing. A constant on purpose is all right: waive it.",
            _cut,
        ),
        Reading(
            "source-flattened",
            Severity.PROPERTY,
            "Overlap losses then pool the whole batch and every class: large objects hide small ones and the loss of a "
            "batch is not the mean of its samples.",
            "Keep samples and classes: flatten(2), sum over the last dimension, then mean.",
            _flattened,
        ),
        Reading(
            "source-sigmoid-then-bce",
            Severity.TRAP,
            "A sigmoid of 17 is 1 in float32, so a sure wrong answer loses its gradient; autocast refuses it.",
            "Use binary_cross_entropy_with_logits on the logits.",
            _sigmoid_then_bce,
        ),
        Reading(
            "source-sum-then-mean",
            Severity.PROPERTY,
            "The loss grows with the batch size or the image, and the learning rate with it.",
            "Use .mean(), or .sum() where a sum is meant.",
            _sum_then_mean,
        ),
        Reading(
            "source-unused",
            Severity.TRAP,
            "Who passes it believes that it does something.",
            "Use it, or take it out of the signature.",
            _unused,
        ),
        Reading(
            "source-deprecated",
            Severity.CONVENIENCE,
            "It warns now and stops working with a later PyTorch.",
            "torch.sigmoid and torch.tanh; reduction='mean', 'sum' or 'none'.",
            _old_names,
        ),
    )
}
