"""The check: a variable is not what its name says, computed from its parts."""

from __future__ import annotations

import ast
import linecache
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from losskit.checker.finding import Found, Severity
from losskit.checker.quantities.quantity import QUANTITIES, Quantity, computed, reductions, written
from losskit.checker.quantities.recording import Assigned, Recording
from losskit.checker.quantities.slices import Unknown, function_of, leaves, result_at, statement_at
from losskit.checker.references.code import functions_of
from losskit.checker.registry import check
from losskit.checker.repro import literal
from losskit.checker.subject import LossRaised, Subject

EXAMPLES = 4
SAME = 2e-3

Parts = Mapping[str, "Tensor | float"]


@dataclass(frozen=True)
class Case:
    """A variable of the loss, the quantity that it is named after, and its parts."""

    quantity: Quantity
    names: Mapping[str, str]  # the variable of each part
    statements: Sequence[ast.stmt]  # those that compute it from its parts
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
    for case in cases_of(subject):
        found = difference(case)
        if found is not None:
            yield found
            return


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


def _case(quantity: Quantity, group: Sequence[Assigned]) -> Case | None:
    first = group[0]
    function = function_of(first.code)
    if function is None:
        return None
    statement = result_at(function, first.line) if first.result else statement_at(function, first.line, first.name)
    if statement is None:
        return None
    if quantity.is_one:
        return Case(quantity, {}, [statement], [(each.value.detach().double(), {}) for each in group], first)
    try:
        names, statements = _parts(quantity, function, statement, first)
    except Unknown:
        return None
    if not quantity.of(set(names)):
        return None
    seen = []
    for each in group:
        parts = {part: _value(each.before, name) for part, name in names.items()}
        complete = {part: value for part, value in parts.items() if value is not None}
        if len(complete) == len(parts):
            seen.append((each.value.detach().double(), complete))
    case = Case(quantity, names, statements, seen, first)
    return Case(quantity, names, statements, [*seen, *_again(case)], first)


def _parts(
    quantity: Quantity, function: ast.FunctionDef, statement: ast.stmt, made: Assigned
) -> tuple[dict[str, str], list[ast.stmt]]:
    """The variable of each part, and the statements that compute the quantity; raises Unknown if there are others."""

    def is_leaf(name: str) -> bool:
        return quantity.part(name) is not None and _value(made.before, name) is not None

    found, statements = leaves(function, statement, is_leaf)
    names: dict[str, str] = {}
    for each in sorted(found):
        if each == made.name or names.setdefault(quantity.part(each) or "", each) != each:
            raise Unknown(each)  # two variables of the same part
    return names, statements


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
    for part, name in case.names.items():
        before = _plain(case.made.before, name)
        value = parts[part]
        value = value.to(before.dtype) if isinstance(value, Tensor) and isinstance(before, Tensor) else before
        owner, _, attribute = name.rpartition(".")
        (own.setdefault(owner, {}) if owner else variables)[attribute] = value
    variables |= {owner: SimpleNamespace(**values) for owner, values in own.items()}
    code = "\n".join(ast.unparse(each).replace("return ", "result = ", 1) for each in case.statements)
    try:
        exec(code, dict(case.made.around), variables)  # noqa: S102 - the user's code, which was run before
    except Exception:  # noqa: BLE001 - other values of its parts do not fit
        return None
    made = variables.get("result" if case.made.result else case.made.name)
    return made.detach().double() if isinstance(made, Tensor) else None


def _plain(variables: Mapping[str, Any], name: str) -> Any:
    owner, *rest = name.split(".")
    found = variables.get(owner)
    for each in rest:
        found = getattr(found, each, None)
    return found


def _value(variables: Mapping[str, Any], name: str) -> Tensor | float | None:
    """The number or tensor of a variable, or of an attribute of one."""
    found = _plain(variables, name)
    if isinstance(found, Tensor):
        return found.detach().double() if not found.is_complex() else None
    return float(found) if isinstance(found, (int, float)) and not isinstance(found, bool) else None


def difference(case: Case) -> Found | None:
    """What is said of a variable that is none of the forms of its quantity."""
    if case.quantity.is_one:
        return _not_one(case)
    formulas = case.quantity.of(set(case.names))
    nearest: tuple[float, float, float] | None = None
    for formula in formulas:
        for form in _forms(case, formula):
            off, given, right = _off(case.quantity, form)
            if off < SAME:
                return None
            if nearest is None or off < nearest[0]:
                nearest = off, given, right
    if nearest is None:
        return None
    formula = written(formulas[0], case.names)
    return Found(
        f"{_place(case)} is not {case.quantity.said}, `{formula}`",
        {"as written": nearest[1], "formula": nearest[2]},
        _repro(case, formula),
    )


def _place(case: Case) -> str:
    return f"{Path(case.made.code.co_filename).name}, line {case.made.line}: `{case.code}`"


def _not_one(case: Case) -> Found | None:
    """What is said of a variable none of whose measures is 1."""
    furthest = 0.0
    for value, _ in case.seen:
        numbers = []
        for formula in case.quantity.formulas:
            try:
                made = computed(formula, {"x": value}).double()
            except (RuntimeError, IndexError):
                continue
            numbers.append(float(made.flatten()[(made - 1).abs().argmax()]))
        if not numbers or any(abs(each - 1) < 1e-3 for each in numbers):
            return None
        furthest = min(numbers, key=lambda each: abs(each - 1))
    said = f"{_place(case)} is not {case.quantity.said}"
    return Found(said, {"as written": furthest, "right": 1.0}, "") if case.seen else None


def _forms(case: Case, formula: str) -> Iterator[list[tuple[Tensor, Tensor]]]:
    """Values of the variable beside those of the formula, for each way to reduce it that fits."""
    pairs: list[list[tuple[Tensor, Tensor]]] = []
    for value, parts in case.seen:
        try:
            full = computed(formula, {n: v.squeeze() if isinstance(v, Tensor) else v for n, v in parts.items()})
        except (RuntimeError, IndexError, TypeError, ValueError):
            return
        made = list(reductions(full.double())) if case.quantity.reduced else [full.double()]
        pairs.append([(value, each) for each in made])
    for form in zip(*pairs, strict=False):
        if all(value.numel() == right.numel() for value, right in form):
            yield [(value.flatten(), right.flatten()) for value, right in form]


def _off(quantity: Quantity, form: Sequence[tuple[Tensor, Tensor]]) -> tuple[float, float, float]:
    """How far a variable is from a formula, relatively, and the two numbers that differ most."""
    made, right = torch.cat([each for each, _ in form]), torch.cat([each for _, each in form])
    if not (made.isfinite().all() and right.isfinite().all()) or len(right) < 2 or float(right.std()) < 1e-9:
        return 0.0, 0.0, 0.0
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
    size = float((right - right.mean()).norm()) if quantity.constant else float(right.norm())
    return float(apart.norm()) / max(size, 1e-12), float(made[at]), float(right[at])


def _repro(case: Case, formula: str) -> str:
    """Code that computes the variable as the loss does, and as the formula does."""
    lines = ["import math", "from types import SimpleNamespace", "import torch", "import torch.nn.functional as F"]
    _, parts = case.seen[-1]
    own = {name.removeprefix("self."): part for part, name in case.names.items() if name.startswith("self.")}
    if own:
        lines.append(f"self = SimpleNamespace({', '.join(f'{n}={_code(parts[p])}' for n, p in own.items())})")
    lines += [f"{n} = {_code(parts[p])}" for p, n in case.names.items() if "." not in n]
    lines += [ast.unparse(each).replace("return ", f"{case.made.name} = ", 1) for each in case.statements]
    return "\n".join([*lines, f"print({case.made.name}, {formula})"])


def _code(value: Tensor | float) -> str:
    return literal(value.float()) if isinstance(value, Tensor) else repr(value)
