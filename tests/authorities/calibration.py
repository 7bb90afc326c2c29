"""Cross-entropy and what keeps answers from being too sure."""

from __future__ import annotations

import math

import mpmath as mp
import numpy as np
from mpmath import mpf
from torch import Generator

from authorities.multilabel import of_rows
from formulas import classes, softmax
from inputs import Given, Shape, indices, labels, numbers, row
from references import Authority, BatchFormula, ByHand, Chosen, Peer

Row = list[mpf]


def cross_entropy(x: Row, t: Row) -> mpf:
    top = max(x)
    total = top + mp.log(mp.fsum(mp.exp(v - top) for v in x))
    return mp.fsum(share * (total - v) for share, v in zip(t, x, strict=True) if share)


def margin_smoothing(x: Row, t: Row, o: Chosen) -> mpf:
    below = mp.fsum(max(max(x) - v - mpf(o("margin")), mpf(0)) for v in x)
    return cross_entropy(x, t) + mpf(o("alpha")) * below


def confidence_penalty(x: Row, t: Row, o: Chosen) -> mpf:
    return cross_entropy(x, t) + mpf(o("beta")) * mp.fsum(p * mp.log(p) for p in softmax(x) if p)


def z_loss(x: Row, t: Row, o: Chosen) -> mpf:
    return (max(x) + mp.log(mp.fsum(mp.exp(v - max(x)) for v in x))) ** 2


def evidential(x: Row, t: Row, o: Chosen) -> mpf:
    alpha = [1 + (v + mp.log1p(mp.exp(-v)) if v > 0 else mp.log1p(mp.exp(v))) for v in x]
    strength = mp.fsum(alpha)
    return mp.fsum(share * (mp.digamma(strength) - mp.digamma(a)) for share, a in zip(t, alpha, strict=True))


def consistency(x, t, o: Chosen):  # type: ignore[no-untyped-def]
    """Of each row of the first view."""
    views = [np.moveaxis(v, 1, -1).reshape(-1, x.shape[1]) for v in np.split(x, o("num_splits"))]
    found = []
    for y, *rows in zip(t.flat, *views, strict=True):
        p = [softmax(list(row_of)) for row_of in rows]
        m = [mp.fsum(column) / len(p) for column in zip(*p, strict=True)]
        apart = mp.fsum(a * mp.log(a / b) for of_view in p for a, b in zip(of_view, m, strict=True)) / len(p)
        found.append(-mp.log(p[0][y]) + mpf(o("alpha")) * apart)
    return np.array(found, dtype=object).reshape(t.shape)


def views(shape: Shape, generator: Generator) -> Given:
    """Three views of each sample, one after the other."""
    (_, target), positions = indices(shape, generator)
    return Given((numbers((3 * shape.n, shape.c, *shape.spatial), generator), target), positions)


AUTHORITIES: dict[str, list[Authority]] = {
    "margin_smoothing_loss": [classes(margin_smoothing, settings=({"margin": 0.5}, {"margin": 0.2, "alpha": 2.0}))],
    "confidence_penalty_loss": [classes(confidence_penalty)],
    "z_loss": [classes(z_loss)],
    "evidential_classification_loss": [classes(evidential, tolerance=1e-8)],  # as far as PyTorch's trigamma
    "jsd_consistency_loss": [
        Peer(
            "timm.loss.JsdCrossEntropy",
            [{}, {"alpha": 2.5}],
            call=of_rows,
            always={"smoothing": 0.0},
            takes_reduction=False,
            reductions=("mean",),
        ),
        BatchFormula(consistency),
        ByHand(
            ([[0.0, 0.0], [0.0, math.log(3.0)]], [0]),
            math.log(2) + 4 * (math.log(4 / 3) + math.log(4 / 5) + math.log(2 / 3) / 2 + 3 * math.log(6 / 5) / 2) / 4,
            "p is (1/2, 1/2) and (1/4, 3/4), m (3/8, 5/8): divergences 1/2 log(4/3) + 1/2 log(4/5) and "
            "1/4 log(2/3) + 3/4 log(6/5), whose mean counts four times",
            {"num_splits": 2, "alpha": 4.0},
        ),
    ],
}

INPUTS = {
    "margin_smoothing_loss": labels("indices", "soft", smooth=False),
    "confidence_penalty_loss": labels("indices", "soft"),
    "z_loss": labels("indices"),
    "evidential_classification_loss": labels("indices", "soft"),
    "jsd_consistency_loss": [row("views", views)],
}
