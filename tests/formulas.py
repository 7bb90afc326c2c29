"""The losses of labels once more, element by element in mpmath at 50 digits: the reference of values and gradients."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import mpmath as mp
import torch
from mpmath import mpf
from torch import Tensor

from cases import Case

mp.mp.dps = 50
Options = Mapping[str, Any]
Grid = list[list[list[mpf]]]  # [sample][class][position]


@dataclass
class Problem:
    """One call: scores, truth, weights and what counts, as [sample][class][position]."""

    softmax: bool
    x: Grid
    t: Grid
    w: Grid
    counts: list[list[list[bool]]]
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
    return [[[number(v) for v in row] for row in sample] for sample in tensor.flatten(2).tolist()]


def problem(case: Case, tensors: tuple[Tensor, ...], weight: Tensor | None, mask: Tensor | None) -> Problem:
    input, target = (t.detach() for t in tensors)
    if case.kind == "indices":
        target = torch.nn.functional.one_hot(target, input.shape[1]).movedim(-1, 1)
    weight = torch.ones_like(input) if weight is None else weight.expand_as(input)
    mask = torch.ones_like(input, dtype=torch.bool) if mask is None else mask.expand_as(input)
    return Problem(case.softmax, grid(input.double()), grid(target.double()), grid(weight.double()), grid(mask, bool))


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


def option(case_or_loss: Any, options: Options, name: str) -> Any:
    return options.get(name, case_or_loss.options[name].default)


# Losses of elements: the loss of a truth with log-probability log, probability p, and q = 1 - p.

Term = Callable[[mpf, mpf, mpf, Callable[[str], Any]], mpf]
TERMS: dict[str, Term] = {
    "binary_cross_entropy_with_logits": lambda log, p, q, o: -log,
    "cross_entropy": lambda log, p, q, o: -log,
    "nll_loss": lambda log, p, q, o: -log,
    "mean_focal_loss": lambda log, p, q, o: -log,
    "multilabel_soft_margin_loss": lambda log, p, q, o: -log,
    "focal_loss": lambda log, p, q, o: -log * (q ** mpf(o("gamma")) if o("gamma") else 1),
    "generalized_cross_entropy_loss": lambda log, p, q, o: (1 - p ** mpf(o("q"))) / mpf(o("q")),
    "symmetric_cross_entropy_loss": lambda log, p, q, o: -o("alpha") * log - o("beta") * q * mp.log(mpf(o("floor"))),
}


def elementwise(loss: Any, name: str, options: Options, given: Problem) -> tuple[mpf, mpf]:
    """The numerator and denominator of the mean."""

    def of(key: str) -> Any:
        return option(loss, options, key)

    classes, e = given.classes, mpf(of("label_smoothing"))
    class_weight = [mpf(v) for v in of("class_weight") or [1] * len(classes)]
    yes, no = _sides(name, of, given)
    prior = of("prior") if "prior" in loss.options else None
    shift = [mp.log(mpf(v) / mp.fsum(prior)) for v in prior] if prior else None
    numerator = denominator = mpf(0)
    for n in given.samples:
        for s in given.positions:
            log_p, q = log_p_and_q(given, n, s, shift)
            if name == "nll_loss":
                log_p = [given.x[n][c][s] for c in classes]
            for c in classes:
                if not given.counts[n][c][s]:
                    continue
                t, w = given.t[n][c][s], given.w[n][c][s] * class_weight[c]
                value = TERMS[name](log_p[c], mp.exp(log_p[c]), q[c], of)
                if given.softmax:
                    numerator += w * yes[c] * (t * (1 - e) + e / len(classes)) * value
                    denominator += w * t
                else:
                    other = TERMS[name](log_p[c] - given.x[n][c][s], q[c], 1 - q[c], of)
                    t_smooth = t * (1 - e) + e / 2
                    numerator += w * (yes[c] * t_smooth * value + no[c] * (1 - t_smooth) * other)
                    denominator += w
    return numerator, denominator


def _sides(name: str, of: Callable[[str], Any], given: Problem) -> tuple[list[mpf], list[mpf]]:
    """The factors of yes and no for each class."""
    ones = [mpf(1)] * len(given.classes)
    if name == "binary_cross_entropy_with_logits":
        return _each(of("pos_weight"), ones), ones
    if name == "focal_loss" and of("alpha") is not None:
        alpha = _each(of("alpha"), ones)
        return alpha, [1 - a for a in alpha]
    return ones, ones


def _each(value: Any, ones: list[mpf]) -> list[mpf]:
    if value is None:
        return ones
    return [mpf(v) for v in value] if isinstance(value, list) else [mpf(value)] * len(ones)


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


def dice(r: Region, o: Callable[[str], Any]) -> mpf:
    size = r.pp + r.tt if o("squared") else r.p + r.t
    score = (2 * r.pt + o("smooth")) / (size + o("smooth"))
    return -mp.log(score) if o("log") else 1 - score


def jaccard(r: Region, o: Callable[[str], Any]) -> mpf:
    return 1 - (r.pt + o("smooth")) / (r.p + r.t - r.pt + o("smooth"))


def tversky(r: Region, o: Callable[[str], Any]) -> mpf:
    s = mpf(o("smooth"))
    return 1 - (r.pt + s) / (r.pt + o("alpha") * (r.p - r.pt) + o("beta") * (r.t - r.pt) + s)


REGIONS: dict[str, Callable[[Region, Callable[[str], Any]], mpf]] = {
    "dice_loss": dice,
    "jaccard_loss": jaccard,
    "tversky_loss": tversky,
    "focal_tversky_loss": lambda r, o: max(tversky(r, o), mpf(0)) ** mpf(o("gamma")),
}


def region(loss: Any, name: str, options: Options, given: Problem) -> tuple[mpf, mpf]:
    def of(key: str) -> Any:
        return option(loss, options, key)

    chosen = [c for c in given.classes if of("classes") is None or c in of("classes")]
    if not of("include_background") and len(given.classes) > 1:
        chosen = [c for c in chosen if c != 0]
    class_weight = [mpf(v) for v in of("class_weight") or [1] * len(given.classes)]
    pools = [[n] for n in given.samples] if of("pool") == "sample" else [list(given.samples)]
    numerator = denominator = mpf(0)
    for pool in pools:
        for c in chosen:
            value = _pair(REGIONS[name], of, _totals(given, pool, c))
            if value is not None:
                numerator += class_weight[c] * value
                denominator += class_weight[c]
    return numerator, denominator


def _totals(given: Problem, pool: list[int], c: int) -> Region:
    rows = []
    for n in pool:
        for s in given.positions:
            if given.counts[n][c][s]:
                p = mp.exp(log_p_and_q(given, n, s)[0][c])
                t, w = given.t[n][c][s], given.w[n][c][s]
                rows.append([w * v for v in (p, t, p * t, p * p, t * t, abs(p - t), mpf(1))])
    return Region(*(mp.fsum(column) for column in zip(*rows, strict=True))) if rows else Region(*[mpf(0)] * 7)


def _pair(formula: Callable[..., mpf], of: Callable[[str], Any], r: Region) -> mpf | None:
    if of("overlap") == "l1":
        r.pt = (r.p + r.t - r.apart) / 2
    if r.count == 0 or (r.t == 0 and of("absent") == "skip"):
        return None
    if r.t == 0 and of("absent") == "penalize":
        return (r.p - r.pt) / r.count
    return formula(r, of)


def lovasz(loss: Any, options: Options, given: Problem) -> tuple[mpf, mpf]:
    """Errors in falling order, each times what it adds to the Jaccard loss of mistaking those before it."""

    def of(key: str) -> Any:
        return option(loss, options, key)

    pools = [[n] for n in given.samples] if of("pool") == "sample" else [list(given.samples)]
    class_weight = [mpf(v) for v in of("class_weight") or [1] * len(given.classes)]
    values = []
    for pool in pools:
        numerator = denominator = mpf(0)
        for c in given.classes:
            elements = []
            for n in pool:
                for s in given.positions:
                    if given.counts[n][c][s]:
                        t = given.t[n][c][s]
                        p = mp.exp(log_p_and_q(given, n, s)[0][c])
                        error = abs(t - p) if given.softmax else max(1 - given.x[n][c][s] * (2 * t - 1), mpf(0))
                        elements.append((error, t))
            present = any(t == 1 for _, t in elements)
            wanted = present if of("classes") == "present" else of("classes") == "all" or c in of("classes")
            if not elements or (given.softmax and not wanted):
                continue
            numerator += class_weight[c] * _extension(elements)
            denominator += class_weight[c]
        if denominator:
            values.append(numerator / denominator)
    return mp.fsum(values), mpf(len(values))


def _extension(elements: list[tuple[mpf, mpf]]) -> mpf:
    elements = sorted(elements, key=lambda e: -e[0])
    total, before = mpf(0), mpf(0)
    positives = sum(t == 1 for _, t in elements)
    for i, (error, _) in enumerate(elements, 1):
        missed = sum(t == 1 for _, t in elements[:i])
        union = positives + (i - missed)
        jaccard = 1 - mpf(positives - missed) / union
        total += error * (jaccard - before)
        before = jaccard
    return total


COMBINED = {
    "dice_bce_loss": ("bce_weight", "binary_cross_entropy_with_logits"),
    "dice_ce_loss": ("ce_weight", "cross_entropy"),
    "dice_focal_loss": ("focal_weight", "focal_loss"),
}
KNOWN = {*TERMS, *REGIONS, *COMBINED, "combo_loss", "lovasz_loss"}


def mean(case: Case, options: Options, given: Problem) -> mpf:
    name, loss = case.entry.name, case.loss
    if name in COMBINED:
        weight, other = COMBINED[name]
        first = mpf(option(loss, options, "dice_weight")) * divided(region(loss, "dice_loss", options, given))
        return first + mpf(option(loss, options, weight)) * divided(elementwise(loss, other, options, given))
    if name == "combo_loss":
        return combo(loss, options, given)
    if name in REGIONS:
        return divided(region(loss, name, options, given))
    if name == "lovasz_loss":
        return divided(lovasz(loss, options, given))
    value = divided(elementwise(loss, name, options, given))
    if name == "mean_focal_loss":
        gamma = mpf(option(loss, options, "gamma"))
        return option(loss, options, "alpha") * (1 - mp.exp(-value)) ** gamma * value
    return value


def combo(loss: Any, options: Options, given: Problem) -> mpf:
    r, alpha = (mpf(option(loss, options, key)) for key in ("ce_ratio", "alpha"))
    class_weight = [mpf(v) for v in option(loss, options, "class_weight") or [1] * len(given.classes)]
    tutorial = option(loss, options, "variant") == "tutorial"
    no = alpha * (1 - alpha) if tutorial else 1 - alpha
    numerator = denominator = mpf(0)
    for n in given.samples:
        for s in given.positions:
            log_p, _ = log_p_and_q(given, n, s)
            for c in given.classes:
                if given.counts[n][c][s]:
                    t, w = given.t[n][c][s], given.w[n][c][s] * class_weight[c]
                    numerator -= w * (alpha * t * log_p[c] + no * (1 - t) * (log_p[c] - given.x[n][c][s]))
                    denominator += w
    overlap = divided(region(loss, "dice_loss", options, given)) - (1 if tutorial else 0)
    return r * divided((numerator, denominator)) + (1 - r) * overlap


def divided(fraction: tuple[mpf, mpf]) -> mpf:
    numerator, denominator = fraction
    return numerator / denominator if denominator else mpf(0)


def value(
    case: Case,
    options: Options,
    tensors: tuple[Tensor, ...],
    weight: Tensor | None = None,
    mask: Tensor | None = None,
) -> mpf:
    """The mean."""
    return mean(case, options, problem(case, tensors, weight, mask))


def gradient(case: Case, options: Options, tensors: tuple[Tensor, ...]) -> Tensor:
    """The derivative of the mean by the input, by central differences of 1e-20."""
    given = problem(case, tensors, None, None)
    step = mpf(10) ** -20
    result = []
    for n in given.samples:
        for c in given.classes:
            for s in given.positions:
                at, around = given.x[n][c][s], []
                for shifted in (at + step, at - step):
                    given.x[n][c][s] = shifted
                    given.known.clear()
                    around.append(mean(case, options, given))
                given.x[n][c][s] = at
                result.append(float((around[0] - around[1]) / (2 * step)))
    return torch.tensor(result, dtype=torch.float64).reshape(tensors[0].shape)
