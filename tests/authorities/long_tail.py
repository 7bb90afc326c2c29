"""Losses of rare classes and answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mpmath as mp
from mpmath import mpf

from authorities.multilabel import of_rows
from formulas import LabelFormula, Problem, classes, divided, each, log_p_and_q
from formulas import term as of_term
from inputs import THREE, labels
from peers import SINGLE
from references import Authority, Chosen, Peer

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


def aucm(o: Chosen, given: Problem) -> mpf:
    """From squares of differences, of positives and of negatives."""
    class_weight = each(o("class_weight"), len(given.classes))
    rows = [
        (given.w[n][c][s] * class_weight[c], given.t[n][c][s], mp.exp(log_p_and_q(given, n, s)[0][c]))
        for n in given.samples
        for s in given.positions
        for c in given.classes
        if given.counts[n][c][s]
    ]
    yes, no = [(w * t, p) for w, t, p in rows if t], [(w * (1 - t), p) for w, t, p in rows if t != 1]
    a, b, alpha, margin = (mpf(o(name)) for name in ("a", "b", "alpha", "margin"))
    value, means = mpf(0), []
    for side, to in ((yes, a), (no, b)):
        size = mp.fsum(w for w, _ in side)
        if size:
            value += mp.fsum(w * (p - to) ** 2 for w, p in side) / size
            means.append(mp.fsum(w * p for w, p in side) / size)
    return value + (2 * alpha * (margin + means[1] - means[0]) - alpha**2 if len(means) == 2 else 0)


def distribution_balanced(o: Chosen, given: Problem) -> mpf:
    counts, whole = [mpf(n) for n in o("class_counts")], mpf(o("num_samples"))
    class_weight = each(o("class_weight"), len(counts))
    scale, power = mpf(o("neg_scale")), mpf(o("focal_gamma"))
    numerator = denominator = mpf(0)
    for n in given.samples:
        for s in given.positions:
            rarity = mp.fsum(given.t[n][c][s] / counts[c] for c in given.classes if given.counts[n][c][s])
            for c in given.classes:
                if given.counts[n][c][s]:
                    t, w = given.t[n][c][s], given.w[n][c][s] * class_weight[c]
                    turn = mpf(o("map_beta")) * ((1 / counts[c]) / rarity - mpf(o("map_mu"))) if rarity else mp.inf
                    rare = mpf(o("map_alpha")) + (1 / (1 + mp.exp(-turn)) if rarity else 1)
                    z = given.x[n][c][s] - mpf(o("init_bias")) / scale * mp.log((whole - counts[c]) / counts[c])
                    yes = (1 / (1 + mp.exp(z))) ** power * mp.log1p(mp.exp(-z))
                    no = (1 / (1 + mp.exp(-scale * z))) ** power * mp.log1p(mp.exp(scale * z)) / scale
                    numerator += w * rare * mpf(o("focal_balance")) * (t * yes + (1 - t) * no)
                    denominator += w
    return divided(numerator, denominator)


def of_probabilities(theirs: Any, x: Any, t: Any) -> Any:
    """MONAI takes what a sigmoid gives."""
    return theirs(x.sigmoid(), t)


BALANCED = {"class_counts": COUNTS, "num_samples": 600}
AUTHORITIES: dict[str, list[Authority]] = {
    "balanced_softmax_loss": [LOG],
    "logit_adjusted_loss": [LOG],
    "ldam_loss": [classes(ldam, settings=({"scale": 2.0}, {"max_margin": 2.0, "scale": 1.0}))],
    "balanced_bce_loss": [LabelFormula(balanced_bce)],
    "aucm_loss": [
        Peer(
            "monai.losses.AUCMLoss",
            [{}, {"margin": 0.5}],
            call=of_probabilities,
            always={"version": "v2"},
            kinds=("binary",),
            reductions=("mean",),
        ),
        LabelFormula(aucm, settings=({"a": 0.9, "b": 0.2, "alpha": 0.4, "margin": 0.7},)),
    ],
    "distribution_balanced_loss": [
        Peer(
            "timm.loss.DistributionBalancedLoss",
            [
                {},
                {
                    "map_alpha": 0.3,
                    "map_beta": 2.0,
                    "map_mu": 0.5,
                    "neg_scale": 3.0,
                    "init_bias": 0.4,
                    "focal_gamma": 1.0,
                    "focal_balance": 0.7,
                },
            ],
            call=of_rows,
            always=BALANCED,
            reductions=("mean",),
            tolerance=SINGLE,
        ),
        LabelFormula(distribution_balanced, settings=({"class_counts": [1.0, 80.0, 20.0], "num_samples": 100},)),
    ],
}

INPUTS = {
    "balanced_softmax_loss": labels("indices", "soft", makers=THREE, options={"prior": COUNTS}),
    "logit_adjusted_loss": labels("indices", "soft", makers=THREE, options={"prior": COUNTS}),
    "ldam_loss": labels("indices", "soft", makers=THREE, options={"class_counts": COUNTS}),
    "balanced_bce_loss": labels("binary", "multilabel"),
    "aucm_loss": labels("binary", "multilabel"),
    "distribution_balanced_loss": labels("multilabel", makers=THREE, options=BALANCED),
}
