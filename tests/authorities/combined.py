"""Sums of two losses."""

from __future__ import annotations

from typing import Any

from mpmath import mpf

from authorities.classification import BCE, FOCAL, LOG
from authorities.region import DICE, WITH_LOG, monai, smooth
from formulas import LabelFormula, Problem, divided, each, log_p_and_q, weighted_sum
from inputs import LABELS, labels
from peers import SINGLE
from references import Authority, Chosen


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
}

INPUTS = {
    "dice_bce_loss": labels("binary", "multilabel"),
    "dice_ce_loss": labels("indices", "soft"),
    "dice_focal_loss": labels(*LABELS),
    "combo_loss": labels("binary", "multilabel"),
}
