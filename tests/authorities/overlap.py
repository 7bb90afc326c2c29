"""Losses of overlap other than Dice and Jaccard."""

from __future__ import annotations

import mpmath as mp
import torch
from mpmath import mpf

from authorities.region import monai, smooth
from formulas import LabelFormula, Problem, Region, coupled, divided, log_p_and_q, pools, region
from inputs import THREE, labels
from peers import SINGLE
from references import Authority, Chosen, Peer


def fbeta(r: Region, o: Chosen) -> mpf:
    """From precision and recall."""
    b = mpf(o("beta")) ** 2
    if r.pt == 0:
        return mpf(1)
    precision, recall = r.pt / r.p, r.pt / r.t
    return 1 - (1 + b) * precision * recall / (b * precision + recall)


def mcc(r: Region, o: Chosen) -> mpf:
    fp, fn = r.p - r.pt, r.t - r.pt
    tn = r.count - r.p - fn
    size = r.p * r.t * (r.count - r.t) * (r.count - r.p)  # without rounding where a class is everywhere, or nowhere
    return 1 - (r.pt * tn - fp * fn) / mp.sqrt(size) if size > 0 else mpf(1)


def plain_dice(r: Region, o: Chosen) -> mpf:
    s = mpf(o("smooth"))
    return 1 - (2 * r.pt + s) / (r.p + r.t + s)


def generalized(regions: list[Region], o: Chosen) -> mpf:
    power = {"square": 2, "simple": 1, "uniform": 0}[o("weighting")]
    known = [1 / r.t**power for r in regions if r.t]
    most = max(known) if known else mpf(1)
    weights = [1 / r.t**power if r.t else most for r in regions]
    s = mpf(o("smooth"))
    whole = mp.fsum(w * (r.p + r.t) for w, r in zip(weights, regions, strict=True)) + s
    shared = 2 * mp.fsum(w * r.pt for w, r in zip(weights, regions, strict=True)) + s
    return 1 - shared / whole if whole else mpf(0)


def sensitivity_specificity(r: Region, o: Chosen) -> mpf:
    missed = mp.fsum(w * t * (p - t) ** 2 for w, p, t in r.rows)
    false = mp.fsum(w * (1 - t) * (p - t) ** 2 for w, p, t in r.rows)
    share = mpf(o("r"))
    return share * divided(missed, r.t) + (1 - share) * divided(false, r.count - r.t)


def noise_robust(r: Region, o: Chosen) -> mpf:
    return divided(mp.fsum(w * abs(p - t) ** mpf(o("gamma")) for w, p, t in r.rows), r.pp + r.tt)


def wasserstein(o: Chosen, given: Problem) -> mpf:
    """Of each element the cost of moving its probability to its class."""
    distances = [[mpf(v) for v in row] for row in o("class_distances")]
    most = max(max(row) for row in distances)
    found = []
    for pool in pools(o, given):
        cost = right = size = foreground = mpf(0)
        for n in pool:
            for s in given.positions:
                if given.counts[n][0][s]:
                    p, w = [mp.exp(v) for v in log_p_and_q(given, n, s)[0]], given.w[n][0][s]
                    t = [given.t[n][c][s] for c in given.classes]
                    of_class = [mp.fsum(m * v for m, v in zip(row, p, strict=True)) / most for row in distances]
                    cost += w * mp.fsum(a * b for a, b in zip(t, of_class, strict=True))
                    right += w * mp.fsum(t[c] * (1 - of_class[c]) for c in given.classes if c > 0)
                    foreground += w * mp.fsum(t[1:])
                    size += w
        if size:
            whole = 2 * right + cost + mpf(o("smooth"))
            found.append(divided(cost, whole) if foreground else cost / size)
    return divided(mp.fsum(found), mpf(len(found)))


GENERALIZED = coupled(generalized, settings=({"smooth": 0.4}, {"weighting": "simple", "smooth": 1.0}))
THREE_APART = [[0.0, 1.0, 2.0], [1.0, 0.0, 0.5], [2.0, 0.25, 0.0]]

AUTHORITIES: dict[str, list[Authority]] = {
    "fbeta_loss": [region(fbeta)],
    "mcc_loss": [region(mcc)],
    "log_cosh_dice_loss": [region(lambda r, o: mp.log(mp.cosh(plain_dice(r, o))))],
    "generalized_dice_loss": [
        *monai(
            "GeneralizedDiceLoss",
            [
                ({"smooth": 0.3}, smooth(0.3)),
                ({"smooth": 0.3, "weighting": "simple"}, {**smooth(0.3), "w_type": "simple"}),
                ({"smooth": 0.3, "weighting": "uniform"}, {**smooth(0.3), "w_type": "uniform"}),
            ],
            ("indices",),
            SINGLE,  # its weights are in float32
            ("mean",),
        ),
        GENERALIZED,
    ],
    "sensitivity_specificity_loss": [region(sensitivity_specificity)],
    "noise_robust_dice_loss": [region(noise_robust)],
    "generalized_wasserstein_dice_loss": [
        Peer(
            "monai.losses.GeneralizedWassersteinDiceLoss",
            [({"smooth": 0.3}, smooth(0.3)), ({"smooth": 1.0}, smooth(1.0))],
            always={"dist_matrix": torch.tensor(THREE_APART, dtype=torch.float64)},
            kinds=("indices",),
        ),
        LabelFormula(wasserstein, settings=({"class_distances": [[0.0, 3.0, 1.0], [1.0, 0.0, 1.0], [1.0, 1.0, 0.0]]},)),
    ],
}

INPUTS = {
    "generalized_wasserstein_dice_loss": labels(
        "indices", "soft", makers=THREE, options={"class_distances": THREE_APART}
    ),
}
