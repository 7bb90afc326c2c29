"""Formulas of label losses in mpmath, element by element at 50 digits: the reference for values and gradients.

`term`, `region`, `weighted_sum` and `LabelFormula` make the authorities of these losses. Weights, masks, smoothing,
pooling, absent classes and the choice of classes are implemented here for all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import mpmath as mp
import torch
from mpmath import mpf
from torch import Tensor

from inputs import Case
from references import STEP, Chosen, Mpmath, Numbers, Options, Setting, directions

Grid = list[list[list[mpf]]]  # [sample][class][position]


@dataclass
class Problem:
    """One call: scores, targets, weights and which elements count, as [sample][class][position]."""

    softmax: bool
    x: Grid
    t: Grid
    w: Grid
    counts: list[list[list[bool]]]
    space: tuple[int, ...] = ()
    known: dict[tuple[int, int, bool], Any] = field(default_factory=dict)

    @property
    def samples(self) -> range:
        return range(len(self.x))

    @property
    def classes(self) -> range:
        return range(len(self.x[0]))

    @property
    def positions(self) -> range:
        return range(len(self.x[0][0]))


def grid(tensor: Tensor, number: Callable[[Any], Any] = mpf) -> Any:
    spatial = tensor.flatten(2) if tensor.dim() > 2 else tensor.unsqueeze(2)
    return [[[number(v) for v in row] for row in sample] for sample in spatial.tolist()]


def problem(case: Case, tensors: tuple[Tensor, ...], weight: Tensor | None, mask: Tensor | None) -> Problem:
    input, target = (t.detach() for t in tensors)
    if case.kind == "indices":
        target = torch.nn.functional.one_hot(target, input.shape[1]).movedim(-1, 1)
    weight = torch.ones_like(input) if weight is None else weight.expand_as(input)
    mask = torch.ones_like(input, dtype=torch.bool) if mask is None else mask.expand_as(input)
    grids = (grid(t.double()) for t in (input, target, weight))
    return Problem(case.softmax, *grids, grid(mask, bool), tuple(input.shape[2:]))


def log_p_and_q(problem: Problem, n: int, s: int, shift: list[mpf] | None = None) -> tuple[list[mpf], list[mpf]]:
    """log p and 1 - p of every class at one position."""
    key = n, s, shift is None
    if key not in problem.known:
        problem.known[key] = _log_p_and_q(problem, n, s, shift)
    return problem.known[key]


def _log_p_and_q(problem: Problem, n: int, s: int, shift: list[mpf] | None) -> tuple[list[mpf], list[mpf]]:
    x = [problem.x[n][c][s] + (shift[c] if shift else 0) for c in problem.classes]
    if not problem.softmax:
        log_p = [-mp.log1p(mp.exp(-v)) if v > 0 else v - mp.log1p(mp.exp(v)) for v in x]
        return log_p, [mp.exp(-v) / (1 + mp.exp(-v)) if v > 0 else 1 / (1 + mp.exp(v)) for v in x]
    top = max(problem.classes, key=lambda c: x[c])
    log_sum = mp.log1p(mp.fsum(mp.exp(x[c] - x[top]) for c in problem.classes if c != top))
    log_p = [v - x[top] - log_sum for v in x]
    p = [mp.exp(v) for v in log_p]
    return log_p, [mp.fsum(p[k] for k in problem.classes if k != c) for c in problem.classes]


@dataclass(frozen=True)
class LabelFormula(Mpmath):
    """The mean of a label loss, as a function of the options and of the values at every element."""

    mean: Callable[[Chosen, Problem], mpf]
    reductions: tuple[str, ...] = field(default=("mean",), kw_only=True)  # test_meaning.py covers the others

    def covers(self, case: Case) -> bool:
        return case.labels and super().covers(case)

    def value(
        self,
        case: Case,
        options: Options,
        tensors: tuple[Tensor, ...],
        weight: Tensor | None = None,
        mask: Tensor | None = None,
    ) -> mpf:
        return self.mean(Chosen(case.loss, {**case.options, **options}), problem(case, tensors, weight, mask))

    def gradient(self, case: Case, options: Options, tensors: tuple[Tensor, ...]) -> Tensor:
        """The derivative of the mean by the input, by central differences."""
        given, chosen = problem(case, tensors, None, None), Chosen(case.loss, {**case.options, **options})
        result = []
        for n in given.samples:
            for c in given.classes:
                for s in given.positions:
                    at, around = given.x[n][c][s], []
                    for shifted in (at + STEP, at - STEP):
                        given.x[n][c][s] = shifted
                        given.known.clear()
                        around.append(self.mean(chosen, given))
                    given.x[n][c][s] = at
                    result.append(float((around[0] - around[1]) / (2 * STEP)))
        return torch.tensor(result, dtype=torch.float64).reshape(tensors[0].shape)

    def expected(self, case: Case, setting: Setting, tensors: tuple[Tensor, ...], reduction: str) -> Numbers:
        value = torch.tensor(float(self.value(case, setting.ours, tensors)), dtype=torch.float64)
        along = directions(tensors, (0,))
        given, chosen = problem(case, tensors, None, None), Chosen(case.loss, {**case.options, **setting.ours})
        at, steps, around = given.x, grid(along[0]), []
        for step in (STEP, -STEP):
            given.x = [
                [[x + step * by for x, by in zip(*rows, strict=True)] for rows in zip(*sample, strict=True)]
                for sample in zip(at, steps, strict=True)
            ]
            given.known.clear()
            around.append(self.mean(chosen, given))
        return Numbers(value, (torch.tensor(float((around[0] - around[1]) / (2 * STEP)), dtype=torch.float64),), along)


# Losses of elements, from the log-probability `log` of the true label, its probability p, and q = 1 - p.

Term = Callable[[mpf, mpf, mpf, Chosen], mpf]
Sides = Callable[[Chosen, int], tuple[list[mpf], list[mpf]]]


def even(o: Chosen, classes: int) -> tuple[list[mpf], list[mpf]]:
    return [mpf(1)] * classes, [mpf(1)] * classes


def each(value: Any, classes: int) -> list[mpf]:
    """One number for each class."""
    if value is None:
        return [mpf(1)] * classes
    return [mpf(v) for v in value] if isinstance(value, list) else [mpf(value)] * classes


def term(
    of: Term,
    sides: Sides = even,
    of_mean: Callable[[mpf, Chosen], mpf] = lambda mean, o: mean,
    logs: bool = False,
    settings: tuple[Options, ...] = (),
    of_no: Term | None = None,
) -> LabelFormula:
    """The mean of `of(log, p, q, o)` over the true label of every element.

    `sides` are the factors of positives and negatives for each class; `logs` says that the input is log-probabilities;
    `of_no` is the term of a negative, where it differs.
    """
    terms = of, of_no or of
    return LabelFormula(lambda o, given: of_mean(_mean_of_elements(terms, sides, logs, o, given), o), settings=settings)


def _mean_of_elements(terms: tuple[Term, Term], sides: Sides, logs: bool, o: Chosen, given: Problem) -> mpf:
    of, of_no = terms
    classes, e = given.classes, mpf(o("label_smoothing", 0.0))
    class_weight = each(o("class_weight"), len(classes))
    yes, no = sides(o, len(classes))
    prior = o("prior")
    shift = [mpf(o("tau", 1)) * mp.log(mpf(v) / mp.fsum(prior)) for v in prior] if prior else None
    numerator = denominator = mpf(0)
    for n in given.samples:
        for s in given.positions:
            log_p, q = log_p_and_q(given, n, s, shift)
            if logs:
                log_p = [given.x[n][c][s] for c in classes]
            for c in classes:
                if not given.counts[n][c][s]:
                    continue
                t, w = given.t[n][c][s], given.w[n][c][s] * class_weight[c]
                value = of(log_p[c], mp.exp(log_p[c]), q[c], o)
                if given.softmax:
                    numerator += w * yes[c] * (t * (1 - e) + e / len(classes)) * value
                    denominator += w * t
                else:
                    other = of_no(log_p[c] - given.x[n][c][s], q[c], mp.exp(log_p[c]), o)
                    t_smooth = t * (1 - e) + e / 2
                    numerator += w * (yes[c] * t_smooth * value + no[c] * (1 - t_smooth) * other)
                    denominator += w
    return divided(numerator, denominator)


def softmax(x: list[mpf]) -> list[mpf]:
    top = max(x)
    powers = [mp.exp(v - top) for v in x]
    return [v / mp.fsum(powers) for v in powers]


def classes(
    of: Callable[[list[mpf], list[mpf], Chosen], mpf], settings: tuple[Options, ...] = (), tolerance: float = 1e-11
) -> LabelFormula:
    """The mean over positions of `of(x, t, o)`, with the logits and the target probabilities of all classes."""

    def mean(o: Chosen, given: Problem) -> mpf:
        class_weight = each(o("class_weight"), len(given.classes))
        numerator = denominator = mpf(0)
        for n in given.samples:
            for s in given.positions:
                if given.counts[n][0][s]:
                    x, t = ([rows[n][c][s] for c in given.classes] for rows in (given.x, given.t))
                    w = given.w[n][0][s]
                    if o("class_weight") is not None:
                        w *= mp.fsum(a * b for a, b in zip(class_weight, t, strict=True))
                    numerator += w * of(x, t, o)
                    denominator += w
        return divided(numerator, denominator)

    return LabelFormula(mean, settings=settings, tolerance=tolerance)


def scores(of: Callable[[mpf, mpf, Chosen], mpf], settings: tuple[Options, ...] = ()) -> LabelFormula:
    """The mean over elements of `of(x, t, o)`, with a logit and its target."""

    def mean(o: Chosen, given: Problem) -> mpf:
        class_weight = each(o("class_weight"), len(given.classes))
        numerator = denominator = mpf(0)
        for n in given.samples:
            for c in given.classes:
                for s in given.positions:
                    if given.counts[n][c][s]:
                        w = given.w[n][c][s] * class_weight[c]
                        numerator += w * of(given.x[n][c][s], given.t[n][c][s], o)
                        denominator += w
        return divided(numerator, denominator)

    return LabelFormula(mean, settings=settings)


# Losses of regions: a formula on the totals of one class of one sample, or of the batch.


@dataclass
class Region:
    p: mpf
    t: mpf
    pt: mpf
    pp: mpf
    tt: mpf
    apart: mpf
    count: mpf
    rows: list[tuple[mpf, mpf, mpf]] = field(default_factory=list)  # weight, p and t of each element


RegionFormula = Callable[[Region, Chosen], mpf]


def region(of: RegionFormula, settings: tuple[Options, ...] = ()) -> LabelFormula:
    """The mean of `of(totals, o)` over classes and samples."""
    return LabelFormula(lambda o, given: _mean_of_regions(of, o, given), settings=settings)


def coupled(of: Callable[[list[Region], Chosen], mpf], settings: tuple[Options, ...] = ()) -> LabelFormula:
    """The mean over samples of `of(regions, o)`, with the totals of all scored classes."""

    def mean(o: Chosen, given: Problem) -> mpf:
        found = []
        for pool in pools(o, given):
            regions = [totals_of(given, pool, c) for c in scored(o, given)]
            for r in regions:
                if o("overlap") == "l1":
                    r.pt = (r.p + r.t - r.apart) / 2
            if any(r.count for r in regions):
                found.append(of(regions, o))
        return divided(mp.fsum(found), mpf(len(found)))

    return LabelFormula(mean, settings=settings)


def scored(o: Chosen, given: Problem) -> list[int]:
    chosen = [c for c in given.classes if o("classes") is None or c in o("classes")]
    return chosen if o("include_background") or len(given.classes) == 1 else [c for c in chosen if c != 0]


def _mean_of_regions(of: RegionFormula, o: Chosen, given: Problem) -> mpf:
    chosen = scored(o, given)
    class_weight = each(o("class_weight"), len(given.classes))
    numerator = denominator = mpf(0)
    for pool in pools(o, given):
        for c in chosen:
            value = pair(of, o, totals_of(given, pool, c))
            if value is not None:
                numerator += class_weight[c] * value
                denominator += class_weight[c]
    return divided(numerator, denominator)


def pools(o: Chosen, given: Problem) -> list[list[int]]:
    """The samples that are scored together."""
    return [[n] for n in given.samples] if o("pool") == "sample" else [list(given.samples)]


def totals_of(given: Problem, pool: list[int], c: int) -> Region:
    rows = []
    for n in pool:
        for s in given.positions:
            if given.counts[n][c][s]:
                p = mp.exp(log_p_and_q(given, n, s)[0][c])
                rows.append((given.w[n][c][s], p, given.t[n][c][s]))
    each = [[w * v for v in (p, t, p * t, p * p, t * t, abs(p - t), mpf(1))] for w, p, t in rows]
    return Region(*(mp.fsum(column) for column in zip(*each, strict=True)), rows) if rows else Region(*[mpf(0)] * 7)


def pair(of: RegionFormula, o: Chosen, r: Region) -> mpf | None:
    if o("overlap") == "l1":
        r.pt = (r.p + r.t - r.apart) / 2
    if r.count == 0 or (r.t == 0 and o("absent") == "skip"):
        return None
    if r.t == 0 and o("absent") == "penalize":
        return (r.p - r.pt) / r.count
    return of(r, o)


def weighted_sum(settings: tuple[Options, ...] = (), **parts: LabelFormula) -> LabelFormula:
    """The sum of other formulas, each times the option of its name."""
    return LabelFormula(
        lambda o, given: mp.fsum(mpf(o(weight)) * part.mean(o, given) for weight, part in parts.items()),
        settings=settings,
    )


def divided(numerator: mpf, denominator: mpf) -> mpf:
    return numerator / denominator if denominator else mpf(0)
