"""Sums of two losses."""

from __future__ import annotations

from typing import Any

import mpmath as mp
from mpmath import mpf

from authorities.classification import BCE, FOCAL, LOG
from authorities.overlap import GENERALIZED
from authorities.region import DICE, WITH_LOG, monai, smooth
from formulas import (
    LabelFormula,
    Problem,
    Region,
    RegionFormula,
    divided,
    each,
    log_p_and_q,
    pair,
    pools,
    region,
    scored,
    term,
    totals_of,
    weighted_sum,
)
from inputs import LABELS, labels
from peers import SINGLE
from references import Authority, Chosen, Peer


def combo(o: Chosen, given: Problem) -> mpf:
    r, alpha = mpf(o("ce_ratio")), mpf(o("alpha"))
    class_weight = each(o("class_weight"), len(given.classes))
    tutorial = o("variant") == "tutorial"
    no = alpha * (1 - alpha) if tutorial else 1 - alpha
    numerator = denominator = mpf(0)
    for n in given.samples:
        for s in given.positions:
            log_p, _ = log_p_and_q(given, n, s)
            for c in given.classes:
                if given.counts[n][c][s]:
                    t, w = given.t[n][c][s], given.w[n][c][s] * class_weight[c]
                    numerator -= w * (alpha * t * log_p[c] + no * (1 - t) * (log_p[c] - given.x[n][c][s]))
                    denominator += w
    overlap = DICE.mean(o, given) - (1 if tutorial else 0)
    return r * divided(numerator, denominator) + (1 - r) * overlap


def exp_log(o: Chosen, given: Problem) -> mpf:
    power = mpf(o("gamma"))
    dice = region(lambda r, o: (-mp.log((2 * r.pt + o("smooth")) / (r.p + r.t + o("smooth")))) ** power)
    cross_entropy = term(lambda log, p, q, o: (-log) ** power)
    return mpf(o("dice_weight")) * dice.mean(o, given) + mpf(o("ce_weight")) * cross_entropy.mean(o, given)


def turned(r: Region) -> Region:
    """The region of what is no."""
    n = r.count
    return Region(n - r.p, n - r.t, n - r.p - r.t + r.pt, n - 2 * r.p + r.pp, n - 2 * r.t + r.tt, r.apart, n)


def unified_focal(o: Chosen, given: Problem) -> mpf:
    delta, gamma, balance = (mpf(o(name)) for name in ("delta", "gamma", "balance"))
    class_weight = each(o("class_weight"), len(given.classes))
    numerator = denominator = mpf(0)
    for n in given.samples:
        for at in given.positions:
            log_p, q = log_p_and_q(given, n, at)
            for c in given.classes:
                if given.counts[n][c][at]:
                    t, w = given.t[n][c][at], given.w[n][c][at] * class_weight[c]
                    answers = [(t, log_p[c], q[c], given.softmax and c == 0)]
                    if not given.softmax:
                        answers.append((1 - t, log_p[c] - given.x[n][c][at], mp.exp(log_p[c]), True))
                    for share, log, rest, back in answers:
                        fades = back or not o("asymmetric")
                        numerator -= w * share * ((1 - delta) if back else delta) * log * (rest**gamma if fades else 1)
                        denominator += w * share
    total = size = mpf(0)
    for pool in pools(o, given):
        for c in scored(o, given):
            r = totals_of(given, pool, c)
            if not given.softmax and o("overlap") == "l1":
                r.pt = (r.p + r.t - r.apart) / 2
            sides = [(r, given.softmax and c == 0)] if given.softmax else [(r, False), (turned(r), True)]
            for side, back in sides:
                value = pair(power_of_index(o, plain=back and o("asymmetric")), o, side)
                if value is not None:
                    total += class_weight[c] * value
                    size += class_weight[c]
    return balance * divided(numerator, denominator) + (1 - balance) * divided(total, size)


def power_of_index(o: Chosen, *, plain: bool) -> RegionFormula:
    delta, s = mpf(o("delta")), mpf(o("smooth"))

    def of(r: Region, o: Chosen) -> mpf:
        wrong = (1 - delta) * (r.p - r.pt) + delta * (r.t - r.pt)
        value = wrong / (r.pt + wrong + s) if r.pt + wrong + s else mpf(0)
        return value if plain else max(value, mpf(0)) ** (1 - mpf(o("gamma")))

    return of


def half_of_focal(theirs: Any, x: Any, t: Any) -> Any:
    """MONAI's mean is over yes and no too, so that a third here is a half there; it takes images alone."""
    image = (*x.shape[:2], 1, -1)
    return theirs(x.sigmoid().reshape(image), t.reshape(image)) / 0.75


def unified(delta: float, gamma: float) -> Any:
    ours = {"balance": 1 / 3, "asymmetric": True, "smooth": 1e-7, "absent": "formula", "delta": delta, "gamma": gamma}
    return ours, {"delta": delta, "gamma": gamma, "weight": 0.5}


def weights(other: str, theirs: str) -> list[Any]:
    ours = {"absent": "formula", "smooth": 0.5}
    return [
        (ours, smooth(0.5)),
        ({**ours, "dice_weight": 0.3, other: 2.0}, {**smooth(0.5), "lambda_dice": 0.3, theirs: 2.0}),
    ]


AUTHORITIES: dict[str, list[Authority]] = {
    "dice_bce_loss": [
        *monai("DiceCELoss", weights("bce_weight", "lambda_ce"), ("binary",), note="of one channel"),
        weighted_sum(WITH_LOG, dice_weight=DICE, bce_weight=BCE),
    ],
    "dice_ce_loss": [
        *monai("DiceCELoss", weights("ce_weight", "lambda_ce"), ("indices",)),
        weighted_sum(WITH_LOG, dice_weight=DICE, ce_weight=LOG),
    ],
    "dice_focal_loss": [
        # its focal loss is computed in float32, and its sum adds up spatial means
        *monai(
            "DiceFocalLoss", weights("focal_weight", "lambda_focal"), ("binary",), SINGLE, ("mean",), "of one channel"
        ),
        weighted_sum(WITH_LOG, dice_weight=DICE, focal_weight=FOCAL),
    ],
    "combo_loss": [LabelFormula(combo, settings=WITH_LOG)],
    "generalized_dice_focal_loss": [
        *monai(
            "GeneralizedDiceFocalLoss",
            [
                ({"pool": "batch", "smooth": 0.5}, smooth(0.5)),
                (
                    {"pool": "batch", "smooth": 0.5, "dice_weight": 0.3, "focal_weight": 2.0, "weighting": "simple"},
                    {**smooth(0.5), "lambda_gdl": 0.3, "lambda_focal": 2.0, "w_type": "simple"},
                ),
            ],
            ("binary",),
            SINGLE,
            ("mean",),
            "of one channel",
            batch=True,
        ),
        weighted_sum(({"smooth": 0.6},), dice_weight=GENERALIZED, focal_weight=FOCAL),
    ],
    "exp_log_loss": [LabelFormula(exp_log)],
    "unified_focal_loss": [
        Peer(
            "monai.losses.AsymmetricUnifiedFocalLoss",
            [unified(0.6, 0.5), unified(0.7, 0.2)],
            call=half_of_focal,
            kinds=("binary",),
            note="of one channel",
            reductions=("mean",),
            tolerance=SINGLE,
        ),
        LabelFormula(unified_focal, settings=({"asymmetric": True, "gamma": 0.2, "smooth": 0.3},)),
    ],
}

INPUTS = {
    "dice_bce_loss": labels("binary", "multilabel"),
    "dice_ce_loss": labels("indices", "soft"),
    "dice_focal_loss": labels(*LABELS),
    "combo_loss": labels("binary", "multilabel"),
    "generalized_dice_focal_loss": labels(*LABELS),
    "exp_log_loss": labels(*LABELS),
    "unified_focal_loss": labels(*LABELS),
}
