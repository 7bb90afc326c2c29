"""Losses of the structure of regions."""

from __future__ import annotations

import itertools
from typing import Any

import mpmath as mp
import numpy as np
from mpmath import mpf

from inputs import LABELS, images
from maps import Map, Place, apart, maps, steps
from references import Authority, BatchFormula, Chosen


def structure(m: Map, o: Chosen) -> mpf:
    shape, size = m.p.shape, o("kernel")

    def mean(i: Place) -> mpf:
        ranges = (range(max(0, x - size // 2), min(n, x - size // 2 + size)) for x, n in zip(i, shape, strict=True))
        return mp.fsum(m.t[j] for j in itertools.product(*ranges)) / mpf(size) ** len(shape)

    entropy = union = shared = whole = mpf(0)
    for i in m.places:
        w, p, t = (1 + 5 * abs(mean(i) - m.t[i])) * m.w[i], m.p[i], m.t[i]
        if m.w[i]:
            log_q = m.log_p[i] - m.x[i]
            entropy -= w * (t * m.log_p[i] + (1 - t) * log_q)
            shared, union, whole = shared + w * p * t, union + w * (p + t - p * t), whole + w
    return entropy / whole + 1 - (shared + 1) / (union + 1)


def contour(m: Map, o: Chosen) -> mpf:
    def length(i: Place) -> mpf:
        squares = mpf(0)
        for dim in range(len(i)):
            after = (*i[:dim], i[dim] + 1, *i[dim + 1 :])
            if after[dim] < m.p.shape[dim] and m.w[i] and m.w[after]:
                squares += (m.p[after] - m.p[i]) ** 2
        return mp.sqrt(squares)

    return m.mean(lambda i: length(i) + o.region_weight * (m.p[i] * (1 - m.t[i]) ** 2 + m.q[i] * m.t[i] ** 2))


def rmi(m: Map, o: Chosen) -> mpf:
    """From the residual of the target's patches after their regression on those of the prediction."""
    alpha, stride = mpf("0.0005"), o("stride")

    def patches(numbers: Any) -> mp.matrix:
        sizes = [(n + 2 * (stride // 2) - stride) // stride + 1 for n in numbers.shape]
        pooled = {}
        for i in itertools.product(*map_of_ranges(sizes)):
            starts = [x * stride - stride // 2 for x in i]
            within = zip(starts, numbers.shape, strict=True)
            block = itertools.product(*(range(max(0, s), min(n, s + stride)) for s, n in within))
            pooled[i] = max(numbers[j] for j in block)
        sides = [min(o("radius"), size) for size in sizes]
        places = list(itertools.product(*map_of_ranges([n - s + 1 for n, s in zip(sizes, sides, strict=True)])))
        rows = []
        for by in itertools.product(*map_of_ranges(sides)):
            row = [pooled[tuple(a + b for a, b in zip(i, by, strict=True))] for i in places]
            center = mp.fsum(row) / len(row)
            rows.append([v - center for v in row])
        return mp.matrix(rows)

    p, t = patches(m.p), patches(m.t)
    regular = alpha * mp.eye(p.rows)
    rest = t * t.T - (t * p.T) * (p * p.T + regular) ** -1 * (p * t.T) + regular
    return mp.log(mp.det(rest)) / (2 * p.rows)


def map_of_ranges(sizes: list[int]) -> list[range]:
    return [range(size) for size in sizes]


def active_boundary(x: Any, t: Any, stopped: Any, _: Any, o: Chosen) -> Any:
    """The loss of each sample; `stopped` are the logits that take no gradient."""
    found = []
    for logits, truth, fixed in zip(x, t, stopped, strict=True):
        if truth.shape == logits.shape:  # yes and no
            each = [_boundary_of(_two(logits[c]), truth[c], _two(fixed[c]), o) for c in range(len(logits))]
        else:
            each = [_boundary_of(logits, truth, fixed, o)]
        found.append(mp.fsum(each) / len(each))
    return np.array(found, dtype=object)


def _two(logits: Any) -> Any:
    return np.stack([logits * 0, logits])


def _log_p(logits: Any, i: Place) -> list[mpf]:
    column = [row[i] for row in logits]
    whole = mp.log(mp.fsum(mp.exp(v) for v in column))
    return [v - whole for v in column]


def _divergence(log_p: list[mpf], log_q: list[mpf]) -> mpf:
    return mp.fsum(mp.exp(a) * (a - b) for a, b in zip(log_p, log_q, strict=True))


def _boundary_of(logits: Any, truth: Any, fixed: Any, o: Chosen) -> mpf:
    shape = truth.shape
    places = list(itertools.product(*map_of_ranges(list(shape))))
    moving, still = ({i: _log_p(a, i) for i in places} for a in (logits, fixed))
    border, change = set(), dict.fromkeys(places, mpf(0))
    for i in places:
        for dim in range(len(shape)):
            after = (*i[:dim], i[dim] + 1, *i[dim + 1 :])
            if after in change:
                change[i] += _divergence(still[i], still[after])
                if truth[i] != truth[after]:
                    border.add(i)
    if not border:
        return mpf(0)
    spacing = steps(o, len(shape))
    away = {i: min(apart(i, j, spacing) for j in border) for i in places}
    most = sorted(places, key=lambda i: -change[i])[: max(1, int(len(places) * o("share") * (1 + 1e-9)))]
    cube = [by for by in itertools.product((-1, 0, 1), repeat=len(shape)) if any(by)]
    moved = {tuple(a + b for a, b in zip(i, by, strict=True)) for i in most for by in [*cube, (0,) * len(shape)]}
    values = []
    for i in sorted(moved & change.keys()):
        beside = [tuple(a + b for a, b in zip(i, by, strict=True)) for by in cube]
        beside = [j for j in beside if j in change]
        if not beside or min(away[j] for j in beside) > away[i]:
            continue
        best = min(range(len(beside)), key=lambda k: away[beside[k]])
        scores = [_divergence(still[j], moving[i]) for j in beside]
        whole = mp.log(mp.fsum(mp.exp(v) for v in scores)) if len(scores) > 1 else scores[0]
        log_p = [v - whole for v in scores]
        smooth = mpf(o("label_smoothing"))
        entropy = -(1 - smooth) * log_p[best] - smooth * mp.fsum(log_p) / len(log_p)
        values.append(entropy * min(mpf(1), away[i] / mpf(o("max_distance"))))
    return mp.fsum(values) / len(values) if values else mpf(0)


WIDE = {"share": 0.5, "max_distance": 2.0}  # so that a few positions have a border

AUTHORITIES: dict[str, list[Authority]] = {
    "structure_loss": [maps(structure, ({"kernel": 3}, {"kernel": 2}))],
    "active_contour_loss": [maps(contour)],
    "rmi_loss": [maps(rmi, ({"radius": 2, "stride": 2}, {"radius": 2, "stride": 1}))],
    "active_boundary_loss": [
        BatchFormula(
            active_boundary,
            stops=True,
            settings=[
                {"share": 0.9}, {"max_distance": 1.0}, {"label_smoothing": 0.0}, {"label_smoothing": 0.5},
                {"spacing": 0.5},
            ],
        )
    ],
}  # fmt: skip

INPUTS: dict[str, Any] = {
    "structure_loss": images("binary", "multilabel"),
    "active_contour_loss": images(*LABELS),
    "rmi_loss": images(*LABELS, weight=False, options={"radius": 2, "stride": 1}),
    "active_boundary_loss": images(*LABELS[:3], hard=True, options=WIDE, stops=True, weight=False),
}
