"""The check: a variable is not what its name says, computed from its parts."""

from __future__ import annotations

import ast
import linecache
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from losskit.checker.finding import Found, Severity
from losskit.checker.quantities.quantity import QUANTITIES, Quantity, computed, holds, reductions, written
from losskit.checker.quantities.recording import Assigned, Recording
from losskit.checker.quantities.slices import Made, Slice, Unknown, dotted, function_of, made_at, result_at, value_of
from losskit.checker.references.code import functions_of
from losskit.checker.registry import check
from losskit.checker.repro import literal
from losskit.checker.subject import LossRaised, Subject

EXAMPLES = 6
SAME = 2e-3
_TINY = 1e-4

Parts = Mapping[str, "Tensor | float"]


@dataclass(frozen=True)
class Case:
    """A variable of the loss, the quantity that it is named after, and its parts."""

    quantity: Quantity
    names: Mapping[str, str]  # the variable of each part
    statements: Sequence[Made]  # those that compute it from its parts
    held: Sequence[str]  # further variables that they read, whose values do not matter
    seen: Sequence[tuple[Tensor, Parts]]  # its values, and those of its parts
    made: Assigned

    @property
    def code(self) -> str:
        return linecache.getline(self.made.code.co_filename, self.made.line).strip()


@check(
    "differs-from-name",
    Severity.WRONG,
    why="What the code computes from these variables is not what the name of the result says.",
    fix="Compare the statement with the formula, or give the variable the name of what it is.",
    consequence_of=("one-edit-from-formula",),
    anyhow=True,
    assumes=True,
)
def differs_from_name(subject: Subject) -> Iterator[Found]:
    """Is a variable that has the name of a quantity that quantity, of the variables from which it is computed?"""
    yield from differences(cases_of(subject))[:1]


def differences(cases: Sequence[Case]) -> list[Found]:
    """What is said of the variables that are none of the quantities that they are named after."""
    accepted: set[tuple[int, str]] = set()
    found: dict[tuple[int, str], Found] = {}
    others = {case.made.name for case in cases if case.quantity.instead and _difference(case)[1]}
    for case in cases:
        if case.quantity.instead or others & set(case.names.values()):
            continue
        place = case.made.line, case.made.name
        said, fits = _difference(case)
        if fits:
            accepted.add(place)
        elif said is not None and not _calls_own(case):
            found.setdefault(place, said)
    return [each for place, each in found.items() if place not in accepted]


def _calls_own(case: Case) -> bool:
    """Whether its statements call a function of the same file, whose own statements are compared."""
    calls = (node for each in case.statements for node in ast.walk(each.value) if isinstance(node, ast.Call))
    called = (getattr(case.made.around.get(dotted(each.func) or ""), "__code__", None) for each in calls)
    return any(each is not None and each.co_filename == case.made.code.co_filename for each in called)


def cases_of(subject: Subject) -> list[Case]:
    """The variables of a loss that are named after quantities."""
    functions = functions_of(subject.build())
    if not functions:
        return []
    file = functions[0].function.__code__.co_filename
    made: dict[tuple[int, str, bool], list[Assigned]] = {}
    for seed in range(EXAMPLES):
        run = _recorded(subject, file, seed)
        lasts = {(each.code, each.name, each.result): each.line for each in run}  # a variable may be refined
        firsts = {(each.line, each.name, each.result): each for each in reversed(run)}  # of a loop
        for key, each in firsts.items():
            if lasts[each.code, each.name, each.result] == each.line:
                made.setdefault(key, []).append(each)
    cases = (
        _case(quantity, group)
        for (_, name, _), group in sorted(made.items())
        for quantity in QUANTITIES
        if quantity.is_named(name)
    )
    return [each for each in cases if each is not None]


def _recorded(subject: Subject, file: str, seed: int) -> list[Assigned]:
    """The assignments of its constructor and of a call."""
    recording = Recording(file)

    def run() -> None:
        criterion = subject.build()
        tensors = subject.example(seed=seed)
        with torch.set_grad_enabled(subject.spec.way.inside):
            subject.call(criterion, *tensors)

    try:
        return recording.of(run)
    except LossRaised:
        return recording.made


def _is_filled_later(value: ast.expr) -> bool:
    """Whether an expression makes a tensor of one number, or of none."""
    name = (dotted(value.func) or "") if isinstance(value, ast.Call) else ""
    return re.fullmatch(r"(\w+\.)?(new_)?(zeros|ones|full|empty)(_like)?", name) is not None


def _is_scaled(statement: ast.stmt) -> bool:
    """Whether a statement only multiplies a variable by a number: x *= 0.5."""
    scales = isinstance(statement, ast.AugAssign) and isinstance(statement.op, (ast.Mult, ast.Div))
    return scales and isinstance(statement.value, ast.Constant)  # type: ignore[attr-defined]


_SHAPING = {
    *("contiguous", "view", "reshape", "flatten", "squeeze", "unsqueeze", "permute", "transpose", "movedim", "expand"),
    *("float", "double", "half", "to", "type", "clone", "detach", "long"),
}


def _is_shaped(name: str, value: ast.expr) -> bool:
    """Whether an expression is the variable itself in another shape or type: x = x.reshape(len(x), -1)."""
    while isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) and value.func.attr in _SHAPING:
        value = value.func.value
    return isinstance(value, ast.Name) and value.id == name


def _case(quantity: Quantity, group: Sequence[Assigned]) -> Case | None:
    first = group[0]
    function = function_of(first.code)
    if function is None:
        return None
    made = result_at(function, first.line) if first.result else made_at(function, first.line, first.name)
    if made is None or _is_filled_later(made.value) or _is_scaled(made.statement):
        return None
    if _is_shaped(first.name, made.value):
        return None

    def is_leaf(name: str) -> bool:
        return quantity.part(name) is not None and _number(first.before, name) is not None

    within = Slice(function, first.before, first.around, is_leaf)
    try:
        statements = within.of(made)
    except Unknown:
        return None
    names: dict[str, str] = {}
    for leaf in sorted(within.leaves):
        if names.setdefault(quantity.part(leaf) or "", leaf) != leaf:
            return None  # two variables of the same part
    if not quantity.of(set(names)):
        return None
    seen = []
    for each in group:
        parts = {part: _number(each.before, name) for part, name in names.items()}
        complete = {part: value for part, value in parts.items() if value is not None}
        if len(complete) == len(parts):
            seen.append((each.value.detach().double(), complete))
    held = sorted(name for name in within.held - within.leaves if "." not in name or name.startswith("self."))
    case = Case(quantity, names, statements, held, seen, first)
    return replace(case, seen=[*seen, *_again(case)])


_GROUPS = (
    r"log\w*|binary_cross_entropy\w*|cross_entropy|nll_loss|kl_div|bce\w*",
    r"r?sqrt",
    r"clamp\w*|clip\w*|nan_to_num|relu|maximum|minimum",
    r"(a|arc)?(sin|cos|tan)2?|tanh",
)


def _functions(code: str) -> set[str]:
    """The groups of functions that code calls."""
    called = re.findall(r"(?<!math\.)\b(\w+)\(", code)
    powers = {_GROUPS[1]} if re.search(r"\*\* ?\(?0\.5|pow\(0\.5", code) else set()
    return {group for group in _GROUPS if any(re.fullmatch(group, each) for each in called)} | powers


def _again(case: Case) -> Iterator[tuple[Tensor, Parts]]:
    """Its values where the parts that are 0 or 1 are drawn: those of an example may all be the same."""
    binary = [part for part in case.names if part in case.quantity.binary]
    for at, (_, parts) in enumerate(case.seen if binary else ()):
        generator = torch.Generator().manual_seed(at)
        drawn = dict(parts)
        for part in binary:
            value = drawn[part]
            if isinstance(value, Tensor):
                drawn[part] = torch.randint(2, value.shape, generator=generator).double()
        made = _run(case, drawn)
        if made is not None:
            yield made, drawn


def _run(case: Case, parts: Parts) -> Tensor | None:
    """The value that the statements compute from these parts."""
    own: dict[str, dict[str, Any]] = {}
    variables: dict[str, Any] = {}
    given: dict[str, Any] = {name: value_of(case.made.before, name) for name in case.held}
    for part, name in case.names.items():
        before, value = value_of(case.made.before, name), parts[part]
        both = isinstance(value, Tensor) and isinstance(before, Tensor)
        given[name] = value.to(before.dtype) if both else before  # type: ignore[union-attr]
    for name, value in given.items():
        if "[" in name:
            return None
        owner, _, attribute = name.rpartition(".")
        (own.setdefault(owner, {}) if owner else variables)[attribute] = value
    variables |= {owner: SimpleNamespace(**values) for owner, values in own.items() if owner not in variables}
    try:
        exec("\n".join(each.code() for each in case.statements), dict(case.made.around), variables)  # noqa: S102 - the user's code, which was run before
    except Exception:  # noqa: BLE001 - other values of its parts do not fit
        return None
    made = value_of(variables, case.made.name)
    return made.detach().double() if isinstance(made, Tensor) else None


def _number(variables: Mapping[str, Any], name: str) -> Tensor | float | None:
    """The number or tensor of a variable."""
    found = value_of(variables, name)
    if isinstance(found, Tensor):
        return found.detach().double() if not found.is_complex() else None
    return float(found) if isinstance(found, (int, float)) and not isinstance(found, bool) else None


def _difference(case: Case) -> tuple[Found | None, bool]:
    """What is said of a variable that is none of the forms of its quantity, and whether it is one of them."""
    if case.quantity.unless and any(holds(case.quantity.unless, parts) for _, parts in case.seen):
        return None, True
    formulas = [*case.quantity.of(set(case.names))]
    formulas += list(_smoothed(case, formulas))
    nearest: tuple[float, float, float] | None = None
    for formula in formulas:
        for form in _forms(case, formula):
            off, given, right = _off(case.quantity, form)
            if off < SAME:
                return None, True
            if nearest is None or off < nearest[0]:
                nearest = off, given, right
    if nearest is None and case.quantity.shaped and _is_one_call(case):
        return _of_another_shape(case, formulas), False
    own, usual = " ".join(each.code() for each in case.statements), " ".join(formulas)
    if nearest is None or math.isinf(nearest[0]):
        return None, False
    if not _functions(own) <= _functions(usual) or (case.held and not re.search(r"shape|numel|len\(", usual)):
        return None, False  # with a logarithm, a root, an angle or a size that the quantity has not it is another one
    formula = written(formulas[0], case.names)
    said = f"{_place(case)} is not {case.quantity.said}, `{formula}`"
    return Found(said, {"as written": nearest[1], "formula": nearest[2]}, _repro(case, formula)), False


def _smoothed(case: Case, formulas: Sequence[str]) -> Iterator[str]:
    """Ratios with a number of the code added to both sides, (a + 1) / (b + 1)."""
    sums = (node for each in case.statements for node in ast.walk(each.value) if isinstance(node, ast.BinOp))
    sides = (side for each in sums if isinstance(each.op, ast.Add) for side in (each.left, each.right))
    values = {side.value for side in sides if isinstance(side, ast.Constant)}
    constants = [each for each in values if isinstance(each, (int, float)) and 0 < each < 1e3]
    for formula in formulas:
        for number in sorted(constants):
            tree = ast.parse(formula, mode="eval")
            ratios = [node for node in ast.walk(tree) if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div)]
            for each in ratios:
                each.left, each.right = (
                    ast.BinOp(side, ast.Add(), ast.Constant(number)) for side in (each.left, each.right)
                )
            if ratios:
                yield ast.unparse(tree)


def _place(case: Case) -> str:
    return f"{Path(case.made.code.co_filename).name}, line {case.made.line}: `{case.code}`"


def _is_one_call(case: Case) -> bool:
    """Whether a function of PyTorch makes the variable, as `torch.cov(x)`."""
    value = case.statements[-1].value
    return isinstance(value, ast.Call) and (dotted(value.func) or "").startswith("torch.c")


def _of_another_shape(case: Case, formulas: Sequence[str]) -> Found | None:
    """What is said of a variable whose shape no formula has; nothing if all refuse its parts, or it is one number."""
    value, parts = case.seen[0]
    for formula in formulas:
        right = _computed(formula, parts)
        if right is None:
            continue
        shapes = {"shape": str(tuple(value.shape)), "of the formula": str(tuple(right.shape))}
        said = f"{_place(case)} has another shape than {case.quantity.said}, `{written(formula, case.names)}`"
        if min(value.numel(), right.numel()) > 1:
            return Found(said, shapes, _repro(case, written(formula, case.names)))
    return None


def _computed(formula: str, parts: Parts) -> Tensor | None:
    """The value of a formula; None if it does not take these parts."""
    try:
        return computed(formula, parts).double()
    except Exception:  # noqa: BLE001 - whatever it raises, it is none of the forms of this variable
        return None


def _forms(case: Case, formula: str) -> Iterator[list[tuple[Tensor, Tensor]]]:
    """Values of the variable beside those of the formula, for each way to reduce it that fits."""
    flat = not any(isinstance(v, Tensor) and 1 in v.shape for _, parts in case.seen for v in parts.values())
    for squeezed in (False,) if flat else (True, False):
        pairs: list[list[tuple[Tensor, Tensor]]] = []
        for value, parts in case.seen:
            given = {n: v.squeeze() if squeezed and isinstance(v, Tensor) else v for n, v in parts.items()}
            full = _computed(formula, given)
            if full is None:
                break
            pairs.append([(value, each) for each in (reductions(full) if case.quantity.reduced else (full,))])
        if len(pairs) != len(case.seen):
            continue
        for form in zip(*pairs, strict=False):
            if all(value.numel() == right.numel() for value, right in form):
                yield [(value.flatten(), right.flatten()) for value, right in form]


def _off(quantity: Quantity, form: Sequence[tuple[Tensor, Tensor]]) -> tuple[float, float, float]:
    """How far a variable is from a formula, relatively, and the two numbers that differ most."""
    made, right = torch.cat([each for each, _ in form]), torch.cat([each for _, each in form])
    least = (right <= _TINY) & (made > 0) & (made <= _TINY)  # a least value, which keeps a quotient finite
    made, right = made[~least], right[~least]
    if not made.isfinite().all() or len(right) < 2:
        return 0.0, 0.0, 0.0
    if not right.isfinite().all():
        return math.inf, 0.0, 0.0
    columns = [right] if quantity.factor else []
    columns += [torch.ones_like(right)] if quantity.constant else []
    fitted = right
    if columns:
        table = torch.stack(columns, 1)
        goal = made if quantity.factor else made - right
        weights = torch.linalg.lstsq(table, goal.unsqueeze(1), driver="gelsd").solution.squeeze(1)
        if not quantity.factor or weights[0] > 0:
            fitted = table @ weights + (0 if quantity.factor else right)
    apart = (made - fitted).abs()
    at = int(apart.argmax())
    size = float((made - made.mean()).norm()) if quantity.constant else float(made.norm())
    return float(apart.norm()) / max(size, 1e-12), float(made[at]), float(right[at])


def _repro(case: Case, formula: str) -> str:
    """Code that computes the variable as the loss does, and as the formula does."""
    lines = ["import math", "from types import SimpleNamespace", "import torch", "import torch.nn.functional as F"]
    _, parts = case.seen[-1]
    given: dict[str, Any] = {name: value_of(case.made.before, name) for name in case.held}
    for part, name in case.names.items():
        plain = value_of(case.made.before, name)
        given[name.split("[")[0]] = plain if isinstance(plain, int) else parts[part]
    own: dict[str, list[str]] = {}
    for name, value in given.items():
        owner, _, attribute = name.rpartition(".")
        if owner:
            own.setdefault(owner, []).append(f"{attribute}={_code(value)}")
        else:
            lines.append(f"{name} = {_code(value)}")
    lines += [f"{owner} = SimpleNamespace({', '.join(values)})" for owner, values in own.items()]
    lines += [each.code() for each in case.statements]
    return "\n".join([*lines, f"print({case.made.name}, {formula})"])


def _code(value: Any) -> str:
    if isinstance(value, nn.Module):
        return f"torch.nn.{value!r}"
    return literal(value.float() if value.is_floating_point() else value) if isinstance(value, Tensor) else repr(value)
