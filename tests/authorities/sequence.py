"""Losses of sequences."""

from __future__ import annotations

from math import log

import mpmath as mp
from mpmath import mpf

from inputs import row, sequences
from references import Authority, BatchFormula, ByHand, Chosen

STEPS = [[[log(0.2), log(0.3), log(0.5)]], [[log(0.1), log(0.6), log(0.3)]]]  # two steps of one sample, three classes


def ctc(log_probs, targets, input_lengths, target_lengths, o: Chosen):  # type: ignore[no-untyped-def]
    """(T, N, C): each sample's loss, divided by its number of labels in the mean, by the forward algorithm."""
    values = []
    for n, (steps, size) in enumerate(zip(input_lengths, target_lengths, strict=True)):
        padded = [o.blank]
        for label in targets[n][:size]:
            padded += [label, o.blank]
        p = [[mp.exp(v) for v in log_probs[t, n]] for t in range(steps)]
        paths = [p[0][label] if i < 2 else mpf(0) for i, label in enumerate(padded)]
        for t in range(1, steps):
            skips = [i > 1 and label not in (o.blank, padded[i - 2]) for i, label in enumerate(padded)]
            before = [mpf(0), mpf(0), *paths]
            paths = [
                p[t][label] * (before[i + 2] + before[i + 1] + (before[i] if skips[i] else 0))
                for i, label in enumerate(padded)
            ]
        values.append(-mp.log(paths[-1] + paths[-2]) / size)
    return mp.fsum(values) / len(values)


AUTHORITIES: dict[str, list[Authority]] = {
    "ctc_loss": [
        BatchFormula(ctc, reductions=("mean",)),
        ByHand(
            (STEPS, [[2]], [2], [1]),
            -log(0.54),
            options={"blank": 1},
            working="Label 2 is read from 2 2, 1 2 and 2 1: 0.5 x 0.3 + 0.3 x 0.3 + 0.5 x 0.6 = 0.54.",
        ),
        ByHand(
            (STEPS, [[2, 2]], [2], [2]),
            0.0,
            options={"zero_infinity": True},
            working="A label repeated takes a blank between, so three steps: two have no alignment.",
        ),
    ],
}

INPUTS = {
    "ctc_loss": [
        row("sequences", sequences, options={"blank": 0}, along=0, own_along={0: 1}, twice=False, averages=False)
    ]
}
