"""Losses of ranked errors."""

from __future__ import annotations

import mpmath as mp
from mpmath import mpf

from formulas import LabelFormula, Problem, divided, each, log_p_and_q, pools
from inputs import LABELS, MAKE, labels, one_hot
from references import Authority, Chosen, Peer


def lovasz(o: Chosen, given: Problem) -> mpf:
    """Errors in falling order, each times what it adds to the Jaccard loss of mistaking those before it."""
    class_weight = each(o("class_weight"), len(given.classes))
    values = []
    for pool in pools(o, given):
        numerator = denominator = mpf(0)
        for c in given.classes:
            elements = []
            for n in pool:
                for s in given.positions:
                    if given.counts[n][c][s]:
                        t = given.t[n][c][s]
                        p = mp.exp(log_p_and_q(given, n, s)[0][c])
                        error = abs(t - p) if given.softmax else max(1 - given.x[n][c][s] * (2 * t - 1), mpf(0))
                        elements.append((error, t))
            present = any(t == 1 for _, t in elements)
            wanted = present if o("classes") == "present" else o("classes") == "all" or c in o("classes")
            if not elements or (given.softmax and not wanted):
                continue
            numerator += class_weight[c] * _extension(elements)
            denominator += class_weight[c]
        if denominator:
            values.append(numerator / denominator)
    return divided(mp.fsum(values), mpf(len(values)))


def _extension(elements: list[tuple[mpf, mpf]]) -> mpf:
    elements = sorted(elements, key=lambda e: -e[0])
    total, before = mpf(0), mpf(0)
    positives = sum(t == 1 for _, t in elements)
    for i, (error, _) in enumerate(elements, 1):
        missed = sum(t == 1 for _, t in elements[:i])
        union = positives + (i - missed)
        jaccard = 1 - mpf(positives - missed) / union
        total += error * (jaccard - before)
        before = jaccard
    return total


def of_images(theirs, x, t):  # type: ignore[no-untyped-def]
    """kornia's takes images alone, (N, C, H, W) and (N, H, W)."""
    return theirs(x.flatten(2).unsqueeze(2), t.flatten(1).unsqueeze(1))


AUTHORITIES: dict[str, list[Authority]] = {
    "lovasz_loss": [
        Peer(
            "kornia.losses.LovaszHingeLoss",
            call=of_images,
            takes_reduction=False,
            reductions=("mean",),
            kinds=("binary",),
        ),
        Peer(
            "kornia.losses.LovaszSoftmaxLoss",
            [({"classes": "all"}, {})],
            call=of_images,
            takes_reduction=False,
            reductions=("mean",),
            kinds=("indices",),
        ),
        LabelFormula(lovasz),
    ],
}

INPUTS = {"lovasz_loss": labels(*LABELS, makers={**MAKE, "soft": one_hot}, weight=False, smooth=False)}
