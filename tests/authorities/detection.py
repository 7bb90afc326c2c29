"""Losses of class scores in detectors."""

from __future__ import annotations

import mpmath as mp
import numpy as np
from mpmath import mpf
from torch import Generator, rand

from formulas import scores, softmax
from inputs import Given, Shape, labels, numbers, row
from peers import SINGLE
from references import Authority, BatchFormula, Chosen, Peer


def logs(x: mpf) -> tuple[mpf, mpf]:
    """log p and log(1 - p)."""
    size = mp.log1p(mp.exp(-abs(x)))
    return min(x, mpf(0)) - size, min(-x, mpf(0)) - size


def bce(x: mpf, t: mpf) -> mpf:
    log_p, log_q = logs(x)
    return -t * log_p - (1 - t) * log_q


def quality(x: mpf, t: mpf, o: Chosen) -> mpf:
    log_p, log_q = logs(x)
    gap = abs(t * mp.exp(log_q) - (1 - t) * mp.exp(log_p))  # t q - (1 - t) p = t - p
    return gap ** mpf(o("beta")) * bce(x, t)


def varifocal(x: mpf, t: mpf, o: Chosen) -> mpf:
    p = mp.exp(logs(x)[0])
    return t * bce(x, t) if t > 0 else mpf(o("alpha")) * p ** mpf(o("gamma")) * bce(x, t)


def gaussian_focal(x: mpf, t: mpf, o: Chosen) -> mpf:
    log_p, log_q = logs(x)
    a = mpf(o("alpha"))
    if t == 1:
        return -mp.exp(a * log_q) * log_p
    return -((1 - t) ** mpf(o("gamma"))) * mp.exp(a * log_p) * log_q


def distribution_focal(x, t, o: Chosen):  # type: ignore[no-untyped-def]
    found = []
    for scores_of, target in zip(x, t, strict=True):
        below = min(int(mp.floor(target)), len(scores_of) - 2)
        p = softmax(list(scores_of))
        found.append(-(below + 1 - target) * mp.log(p[below]) - (target - below) * mp.log(p[below + 1]))
    return np.array(found, dtype=object)


def places(shape: Shape, generator: Generator) -> Given:
    """(N, n + 1) logits, and a number from 0 to n for each row."""
    size = (shape.n, shape.c)
    target = rand((shape.n,), generator=generator).double() * (shape.c - 1)
    return Given((numbers(size, generator), target), (shape.n,))


AUTHORITIES: dict[str, list[Authority]] = {
    "quality_focal_loss": [
        Peer("pytorch_toolbelt.losses.QualityFocalLoss", [{}, {"beta": 1.5}], reductions=("mean",), tolerance=SINGLE),
        scores(quality),
    ],
    "varifocal_loss": [scores(varifocal)],
    "gaussian_focal_loss": [scores(gaussian_focal)],
    "distribution_focal_loss": [BatchFormula(distribution_focal)],
}


def heatmap(shape: Shape, generator: Generator) -> Given:
    """Logits, and targets of which some are 0, some 1 and some between."""
    size = (shape.n, shape.c, *shape.spatial)
    target = rand(size, generator=generator).double()
    return Given((numbers(size, generator), (target * 1.6 - 0.3).clamp(0, 1)), size)


SOFT = row("scores", heatmap, waves=False)
INPUTS = {
    "distribution_focal_loss": [row("samples", places, along=0)],
    "quality_focal_loss": [*labels("binary", "multilabel"), SOFT],
    "varifocal_loss": [*labels("binary", "multilabel"), SOFT],
    "gaussian_focal_loss": [*labels("binary", "multilabel"), SOFT],
}
