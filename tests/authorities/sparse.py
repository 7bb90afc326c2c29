"""Losses of sparse softmaxes."""

from __future__ import annotations

import mpmath as mp
from mpmath import mpf

from authorities.calibration import cross_entropy
from formulas import classes
from inputs import labels
from references import Authority, Chosen

Row = list[mpf]


def entmax(x: Row, alpha: mpf) -> Row:
    """Probabilities by halving the interval of the threshold."""
    z = [(alpha - 1) * v for v in x]

    def p(threshold: mpf) -> Row:
        return [max(v - threshold, mpf(0)) ** (1 / (alpha - 1)) for v in z]

    low, high = max(z) - 1, max(z)
    for _ in range(180):
        middle = (low + high) / 2
        low, high = (middle, high) if mp.fsum(p(middle)) > 1 else (low, middle)
    return p(low)


def loss(x: Row, t: Row, alpha: mpf) -> mpf:
    def omega(p: Row) -> mpf:
        return (mp.fsum(v**alpha for v in p if v) - 1) / (alpha * (alpha - 1))

    p = entmax(x, alpha)
    return omega(t) - omega(p) + mp.fsum((a - b) * v for a, b, v in zip(p, t, x, strict=True))


def of_entmax(x: Row, t: Row, o: Chosen) -> mpf:
    alpha = mpf(o("alpha"))
    return cross_entropy(x, t) if alpha == 1 else loss(x, t, alpha)


AUTHORITIES: dict[str, list[Authority]] = {
    "sparsemax_loss": [classes(lambda x, t, o: loss(x, t, mpf(2)))],
    "entmax_loss": [classes(of_entmax, settings=({"alpha": 1.0}, {"alpha": 1.2}, {"alpha": 2.0}, {"alpha": 3.0}))],
}

INPUTS = {name: labels("indices", smooth=False) for name in ("sparsemax_loss", "entmax_loss")}
