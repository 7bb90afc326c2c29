"""Prints the last kernel of a forward pass for a loss: it adds partial sums and computes the loss and its derivative.

Its source depends on the formulas and the places of columns. Numbers, per-class options and weights are arguments.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from losskit.ops.columns import columns_of
from losskit.ops.constants import PROBLEMS, REGION_COLUMNS
from losskit.ops.finish import Finish, RegionsFinish, TermsFinish
from losskit.ops.plan import PlannedPart
from losskit.ops.triton.source import Formula, Numbers, Source, indented

_COUNT, _TARGET, _PRED = (REGION_COLUMNS.index(name) for name in ("count", "target", "pred"))


def printed(parts: Sequence[PlannedPart], columns: int, rows_are_batch: bool) -> Source:
    """The kernel of a loss with `columns` columns per region; rows are samples, or the whole batch."""
    numbers = Numbers()
    each = [_part(index, part, columns, rows_are_batch, numbers) for index, part in enumerate(parts)]
    options = ", ".join(f"class_weight{k}, truth_weight{k}" for k in range(len(parts)))
    lines = [
        "@triton.jit",
        "def finish(",
        "    partials, keys, target, totals, coefficients, value, values, problem, numbers, weights, normalizer,",
        f"    scored, {options}, count, rows, chunks, C, S,",
        "    HAS_NORMALIZER: tl.constexpr, GRAD: tl.constexpr, OFFSET: tl.constexpr, IS_SUM: tl.constexpr,",
        "    KEYS: tl.constexpr, CHUNKS: tl.constexpr, BLOCK: tl.constexpr,",
        "):",
        "    key = first_problem(keys, count, KEYS)",
        f"    add_partials(partials, totals, rows, chunks, C, {columns}, CHUNKS, BLOCK)",
        "    tl.debug_barrier()",
        "    nothing = tl.zeros((), tl.float64)",
        "    bad = tl.zeros((BLOCK,), tl.int32)",
        *(line for part in each for line in indented(part.sums, 1)),
        f"    kind = tl.where(tl.max(bad, 0) > 0, {PROBLEMS.index('bad_weight')}, 0)",
        "    store_problem(key, target, problem, C, S, kind)",
        '    odd = tl.where((key != NO_PROBLEM) | (kind > 0), float("nan"), nothing)',
        "    loss = tl.zeros((), tl.float32)",
    ]
    for index in range(len(parts)):
        lines += [
            f"    upstream{index} = nothing + weights[{index}] if IS_SUM else nothing + 1.0",
            f"    own = (mean{index} + odd).to(tl.float32)",
            "    if values is not None:",
            f"        tl.store(values + {index}, own)",
            f"    loss += (own.to(tl.float64) * upstream{index}).to(tl.float32)",
        ]
    lines += [
        "    if OFFSET:",
        f"        loss += weights[{len(parts)}]",
        "    tl.store(value, loss)",
        "    if GRAD:",
        *(f"        slope{index} = slope{index} * upstream{index} + odd" for index in range(len(parts))),
        "        for start in range(0, rows * C, BLOCK):",
        "            at = start + tl.arange(0, BLOCK)",
        "            inside, c = at < rows * C, at % C",
        *(f"            by{k} = tl.zeros((BLOCK,), tl.float64)" for k in range(columns)),
        *(line for part in each for line in indented(part.gradient, 3)),
        *(f"            tl.store(coefficients + at * {columns} + {k}, by{k}, mask=inside)" for k in range(columns)),
    ]
    return Source("finish", "\n".join(lines) + "\n", numbers.arguments)


class _Lines(NamedTuple):
    sums: list[str]  # the mean of the part and its slope
    gradient: list[str]  # the contribution of a block of regions to the coefficients


def _part(index: int, part: PlannedPart, columns: int, pooled: bool, numbers: Numbers) -> _Lines:
    if isinstance(part.finish, RegionsFinish):
        return _regions(index, part.finish, _places(part), columns, pooled, numbers)
    return _terms(index, part.finish, part.places, columns, numbers)


def _places(part: PlannedPart) -> dict[str, int]:
    return dict(zip(columns_of(part.columns), part.places, strict=True))


def _over_regions(index: int, regions: str, body: Sequence[str]) -> list[str]:
    """A loop over blocks of regions that sums `term` and `share`."""
    return [
        f"numerator{index} = tl.zeros((BLOCK,), tl.float64)",
        f"denominator{index} = tl.zeros((BLOCK,), tl.float64)",
        f"for start in range(0, {regions} * C, BLOCK):",
        "    at = start + tl.arange(0, BLOCK)",
        f"    inside, c = at < {regions} * C, at % C",
        *indented(body, 1),
        f"    class_weight = of_class(class_weight{index}, c, inside)",
        f"    numerator{index} += tl.where(inside, term * class_weight, 0.0)",
        f"    denominator{index} += tl.where(inside, share * class_weight, 0.0)",
    ]


def _mean(index: int, finish: Finish, divisor: str) -> list[str]:
    """The mean or sum, and its derivative by the numerator."""
    empty = finish.empty == "nan"
    over = "" if divisor == "1.0" else f" / ({divisor})"
    top = f"tl.sum(numerator{index}, 0){over}"
    pair = f"mean{index}, slope{index}"
    reduced = f"{pair} = divided({top}, tl.sum(denominator{index}, 0){over}, {empty})"
    if finish.reduction == "sum":
        reduced = f"{pair} = {top}, nothing + 1.0"
    if isinstance(finish, RegionsFinish):
        return [reduced]
    return [
        "if HAS_NORMALIZER:",
        f"    {pair} = divided({top}, number(normalizer, 0), {empty})",
        "else:",
        f"    {reduced}",
    ]


def _terms(index: int, finish: TermsFinish, places: Sequence[int], columns: int, numbers: Numbers) -> _Lines:
    weight = finish.truth_weight
    offset, slope = ((1.0, 1.0), (0.0, 0.0)) if weight is None else weight.factors(finish.sides)
    smoothing, spread = finish.smoothing, finish.spread
    left, moved = numbers.text(1 - smoothing), numbers.text(smoothing / spread)
    body, gradient = (
        ["term = tl.zeros((BLOCK,), tl.float64)"],
        [f"weight = slope{index} * of_class(class_weight{index}, c, inside)"],
    )
    for side in range(finish.sides):
        truth, every = places[side], places[finish.sides + side] if smoothing else -1
        factor = numbers.text(offset[side])
        if slope[side]:
            factor = f"({factor} + {numbers.text(slope[side])} * of_class(truth_weight{index}, c, inside))"
        total = f"column(totals, at, {truth}, {columns}, inside)"
        if smoothing:
            total = f"({left} * {total} + {moved} * column(totals, at, {every}, {columns}, inside))"
        body.append(f"term += {total} * {factor}")
        gradient.append(f"by{truth} += weight * {factor}" + (f" * {left}" if smoothing else ""))
        if smoothing:
            gradient.append(f"by{every} += weight * {factor} * {moved}")
    body.append(f"share = column(totals, at, {places[-1]}, {columns}, inside)")
    if finish.reduction == "mean":  # a normalizer replaces this denominator
        body += ["if not HAS_NORMALIZER:", "    bad = bad | (inside & (share != share)).to(tl.int32)"]
    divisor = numbers.text(finish.divisor)
    sums = _over_regions(index, "rows", body) + _mean(index, finish, divisor)
    if finish.of_mean is not None:
        formula = Formula(finish.of_mean, [f"mean{index}"], f"m{index}_", numbers, like="one")
        lines, (by,) = formula.derivative("one")
        sums += ["one = tl.full((1,), 1.0, tl.float64)", *formula.lines, *lines]
        sums += [f"mean{index} = tl.sum({formula.value}, 0)", f"slope{index} = slope{index} * tl.sum({by}, 0)"]
    if divisor != "1.0":
        sums.append(f"slope{index} = slope{index} / ({divisor})")
    return _Lines(sums, gradient)


def _regions(
    index: int, finish: RegionsFinish, places: dict[str, int], columns: int, pooled: bool, numbers: Numbers
) -> _Lines:
    names = [f"x{k}" for k in range(len(REGION_COLUMNS))]
    whole = finish.over_batch and not pooled
    read = []
    for name, column in zip(names, REGION_COLUMNS, strict=True):
        if column not in places:
            read.append(f"{name} = tl.zeros((BLOCK,), tl.float64)")
        elif whole:
            read.append(f"{name} = over_rows(totals, c, rows, C, {places[column]}, {columns}, inside)")
        else:
            read.append(f"{name} = column(totals, at, {places[column]}, {columns}, inside)")
    read.append(f"left_out = {names[_COUNT]} == 0.0")
    if finish.scored is not None:
        read.append(f"left_out = left_out | (tl.load(scored[{index}] + c, mask=inside, other=0) == 0)")
    absent = f"({names[_TARGET]} == 0.0)"
    formula = Formula(finish.formula, names, f"f{index}_", numbers)
    lines, by = formula.derivative(f"g{index}")
    value = f"tl.where(by_formula, {formula.value}, 0.0)"
    if finish.absent == "skip":
        read += [f"left_out = left_out | {absent}", "by_formula = left_out == 0"]
    elif finish.absent == "penalize":
        read += [f"penalized = (left_out == 0) & {absent}", f"by_formula = (left_out == 0) & ({absent} == 0)"]
    else:
        nothing = f"({absent} & ({names[_PRED]} == 0.0))"
        read.append(f"by_formula = (left_out == 0) & ({nothing} == 0)")
    weight = f"slope{index} * of_class(class_weight{index}, c, inside)"
    gradient = [*read, *formula.lines, f"g{index} = tl.where(by_formula, {weight}, 0.0)", *lines]
    gradient += _added(places, by)
    body = [*read, *formula.lines]
    if finish.absent == "penalize":
        assert finish.penalty is not None
        penalty = Formula(finish.penalty, names, f"p{index}_", numbers)
        slopes, by = penalty.derivative(f"h{index}")
        gradient += [*penalty.lines, f"h{index} = tl.where(penalized, {weight}, 0.0)", *slopes, *_added(places, by)]
        body += penalty.lines
        value = f"tl.where(penalized, {penalty.value}, {value})"
    body += [f"term = {value}", "share = condition(left_out == 0, nothing)"]
    body.append(f"bad = bad | (inside & ({names[_COUNT]} != {names[_COUNT]})).to(tl.int32)")
    regions = "1" if finish.over_batch else "rows"
    return _Lines(_over_regions(index, regions, body) + _mean(index, finish, "1.0"), gradient)


def _added(places: dict[str, int], by: Sequence[str]) -> list[str]:
    """The derivative by each column of a region, added to the coefficients."""
    return [
        f"by{places[column]} += {name}"
        for column, name in zip(REGION_COLUMNS, by, strict=False)
        if column in places and name
    ]


def scored_classes(parts: Sequence[PlannedPart]) -> list[Tensor | None]:
    """For each part, the mask of scored classes, as bytes; None if all are."""
    found: list[Tensor | None] = []
    for part in parts:
        scored = part.finish.scored if isinstance(part.finish, RegionsFinish) else None
        found.append(None if scored is None else torch.tensor(scored, dtype=torch.uint8))
    return found
