"""Losses of rare classes and answers."""

from __future__ import annotations

from collections.abc import Callable

import mpmath as mp
from mpmath import mpf

from formulas import LabelFormula, Problem, classes, each, log_p_and_q
from formulas import term as of_term
from inputs import THREE, labels
from references import Authority, Chosen

COUNTS = [500.0, 20.0, 3.0]
LOG = of_term(lambda log, p, q, o: -log)


def ldam(x: list[mpf], t: list[mpf], o: Chosen) -> mpf:
    counts = [mpf(n) for n in o("class_counts")]
    margins = [mpf(o("max_margin")) * (min(counts) / n) ** mpf(0.25) for n in counts]
    s, total = mpf(o("scale")), mpf(0)
    for c, share in enumerate(t):
        if share:
            z = [s * (v - (margins[c] if k == c else 0)) for k, v in enumerate(x)]
            top = max(z)
            total -= share * (z[c] - top - mp.log(mp.fsum(mp.exp(v - top) for v in z)))
    return total


def means_of_answers(o: Chosen, given: Problem, of: Callable[[mpf], mpf]) -> list[mpf | None]:
    """The mean of `of(log p of the answer)` over positives and over negatives, or None where there are none."""
    class_weight = each(o("class_weight"), len(given.classes))
    sums = [[mpf(0), mpf(0)], [mpf(0), mpf(0)]]
    for n in given.samples:
        for s in given.positions:
            log_p, _ = log_p_and_q(given, n, s)
            for c in given.classes:
                if given.counts[n][c][s]:
                    w, t = given.w[n][c][s] * class_weight[c], given.t[n][c][s]
                    for k, share, log in ((0, t, log_p[c]), (1, 1 - t, log_p[c] - given.x[n][c][s])):
                        sums[k][0] += w * share * of(log)
                        sums[k][1] += w * share
    return [total / size if size else None for total, size in sums]


def balanced_bce(o: Chosen, given: Problem) -> mpf:
    means = [m for m in means_of_answers(o, given, lambda log: -log) if m is not None]
    return mp.fsum(means) / len(means) if means else mpf(0)


AUTHORITIES: dict[str, list[Authority]] = {
    "balanced_softmax_loss": [LOG],
    "logit_adjusted_loss": [LOG],
    "ldam_loss": [classes(ldam, settings=({"scale": 2.0}, {"max_margin": 2.0, "scale": 1.0}))],
    "balanced_bce_loss": [LabelFormula(balanced_bce)],
}

INPUTS = {
    "balanced_softmax_loss": labels("indices", "soft", makers=THREE, options={"prior": COUNTS}),
    "logit_adjusted_loss": labels("indices", "soft", makers=THREE, options={"prior": COUNTS}),
    "ldam_loss": labels("indices", "soft", makers=THREE, options={"class_counts": COUNTS}),
    "balanced_bce_loss": labels("binary", "multilabel"),
}
