"""The check: the line at which a loss departs from the formula of its name."""

from __future__ import annotations

import linecache
import math
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import torch

from losskit.checker.finding import Found, Severity
from losskit.checker.origin import call_parameters
from losskit.checker.references.call_text import call_text
from losskit.checker.references.code import functions_of
from losskit.checker.references.course import first_of
from losskit.checker.references.departure import Departure, departure
from losskit.checker.references.formula_text import line_of
from losskit.checker.references.reference import is_plain
from losskit.checker.references.unlike import Unlike, unlike_its_formula
from losskit.checker.registry import check
from losskit.checker.subject import Subject

_MOST = 0.65  # of its steps that the formula does not have: a loss with more is of another kind
_LEAST = 0.28  # of its operations that the formula has too


@check(
    "departs-from-formula",
    Severity.WRONG,
    why="Up to this line it computes what the formula of its name computes; what follows is no known form of it.",
    fix="Compare this line with the formula, or name the loss after what it computes.",
    consequence_of=("no-graph", "misused-function", "one-edit-from-formula"),
    anyhow=True,
    assumes=True,
)
def departs_from_formula(subject: Subject) -> Iterator[Found]:
    """Which line makes the loss another one than the formula of its name?"""
    others = [each for each in unlike_its_formula(subject) if _is_settled(each)]
    if not others or _has_modes(subject):
        return
    found = [departure(each) for each in others]
    nearest = min((each for each in found if each is not None), key=lambda each: each.share, default=None)
    if nearest is None or nearest.share > _MOST or nearest.likeness < _LEAST:
        return
    values = [float(each.values[0]) for each in nearest.written.seen]
    right = _values(nearest, values)
    if not all(map(partial(math.isclose, rel_tol=1e-6), values, right)):  # otherwise only its gradient differs
        yield _finding(nearest, values, right)


def _is_settled(unlike: Unlike) -> bool:
    """Whether a loss of this name has no other sound forms than those of the formula."""
    reference = unlike.bound.reference
    return not reference.free and is_plain(reference, unlike.bound.text)


_REDUCTIONS = ("mean", "sum", "none", "batchmean", "elementwise_mean", "")


def _has_modes(subject: Subject) -> bool:
    """Whether an option chooses between several losses, of which the formula may be another."""
    calls = {p.name: p.default for p in call_parameters(subject.build())}
    chosen = {**calls, **subject.origin.options}
    return any(isinstance(each, str) and each.lower() not in _REDUCTIONS for each in chosen.values())


def _finding(departure: Departure, values: list[float], right: list[float]) -> Found:
    bound = departure.bound
    file = functions_of(bound.build())[0].function.__code__.co_filename
    line, *others = departure.lines
    code = linecache.getline(file, line).strip()
    formula = _line_of_formula(departure)
    numbers = ", ".join(map(str, sorted(others)))
    further = f" (as do{'es line' if len(others) == 1 else ' lines'} {numbers})" if others else ""
    said = f"{Path(file).name}, line {line}: `{code}` gives values{further} that do not occur in {bound.reference.said}"
    beside = f", which computes `{formula}`" if formula else ""
    at = max(range(len(values)), key=lambda n: abs(values[n] - right[n]))
    evidence = {"as written": values[at], "formula": right[at]}
    return Found(said + beside, evidence, call_text(bound, departure.written.table.tensors[at]))


def _line_of_formula(departure: Departure) -> str:
    formula = departure.formula
    lines = [formula.steps[at].line for at in first_of(formula, departure.missing)]
    file = departure.bound.reference.formula.__code__.co_filename
    if not lines:
        return ""
    return line_of(file, lines[0], departure.choices.chosen, departure.bound.names)


def _values(departure: Departure, written: list[float]) -> list[float]:
    """The values of the formula, with the weights of its terms and the constant that fit the loss best."""
    seen = departure.written.table.variant(departure.path)
    terms = torch.stack([each.values for each in seen])
    made = torch.tensor(written, dtype=torch.float64)
    columns = torch.cat([terms, torch.ones(len(terms), 1)], 1)
    weights = torch.linalg.lstsq(columns, made.unsqueeze(1), driver="gelsd").solution.squeeze(1)
    if not bool((weights[:-1] > 0).all()):
        weights, columns = torch.ones(terms.shape[1], dtype=torch.float64), terms
    return [float(each) for each in columns @ weights]
