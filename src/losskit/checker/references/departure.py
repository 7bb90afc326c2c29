"""Where a loss departs from the variant of its formula with which it has most in common."""

from __future__ import annotations

import contextlib
import functools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import Tensor

from losskit.checker.references.binding import Bound
from losskit.checker.references.code import functions_of
from losskit.checker.references.course import Course, apart, course, first_of
from losskit.checker.references.formula_text import Choices
from losskit.checker.references.unlike import Unlike, Written

_NEAREST = 12  # variants beside which a loss is put


@dataclass(frozen=True)
class Departure:
    """What a loss computes and a variant of its formula does not, and the reverse."""

    bound: Bound
    written: Written
    path: tuple[int, ...]
    choices: Choices
    own: Course
    formula: Course
    ahead: list[int]  # steps of the loss
    missing: list[int]  # steps of the formula

    @property
    def share(self) -> float:
        """The share of steps that the other does not have."""
        parts = ((self.own, self.ahead), (self.formula, self.missing))
        return max(course.count(some) / max(course.count(range(len(course.steps))), 1) for course, some in parts)

    @property
    def likeness(self) -> float:
        """The share of operations that both have."""
        own, formula = self.own.names(), self.formula.names()
        return (own & formula).total() / max((own | formula).total(), 1)

    @property
    def lines(self) -> list[int]:
        """The lines that compute what the formula does not contain, the last of those with a gradient first."""
        trained = [at for at in self.ahead if self.own.steps[at].trained]
        roots = [*reversed(first_of(self.own, trained)), *reversed(first_of(self.own, self.ahead))]
        lines = dict.fromkeys(self.own.steps[at].line for at in roots)
        return [line for line in lines if line]


@functools.lru_cache(maxsize=16)
def departure(unlike: Unlike) -> Departure | None:
    """Where a loss departs from the variant with which it has most in common; None if it does nowhere."""
    found = [each for written in unlike.forms for each in _beside(unlike.bound, written)]
    return min((each for each in found if each.lines), key=lambda each: each.share, default=None)


def _beside(bound: Bound, written: Written) -> Iterator[Departure]:
    functions = functions_of(bound.build())
    if not functions:
        return
    file = functions[0].function.__code__.co_filename
    tensors = written.table.tensors
    given = [[x for x in each.values() if isinstance(x, Tensor)] for each in tensors]
    own = course([partial(_written, bound, each) for each in tensors], given, file)
    if own is None:
        return
    for path in written.table.near(written.seen[0].slopes[:, 0], math.inf)[:_NEAREST]:
        choices = Choices(path)
        runs = [partial(_terms, bound, each, choices) for each in tensors]
        with contextlib.suppress(RuntimeError, ValueError, IndexError):
            formula = course(runs, given, bound.reference.formula.__code__.co_filename)
            if formula is not None:
                ahead, missing = apart(own, formula), apart(formula, own)
                yield Departure(bound, written, path, choices, own, formula, ahead, missing)


def _written(bound: Bound, tensors: Mapping[str, Any]) -> None:
    bound.written(bound.passed(tensors)[0])


def _terms(bound: Bound, tensors: Mapping[str, Any], choices: Choices) -> None:
    bound.terms(bound.passed(tensors)[0], choices)
