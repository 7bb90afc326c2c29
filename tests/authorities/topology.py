"""Losses of connectedness."""

from __future__ import annotations

from typing import Any

import mpmath as mp
from mpmath import mpf

from authorities.distances import in_plane
from formulas import LabelFormula
from inputs import LABELS, images
from maps import Map, Place, around, maps, neighbours
from references import Authority, ByHand, Chosen, Peer

Numbers = dict[Place, mpf]


def eroded(m: Numbers, shape: Place) -> Numbers:
    return {i: min([v, *(m[j] for j in neighbours(i, shape))]) for i, v in m.items()}


def opened(m: Numbers, shape: Place) -> Numbers:
    least = eroded(m, shape)
    return {i: max(least[j] for j in around(i, shape)) for i in m}


def skeleton(m: Numbers, shape: Place, iterations: int) -> Numbers:
    """One minus the product of what every opening leaves."""
    rest = dict.fromkeys(m, mpf(1))
    for _ in range(iterations + 1):
        after = opened(m, shape)
        rest = {i: rest[i] * (1 - max(m[i] - after[i], mpf(0))) for i in m}
        m = eroded(m, shape)
    return {i: 1 - v for i, v in rest.items()}


def cldice(m: Map, o: Chosen) -> mpf:
    p, t = ({i: a[i] for i in m.places} for a in (m.p, m.t))
    s = mpf(o("smooth"))

    def share(skeleton: Numbers, mask: Numbers) -> mpf:
        whole = mp.fsum(m.w[i] * skeleton[i] for i in m.places) + s
        return (mp.fsum(m.w[i] * skeleton[i] * mask[i] for i in m.places) + s) / whole if whole else mpf(0)

    precision, recall = (share(skeleton(a, m.p.shape, o("iterations")), b) for a, b in ((p, t), (t, p)))
    return 1 - 2 / (1 / precision + 1 / recall) if precision and recall else mpf(1)


def dice(m: Map, o: Chosen) -> mpf:
    s = mpf(o("smooth"))
    p, t, both = (mp.fsum(m.w[i] * v for i, v in zip(m.places, a.flat, strict=True)) for a in (m.p, m.t, m.p * m.t))
    return 1 - (2 * both + s) / (p + t + s)


def recall(m: Map, o: Chosen) -> mpf:
    """A position belongs to the skeleton if no larger ball, a diamond, holds the largest ball around it."""
    shape, inside = m.p.shape, {i for i in m.places if m.t[i] > mpf(1) / 2}

    def away(a: Place, b: Place) -> int:
        return sum(abs(i - j) for i, j in zip(a, b, strict=True))

    def radius(i: Place) -> int:
        """How large a diamond around a position inside stays inside."""
        beyond = min(min(x + 1, size - x) for x, size in zip(i, shape, strict=True))
        return min([beyond, *(away(i, j) for j in m.places if j not in inside)]) - 1

    radii = {i: radius(i) for i in inside}
    bones = {i for i in inside if not any(radii[j] >= radii[i] + 1 for j in neighbours(i, shape) if j in inside)}
    s = mpf(o("smooth"))
    tube = [i for i in inside if any(away(i, j) <= o("width") for j in bones)]
    whole = mp.fsum(m.w[i] for i in tube) + s
    return 1 - (mp.fsum(m.w[i] * m.p[i] for i in tube) + s) / whole if whole else mpf(1)


CLDICE, DICE = maps(cldice, ({"smooth": 0.3}, {"iterations": 1})), maps(dice)
CROSS = [[1e4 if i in (j, 4 - j) else -1e4 for i in range(5)] for j in range(5)]
NO_LAST = {"smooth": 1e-30}  # what MONAI adds to the last denominator

AUTHORITIES: dict[str, list[Authority]] = {
    "cldice_loss": [
        Peer(
            "monai.losses.SoftclDiceLoss",
            [
                ({"absent": "formula"}, NO_LAST),
                (
                    {"absent": "formula", "smooth": 0.2, "iterations": 1},
                    {"smooth_nr": 0.2, "smooth_dr": 0.2, "iter_": 1, **NO_LAST},
                ),
            ],
            call=in_plane,
            always={"sigmoid": True},
            kinds=("binary",),
            reductions=("mean", "sum"),
            note="of one channel",
        ),
        CLDICE,
    ],
    "dice_cldice_loss": [
        Peer(
            "monai.losses.SoftDiceclDiceLoss",
            [({"absent": "formula", "alpha": alpha}, {"alpha": alpha, **NO_LAST}) for alpha in (0.5, 0.2)],
            call=in_plane,
            always={"sigmoid": True},
            kinds=("binary",),
            reductions=("mean", "sum"),
            note="of one channel",
        ),
        LabelFormula(
            lambda o, given: (1 - mpf(o("alpha"))) * DICE.mean(o, given) + mpf(o("alpha")) * CLDICE.mean(o, given),
            settings=({"smooth": 0.4, "alpha": 0.3, "iterations": 1},),
        ),
    ],
    "skeleton_recall_loss": [
        maps(recall, ({"smooth": 0.0}, {"width": 0}, {"width": 1, "smooth": 0.5})),
        ByHand(
            ([[CROSS]], [[[[1.0] * 5] * 5]]),
            12 / 21,
            options={"width": 1, "smooth": 0.0},
            working="A square of 5 by 5, of which the diagonals are predicted. They are its skeleton: the largest "
            "diamond around any other position lies in a larger one. The tube of width 1 leaves out only the middle of "
            "each side, 21 positions; 9 are predicted.",
        ),
    ],
}

INPUTS: dict[str, Any] = {
    "cldice_loss": images(*LABELS, smooth=False),
    "dice_cldice_loss": images(*LABELS, smooth=False),
    "skeleton_recall_loss": images(*LABELS, hard=True),
}
