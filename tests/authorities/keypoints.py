"""Losses of keypoints."""

from __future__ import annotations

from typing import Any

import numpy as np
from mpmath import exp, fsum, mpf

from inputs import row
from number_inputs import keypoints
from references import Authority, BatchFormula, Chosen


def oks(x: Any, t: Any, visible: Any, area: Any, o: Chosen) -> Any:
    found = []
    for points, truth, seen, size in zip(x, t, visible, area, strict=True):
        rows = [(p, q, mpf(s)) for p, q, v, s in zip(points, truth, seen, o.sigmas, strict=True) if v]
        found.append(fsum(1 - exp(-fsum((p - q) ** 2) / (2 * (2 * s) ** 2 * size)) for p, q, s in rows) / len(rows))
    return np.asarray(found, object)


AUTHORITIES: dict[str, list[Authority]] = {"oks_loss": [BatchFormula(oks)]}

INPUTS = {
    "oks_loss": [
        row(
            "keypoints",
            keypoints,
            options={"sigmas": [0.5, 1.0, 2.0]},
            along=0,
            differentiable=(0, 1),
            waves=False,
        )
    ],
}
