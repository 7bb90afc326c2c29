"""Losses whose weights follow what they have seen."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import mpmath as mp
import numpy as np
from mpmath import mpf

from formulas import LabelFormula, Problem, divided, each, log_p_and_q, softmax, term
from inputs import labels
from references import Authority, BatchFormula, Chosen


def seesaw(x: Any, t: Any, fixed: Any, _t: Any, o: Chosen) -> Any:
    """One value a position; what the second logits say has no gradient."""
    x, fixed = (np.moveaxis(a, 1, -1).reshape(-1, a.shape[1]) for a in (x, fixed))
    before = o("class_counts") or [0] * x.shape[1]
    seen = [max(mpf(before[c]) + sum(1 for y in t.flat if y == c), mpf(1)) for c in range(x.shape[1])]
    found = []
    for row, other, y in zip(x, fixed, t.flat, strict=True):
        p = softmax(list(other))
        total = mpf(0)
        for c, v in enumerate(row):
            factor = mpf(1)
            if c != y:
                factor = min(mpf(1), seen[c] / seen[y]) ** mpf(o("p"))
                factor *= max(mpf(1), p[c] / max(p[y], mpf(o("floor")))) ** mpf(o("q"))
            total += factor * mp.exp(v - row[y])
        found.append(mp.log(total))
    return np.array(found, dtype=object).reshape(t.shape)


def equalized(o: Chosen, classes: int) -> tuple[list[mpf], list[mpf]]:
    if o("positive") is None:
        return each(None, classes), each(None, classes)
    ratios = [mpf(a) / mpf(b) for a, b in zip(o("positive"), o("negative"), strict=True)]
    no = [1 / (1 + mp.exp(-mpf(o("gamma")) * (r - mpf(o("mu"))))) for r in ratios]
    return [1 + mpf(o("alpha")) * (1 - w) for w in no], no


def ghm(o: Chosen, given: Problem) -> mpf:
    """Every answer by one over the size of its bin."""
    class_weight = each(o("class_weight"), len(given.classes))
    rows = []
    for n in given.samples:
        for s in given.positions:
            log_p, q = log_p_and_q(given, n, s)
            for c in given.classes:
                if given.counts[n][c][s]:
                    t, x = given.t[n][c][s], given.x[n][c][s]
                    gap = abs(t * q[c] - (1 - t) * mp.exp(log_p[c]))  # t q - (1 - t) p = t - p
                    at = min(int(mp.floor(gap * o("bins"))), o("bins") - 1)
                    loss = -t * log_p[c] - (1 - t) * (log_p[c] - x)
                    rows.append((at, given.w[n][c][s] * class_weight[c], loss))
    sizes = {at: mp.fsum(w for other, w, _ in rows if other == at) for at, _, _ in rows}
    m, before = mpf(o("momentum")), o("bin_counts") or [0.0] * o("bins")
    total = mp.fsum(w * loss / (m * mpf(before[at]) + (1 - m) * sizes[at]) for at, w, loss in rows)
    return divided(total, mpf(len(sizes)))


EQUAL = term(lambda log, p, q, o: -log, equalized)
AUTHORITIES: dict[str, list[Authority]] = {
    "seesaw_loss": [
        BatchFormula(seesaw, stops=True, settings=({"class_counts": [50.0, 7.0, 1.0]}, {"q": 0.5, "floor": 0.6}))
    ],
    "equalization_loss": [
        replace(
            EQUAL,
            kinds=("multilabel",),
            settings=(
                {"positive": [3.0, 1.0, 0.2], "negative": [2.0, 4.0, 0.1]},
                {"positive": [3.0, 1.0, 2.0], "negative": [2.0, 4.0, 1.5], "gamma": 2.0, "mu": 1.0, "alpha": 1.0},
            ),
        ),
        replace(EQUAL, kinds=("binary",)),
    ],
    "ghm_loss": [
        LabelFormula(
            ghm, settings=({"bins": 3}, {"bins": 1}, {"bins": 3, "momentum": 0.4, "bin_counts": [7.0, 2.0, 0.5]})
        )
    ],
}

INPUTS = {
    "seesaw_loss": labels("indices", stops=True, averages=False),
    "equalization_loss": labels("binary", "multilabel"),
    "ghm_loss": labels("binary", "multilabel", smooth=False),
}
