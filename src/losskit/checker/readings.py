"""What to look for in the code of a loss: what trial calls cannot show, with line numbers."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from losskit.checker.finding import Severity
from losskit.checker.functions import Function, Reading, Seen, is_loss, method_call, parameters, reaching_return

_FUNCTIONAL = ("F", "functional", "torch.nn.functional", "nn.functional")
_TENSOR_METHODS = ("item", "tolist", "numpy", "detach")
_FLATTENING = ("view", "reshape")
_BCE = ("binary_cross_entropy", "BCELoss")
_BCE_LOGITS = ("binary_cross_entropy_with_logits", "BCEWithLogitsLoss", "sigmoid_focal_loss")
_CE = ("cross_entropy", "CrossEntropyLoss")
_LOGS = ("nll_loss", "NLLLoss", "kl_div", "KLDivLoss")
_STEPS = ("argmax", "round", "floor", "ceil", "sign")
_MEANS = ("mse_loss", "MSELoss", "mean", "sum")
_MAXIMA = ("max", "amax", "logsumexp")


def _sum_then_mean(function: Function) -> Iterator[Seen]:
    for call in function.calls():
        outer = method_call(call, "mean")
        inner = method_call(outer.func.value, "sum") if outer is not None else None  # type: ignore[attr-defined]
        if inner is not None and not inner.args and not inner.keywords:
            yield Seen(call.lineno, ".sum().mean(): the mean of one number is that number, so this is a sum")


def _data(function: Function) -> Iterator[Seen]:
    spared = _compared(function)
    for node in ast.walk(function.node):
        if isinstance(node, ast.Attribute) and node.attr == "data" and isinstance(node.ctx, ast.Load):
            value = ast.unparse(node.value)
            known = value in ("torch", "torch.utils", "self") or function.is_target(node.value)
            if not known and id(node) not in spared:
                yield Seen(node.lineno, f"{value}.data cuts the graph without an error from autograd")


def _compared(function: Function) -> set[int]:
    """Names that are only compared, or that only provide a dtype."""
    found: set[int] = set()
    for node in ast.walk(function.node):
        if isinstance(node, ast.Compare):
            found |= {id(each) for part in (node.left, *node.comparators) for each in ast.walk(part)}
        if isinstance(node, ast.Call) and function.called(node) in ("type_as", "to", "new_tensor"):
            found |= {id(each) for part in node.args for each in ast.walk(part)}
    return found


def _cut(function: Function) -> Iterator[Seen]:
    """Operations that leave the graph on the way to the returned loss, one per line."""
    returned, lines = reaching_return(function), set()
    for call in function.calls():
        if id(call) not in returned or call.lineno in lines:
            continue
        found, said = method_call(call, *_TENSOR_METHODS), ""
        if found is not None and not call.args and not function.is_target(found.func.value):  # type: ignore[attr-defined]
            if not _is_maximum(function, found.func.value):  # type: ignore[attr-defined]
                said = f".{found.func.attr}() on the way to the result: no gradient flows past it"  # type: ignore[attr-defined]
        elif function.called(call) in _STEPS and not _of_target(function, call):
            said = f"{function.called(call)}() on the way to the result has gradient 0"
        if said:
            lines.add(call.lineno)
            yield Seen(call.lineno, said)


def _is_maximum(function: Function, node: ast.expr) -> bool:
    """Whether this is the maximum that keeps exponentials small, which is a constant on purpose."""
    if isinstance(node, ast.Name):
        assigned = function.last(node.id, node.lineno)
        return assigned is not None and _is_maximum(function, assigned)
    return any(isinstance(each, ast.Call) and function.called(each) in _MAXIMA for each in ast.walk(node))


def _of_target(function: Function, call: ast.Call) -> bool:
    given = call.func.value if isinstance(call.func, ast.Attribute) else None
    of_torch = given is not None and ast.unparse(given) in ("torch", "np", "numpy", "math", "random")
    subject = call.args[0] if (of_torch or given is None) and call.args else given
    return subject is None or function.is_target(subject)


def _logs(function: Function) -> Iterator[Seen]:
    for call in function.calls():
        first = function.activation(call.args[0]) if call.args else ""
        if function.called(call) in _LOGS and first in ("softmax", "sigmoid"):
            yield Seen(call.lineno, f"{function.called(call)} expects log-probabilities, but gets a {first}")


def _writes(function: Function) -> Iterator[Seen]:
    names = {each.arg for each in parameters(function)}
    statements = [node for node in ast.walk(function.node) if isinstance(node, ast.stmt)]
    written = [(node, target) for node in statements for target in _written(node)]
    copied = {target.id for _, target in written if isinstance(target, ast.Name)}
    for node, target in written if is_loss(function) else ():
        if isinstance(target, ast.Subscript) and isinstance(target.value, ast.Name):
            name = target.value.id
            if name in names - copied:
                yield Seen(node.lineno, f"{ast.unparse(target)} is written to, but {name} belongs to the caller")


def _written(node: ast.AST) -> list[ast.expr]:
    """What an assignment writes to."""
    if isinstance(node, ast.Assign):
        return node.targets
    return [node.target] if isinstance(node, ast.AugAssign) else []


def _no_dim(function: Function) -> Iterator[Seen]:
    for call in function.calls():
        text = ast.unparse(call.func)
        bare = any(
            text == f"{owner}.{name}" for owner in (*_FUNCTIONAL, "torch") for name in ("softmax", "log_softmax")
        )
        if bare and len(call.args) == 1 and not any(k.arg == "dim" for k in call.keywords):
            yield Seen(call.lineno, f"{text} without dim chooses a dimension by the number of dimensions")


def _root(function: Function) -> Iterator[Seen]:
    for call in function.calls():
        if function.called(call) != "sqrt":
            continue
        inner = call.args[0] if call.args else call.func.value if isinstance(call.func, ast.Attribute) else call.func
        if isinstance(inner, ast.Name):
            inner = function.last(inner.id, inner.lineno) or inner
        if isinstance(inner, ast.Call) and function.called(inner) in _MEANS and "eps" not in ast.unparse(inner):
            yield Seen(call.lineno, f"{ast.unparse(call)}: the derivative of a square root is infinite at 0")


def _default_tensors(function: Function) -> Iterator[Seen]:
    arguments = function.node.args
    for default in (*arguments.defaults, *(each for each in arguments.kw_defaults if each is not None)):
        if isinstance(default, ast.Call) and ast.unparse(default.func).startswith("torch."):
            yield Seen(default.lineno, f"the default {ast.unparse(default)} is one tensor shared by all calls")


def _cuda(function: Function) -> Iterator[Seen]:
    for call in function.calls():
        if method_call(call, "cuda") is not None:
            yield Seen(call.lineno, f"{ast.unparse(call)} runs on one kind of device only")


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
    for each in parameters(function):
        if each.arg not in used and not each.arg.startswith("_"):
            yield Seen(each.lineno, f"the parameter {each.arg} is never used")


def _flattened(function: Function) -> Iterator[Seen]:
    for call in function.calls():
        method = method_call(call, *_FLATTENING, "flatten")
        if method is None or not is_loss(function):
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
            yield Seen(call.lineno, f"cross-entropy applies log_softmax itself, but gets a {first}")
        if name in _BCE_LOGITS and first in ("sigmoid", "softmax"):
            yield Seen(call.lineno, f"{name} applies a sigmoid itself, but gets a {first}")


_CUT = "The result does not depend on the model, in part or altogether: the part that was cut is never learned."
READINGS: dict[str, Reading] = {
    reading.id: reading
    for reading in (
        Reading(
            "source-activation-twice",
            Severity.WRONG,
            "The scores are squeezed into [0, 1] twice: the loss stays far above 0.",
            "Pass the logits.",
            _twice,
        ),
        Reading("source-data", Severity.WRONG, _CUT, "Remove .data; use .detach() for a constant on purpose.", _data),
        Reading(
            "source-cut",
            Severity.TRAP,
            _CUT,
            "Compute with tensors to the end; use .item() only for printing. Waive it for a constant on purpose.",
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
            "A sigmoid of 17 is 1 in float32, so a confident wrong prediction gets no gradient; autocast refuses it.",
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
            "Callers who pass it believe that it has an effect.",
            "Use it, or remove it from the signature.",
            _unused,
        ),
        Reading(
            "source-deprecated",
            Severity.CONVENIENCE,
            "It warns now and stops working with a later PyTorch.",
            "torch.sigmoid and torch.tanh; reduction='mean', 'sum' or 'none'.",
            _old_names,
        ),
        Reading(
            "source-probabilities-for-logs",
            Severity.WRONG,
            "The function takes logarithms: the loss goes below 0, and its minimum is not at the correct prediction.",
            "Use log_softmax instead of softmax.",
            _logs,
        ),
        Reading(
            "source-writes",
            Severity.WRONG,
            "The batch is changed for its next user: a metric, the next epoch, another loss.",
            "target = target.clone() first, or torch.where.",
            _writes,
        ),
        Reading(
            "source-no-dim",
            Severity.TRAP,
            "With one or three dimensions it is the first, otherwise the second.",
            "softmax(input, dim=1).",
            _no_dim,
        ),
        Reading(
            "source-root",
            Severity.TRAP,
            "An exact prediction turns the model into NaN.",
            "Add a small number inside the root, or take the loss without it.",
            _root,
        ),
        Reading(
            "source-default-tensor",
            Severity.TRAP,
            "It stays on the CPU, and a change to it affects every loss.",
            "Use None as the default, and make a buffer in the constructor.",
            _default_tensors,
        ),
        Reading(
            "source-cuda",
            Severity.CONVENIENCE,
            "It fails on machines without that device.",
            ".to(input.device), or a buffer.",
            _cuda,
        ),
    )
}
