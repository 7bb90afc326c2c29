"""Losses of sets of masks."""

from __future__ import annotations

import mpmath as mp
import numpy as np

from inputs import masks, row
from references import Authority, BatchFormula, Chosen


def probability(x):  # type: ignore[no-untyped-def]
    return 1 / (1 + np.frompyfunc(mp.exp, 1, 1)(-x))


def mask_dice(x, t, o: Chosen):  # type: ignore[no-untyped-def]
    """One value a mask of (M, *)."""
    p, t = (a.reshape(len(a), -1) for a in (probability(x), t))
    added = o.smooth + o.eps
    return 1 - (2 * (p * t).sum(1) / o.scale + added) / ((p.sum(1) + t.sum(1)) / o.scale + added)


def mask_bce(x, t, o: Chosen):  # type: ignore[no-untyped-def]
    log = np.frompyfunc(mp.log, 1, 1)
    p, t = (a.reshape(len(a), -1) for a in (probability(x), t))
    return (-t * log(p) - (1 - t) * log(1 - p)).sum(1) / p.shape[1]


AUTHORITIES: dict[str, list[Authority]] = {
    "mask_dice_loss": [BatchFormula(mask_dice, settings=[{"smooth": 1.0}, {"scale": 1000.0, "eps": 1e-6}])],
    "mask_bce_loss": [BatchFormula(mask_bce)],
}

ALL_PIXELS = {"num_points": None, "oversample_ratio": 3.0, "importance_sample_ratio": 0.75}
INPUTS = {name: [row("masks", masks, options=ALL_PIXELS)] for name in ("mask_dice_loss", "mask_bce_loss")}
