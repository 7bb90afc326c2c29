"""Losses of several labels a sample."""

from __future__ import annotations

import mpmath as mp
import numpy as np
from mpmath import mpf

from formulas import classes, scores, term
from formulas import softmax as probabilities
from inputs import labels, multilabel, row
from peers import SINGLE
from references import Authority, BatchFormula, Chosen, Peer


def positive(log: mpf, p: mpf, q: mpf, o: Chosen) -> mpf:
    return -(q ** mpf(o("gamma_positive"))) * log


def negative(log_q: mpf, q: mpf, p: mpf, o: Chosen) -> mpf:
    shifted = max(p - mpf(o("clip")), mpf(0))
    if o("clip") == 0:
        return -(p ** mpf(o("gamma_negative"))) * log_q
    return -(shifted ** mpf(o("gamma_negative"))) * mp.log(1 - shifted)


def of_one_label(x: list[mpf], t: list[mpf], o: Chosen) -> mpf:
    e, total = mpf(o("label_smoothing")), mpf(0)
    for p, share in zip(probabilities(x), t, strict=True):
        yes = (1 - p) ** mpf(o("gamma_positive")) * mp.log(p)
        no = p ** mpf(o("gamma_negative")) * mp.log(p)
        total -= share * (1 - e + e / len(x)) * yes + (1 - share) * e / len(x) * no
    return total


def hinge(x: mpf, t: mpf, o: Chosen) -> mpf:
    power = 2 if o("squared") else 1
    yes, no = (max(mpf(o("margin")) - side * x, mpf(0)) ** power for side in (1, -1))
    return t * yes + (1 - t) * no


def of_rows(theirs, x, t):  # type: ignore[no-untyped-def]
    """timm's take (N, C) alone."""
    target = t.flatten() if t.dim() < x.dim() else t.movedim(1, -1).reshape(-1, x.shape[1])
    return theirs(x.movedim(1, -1).reshape(-1, x.shape[1]), target)


def zlpr(x, t, o: Chosen):  # type: ignore[no-untyped-def]
    """One value a position of (N, C, *)."""
    x, t = np.moveaxis(x, 1, -1), np.moveaxis(t, 1, -1)
    exp, log = np.frompyfunc(mp.exp, 1, 1), np.frompyfunc(mp.log, 1, 1)
    return log(1 + ((1 - t) * exp(x)).sum(-1)) + log(1 + (t * exp(-x)).sum(-1))


def two_way(x, t, o: Chosen):  # type: ignore[no-untyped-def]
    """Along the classes of each row, and along the rows of each class."""
    x, t = (np.moveaxis(a, 1, -1).reshape(-1, a.shape[1]) for a in (x, t))
    total = mpf(0)
    for scores_of, shares in ((x, t), (x.T, t.T)):
        found = []
        for row_of, share in zip(scores_of, shares, strict=True):
            if not any(share):
                continue
            high, low = mpf(o("positive_temperature")), mpf(o("negative_temperature"))
            yes = mp.fsum(a * mp.exp(-v / high) for a, v in zip(share, row_of, strict=True)) ** high
            no = mp.fsum((1 - a) * mp.exp(v / low) for a, v in zip(share, row_of, strict=True)) ** low
            found.append(mp.log(1 + yes * no))
        total += mp.fsum(found) / len(found) if found else mpf(0)
    return total


AUTHORITIES: dict[str, list[Authority]] = {
    "asymmetric_loss": [
        Peer(
            "timm.loss.AsymmetricLossMultiLabel",
            [
                {},
                (
                    {"gamma_negative": 2.0, "gamma_positive": 0.5, "clip": 0.2},
                    {"gamma_neg": 2.0, "gamma_pos": 0.5, "clip": 0.2},
                ),
            ],
            tolerance=SINGLE,
        ),
        term(positive, of_no=negative, settings=({"clip": 0.3}, {"clip": 0.0}, {"gamma_negative": 1.5})),
    ],
    "asymmetric_softmax_loss": [
        Peer(
            "timm.loss.AsymmetricLossSingleLabel",
            [
                ({}, {"gamma_pos": 0.0}),
                ({"gamma_negative": 1.0, "gamma_positive": 2.0}, {"gamma_neg": 1, "gamma_pos": 2}),
            ],
            call=of_rows,
            reductions=("mean",),
        ),
        classes(of_one_label, settings=({"label_smoothing": 0.4}, {"gamma_positive": 1.0, "label_smoothing": 0.2})),
    ],
    "hinge_loss": [scores(hinge)],
    "zlpr_loss": [
        Peer("timm.loss.ZlprLoss", call=of_rows, takes_reduction=False, reductions=("mean",), tolerance=SINGLE),
        BatchFormula(zlpr),
    ],
    "two_way_loss": [
        Peer(
            "timm.loss.TwoWayLoss",
            [{}, ({"positive_temperature": 2.0, "negative_temperature": 0.5}, {"tp": 2.0, "tn": 0.5})],
            call=of_rows,
            takes_reduction=False,
            reductions=("mean",),
            tolerance=SINGLE,
        ),
        BatchFormula(two_way, reductions=("mean",)),
    ],
}

INPUTS = {
    "asymmetric_softmax_loss": labels("indices"),
    "hinge_loss": labels("binary", "multilabel", smooth=False),
    "zlpr_loss": [row("multilabel", multilabel, size=1)],
    "two_way_loss": [row("multilabel", multilabel, size=1, averages=False)],
}
