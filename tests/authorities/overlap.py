"""Losses of overlap other than Dice and Jaccard."""

from __future__ import annotations

import mpmath as mp
from mpmath import mpf

from authorities.region import monai, smooth
from formulas import Region, coupled, region
from peers import SINGLE
from references import Authority, Chosen


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
        coupled(generalized, settings=({"smooth": 0.4}, {"weighting": "simple", "smooth": 1.0})),
    ],
}
