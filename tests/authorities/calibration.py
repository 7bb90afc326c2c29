"""Cross-entropy and what keeps answers from being too sure."""

from __future__ import annotations

import mpmath as mp
from mpmath import mpf

from formulas import classes, softmax
from inputs import labels
from references import Authority, Chosen

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


AUTHORITIES: dict[str, list[Authority]] = {
    "margin_smoothing_loss": [classes(margin_smoothing, settings=({"margin": 0.5}, {"margin": 0.2, "alpha": 2.0}))],
    "confidence_penalty_loss": [classes(confidence_penalty)],
    "z_loss": [classes(z_loss)],
    "evidential_classification_loss": [classes(evidential, tolerance=1e-8)],  # as far as PyTorch's trigamma
}

INPUTS = {
    "margin_smoothing_loss": labels("indices", "soft", smooth=False),
    "confidence_penalty_loss": labels("indices", "soft"),
    "z_loss": labels("indices"),
    "evidential_classification_loss": labels("indices", "soft"),
}
