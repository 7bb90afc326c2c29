"""Columns: the names of the sums that losses are computed from."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple, Protocol

from torch import Tensor

from losskit.ops.constants import REGION_COLUMNS as REGION_COLUMNS
from losskit.ops.constants import RegionColumn as RegionColumn
from losskit.ops.formula import Program
from losskit.ops.maths import one_minus_exp, safe_power

OF_REGIONS = 4  # the region columns without squares and differences
OF_TARGETS = ("target", "count", "target_sq")  # columns that do not depend on the scores


class Formula(NamedTuple):
    """A term that fused operators compute: `log (1 - p)^gamma (-log p) + rest (1 - p^q) / q`."""

    log: float = 1.0
    gamma: float = 0.0
    rest: float = 0.0
    q: float = 1.0

    def __call__(self, log_p: Tensor) -> Tensor:
        value = log_p.clamp(0, 0)  # zeros that have a gradient
        if self.log:
            powered = log_p if self.gamma == 0 else safe_power(one_minus_exp(log_p), self.gamma) * log_p
            value = -self.log * powered
        return value + self.rest / self.q * one_minus_exp(self.q * log_p) if self.rest else value


class Difference(NamedTuple):
    """An element-wise formula of d = input - target that fused operators compute: `scale near (d - near / 2)`.

    `near` is d clamped to +-limit: quadratic within the limit, linear beyond. With a limit of 0, `scale |d|`.
    """

    scale: float = 1.0
    limit: float = math.inf

    def __call__(self, input: Tensor, target: Tensor) -> Tensor:
        error = input - target
        if self.limit == 0:
            return self.scale * error.abs()
        if math.isinf(self.limit):
            return self.scale / 2 * error**2
        near = error.clamp(-self.limit, self.limit)
        return self.scale * near * (error - near / 2)


Known = Formula | Difference | Program  # computed by the kernels
KNOWN = (Formula, Difference, Program)  # as a tuple, which the compiler of torch 2.6 can test
Term = Known | Callable[[Tensor], Tensor]  # f(log p), element by element


def evaluated(term: Any, *tensors: Tensor) -> Tensor:
    """The value of a formula. torch 2.6 compiles the methods of a named tuple, but not a call of it."""
    value: Tensor = term.__call__(*tensors) if isinstance(term, (Formula, Difference)) else term(*tensors)
    return value


class TermColumn(NamedTuple):
    """The sum of `t_c f(log p_c)` per true class, or of `f(log p_c)` over every position that counts."""

    term: Term
    of: Literal["truth", "every"]
    side: int = 0  # 0: positive label, log p and t; 1: negative label, log(1 - p) and 1 - t (sigmoid only)


class Probabilities(Protocol):
    """The arguments of a user-defined region sum, all (N, C, *): p, q = 1 - p without cancellation, and the target."""

    @property
    def p(self) -> Tensor: ...
    @property
    def q(self) -> Tensor: ...
    @property
    def target(self) -> Tensor: ...


class RegionTerm(NamedTuple):
    """A user-defined sum of a region loss: the value of each element, (N, C, *)."""

    name: str
    of: Callable[[Probabilities], Tensor]

    def __str__(self) -> str:
        return self.name


Column = RegionColumn | TermColumn | RegionTerm


def columns_of(columns: Sequence[Column]) -> list[str]:
    """The names of region columns, and "" for term columns."""
    return [column if isinstance(column, str) else "" for column in columns]


KernelColumns = tuple[list[int], list[float]]


def kernel_columns(columns: Sequence[Column]) -> KernelColumns | None:
    """Columns in the format of the fused operators, or None if one is a formula that they cannot compute.

    First the places of the region columns, or -1. Then for each formula the places of its sums by truth (positive,
    negative) and over every position (positive, negative), and four constants per formula.
    """
    places = [-1] * len(REGION_COLUMNS)
    constants: list[float] = []
    found: list[Known] = []
    for position, column in enumerate(columns):
        if isinstance(column, RegionTerm):
            return None
        if not isinstance(column, TermColumn):
            places[REGION_COLUMNS.index(column)] = position
            continue
        if not isinstance(column.term, KNOWN):
            return None
        slot = (0 if column.of == "truth" else 2) + column.side
        for index, formula in enumerate(found):
            if formula == column.term and places[len(REGION_COLUMNS) + 4 * index + slot] < 0:
                break
        else:
            index = len(found)
            found.append(column.term)
            numbers = (0.0, 0.0) if isinstance(column.term, Program) else column.term
            constants += (*numbers, 0.0, 1.0)[:4]
            places += [-1] * 4
        places[len(REGION_COLUMNS) + 4 * index + slot] = position
    return places, constants


def columns_of_plan(places: Sequence[int], constants: Sequence[float]) -> list[Column]:
    """The columns, in order, from the places and constants of `kernel_columns`."""
    found: dict[int, Column] = dict(zip(places, REGION_COLUMNS, strict=False))
    for slot, place in enumerate(places[len(REGION_COLUMNS) :]):
        formula = Formula(*constants[slot // 4 * 4 : slot // 4 * 4 + 4])
        found[place] = TermColumn(formula, "truth" if slot % 4 < 2 else "every", slot % 2)
    return [found[place] for place in sorted(found) if place >= 0]


def programs_of(columns: Sequence[Column]) -> list[Program | None]:
    """The programs among the terms, in the order of their constants in `kernel_columns`."""
    found: list[Known] = []
    used: set[tuple[int, str, int]] = set()
    for column in columns:
        if isinstance(column, TermColumn) and isinstance(column.term, KNOWN):
            free = [k for k, term in enumerate(found) if term == column.term and (k, *column[1:]) not in used]
            index = free[0] if free else len(found)
            if not free:
                found.append(column.term)
            used.add((index, *column[1:]))
    return [term if isinstance(term, Program) else None for term in found]
