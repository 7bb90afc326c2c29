"""Losses of labels that are wrong or complementary."""

from __future__ import annotations

import math
from typing import Any

import mpmath as mp
import numpy as np
import torch
from mpmath import mpf
from torch import Generator

import losskit
from authorities.long_tail import means_of_answers
from formulas import LabelFormula, Problem, classes, softmax, term
from inputs import Given, Shape, indices, labels, row
from references import Authority, BatchFormula, ByHand, Chosen

CE = losskit.CrossEntropyLoss()
Row = list[mpf]


def negative(x: Row, t: Row, o: Chosen) -> mpf:
    others = [mp.fsum(mp.exp(v - max(x)) for i, v in enumerate(x) if i != c) for c in range(len(x))]
    total = mp.fsum(mp.exp(v - max(x)) for v in x)
    return -mp.fsum(share * mp.log(rest / total) for share, rest in zip(t, others, strict=True) if share)


def normalized(x: Row, t: Row, o: Chosen) -> mpf:
    """Of cross-entropy, the focal loss or the generalized cross-entropy."""
    criterion = o("criterion")

    def f(p: mpf) -> mpf:
        if isinstance(criterion, losskit.FocalLoss):
            return -((1 - p) ** mpf(criterion.gamma)) * mp.log(p)
        if isinstance(criterion, losskit.GeneralizedCrossEntropyLoss):
            return (1 - p ** mpf(criterion.q)) / mpf(criterion.q)
        return -mp.log(p)

    each = [f(p) for p in softmax(x)]
    return mp.fsum(a * b for a, b in zip(t, each, strict=True)) / mp.fsum(each)


def bi_tempered(x: Row, t: Row, o: Chosen) -> mpf:
    t1, t2 = mpf(o("t1")), mpf(o("t2"))

    def log(u: mpf) -> mpf:
        return mp.log(u) if t1 == 1 else (u ** (1 - t1) - 1) / (1 - t1)

    def exp(u: mpf) -> mpf:
        return mp.exp(u) if t2 == 1 else (1 + (1 - t2) * u) ** (1 / (1 - t2))

    low, high = max(x), max(x) + 60
    while mp.fsum(exp(v - high) for v in x) > 1:
        high += high - low
    for _ in range(200):  # halving
        middle = (low + high) / 2
        low, high = (middle, high) if mp.fsum(exp(v - middle) for v in x) > 1 else (low, middle)
    p = [exp(v - low) for v in x]
    gap = mp.fsum(a * (log(a) - log(b)) for a, b in zip(t, p, strict=True) if a)
    return gap - mp.fsum(a ** (2 - t1) - b ** (2 - t1) for a, b in zip(t, p, strict=True)) / (2 - t1)


def positive_unlabelled(o: Chosen, given: Problem) -> mpf:
    prior = mpf(o("prior"))
    wrong, unlabelled = means_of_answers(o, given, lambda log: 1 - mp.exp(log))
    of_positives = mpf(0) if wrong is None else 1 - wrong
    return prior * (wrong or mpf(0)) + max((unlabelled or mpf(0)) - prior * of_positives, mpf(0))


def partial(x: Any, t: Any, labelled: Any, o: Chosen) -> Any:
    """The probability of all classes that may be true."""
    found = []
    for n, *at in np.ndindex(t.shape):
        background = [c for c in range(x.shape[1]) if c == 0 or not labelled[n][c]]
        p = softmax([x[(n, c, *at)] for c in range(x.shape[1])])
        y = t[(n, *at)]
        found.append(-mp.log(mp.fsum(p[c] for c in (background if y in background else [y]))))
    return np.array(found, dtype=object).reshape(t.shape)


def partly_labelled(shape: Shape, generator: Generator) -> Given:
    """Class indices, and the classes that each sample was labelled for, 1 among them."""
    tensors, positions = indices(shape, generator)
    labelled = torch.rand((shape.n, shape.c), generator=generator) < 0.6
    labelled[:, 1:2] = True
    return Given((*tensors, labelled), positions)


AUTHORITIES: dict[str, list[Authority]] = {
    "taylor_cross_entropy_loss": [
        term(lambda log, p, q, o: mp.fsum(q**k / k for k in range(1, o("order") + 1)), settings=({"order": 5},))
    ],
    "symmetric_cross_entropy_loss": [
        term(lambda log, p, q, o: -o("alpha") * log - o("beta") * q * mp.log(mpf(o("floor"))))
    ],
    "reverse_cross_entropy_loss": [term(lambda log, p, q, o: -mp.log(mpf(o("floor"))) * q)],
    "negative_learning_loss": [classes(negative)],
    "normalized_loss": [
        classes(
            normalized,
            settings=(
                {"criterion": losskit.FocalLoss(gamma=2.0)},
                {"criterion": losskit.GeneralizedCrossEntropyLoss(q=0.7)},
            ),
        )
    ],
    "bi_tempered_loss": [
        classes(
            bi_tempered,
            settings=(
                {"t1": 0.3},
                {"t1": 1.0},
                {"t2": 2.5},
                {"t2": 1.0},
                {"t1": 0.0, "t2": 3.9},
                {"t1": 1.0, "t2": 1.0},
            ),
        )
    ],
    "partial_label_loss": [
        BatchFormula(partial),
        ByHand(
            ([[math.log(0.1), math.log(0.2), math.log(0.7)]] * 2, [2, 1], [[True, True, False]] * 2),
            1 / 2 * math.log(1 / 0.8) + 1 / 2 * math.log(1 / 0.2),
            "class 2 was not labelled, so the first is background: 0.1 + 0.7; the second is class 1: 0.2",
        ),
    ],
    "pu_loss": [LabelFormula(positive_unlabelled, settings=({"prior": 0.2}, {"prior": 0.9}))],
}

INPUTS = {
    "pu_loss": labels("binary", "multilabel", options={"prior": 0.5}, smooth=False),
    "negative_learning_loss": labels("indices", "soft"),
    "partial_label_loss": [row("partly labelled", partly_labelled, along=0)],
    "normalized_loss": labels("indices", options={"criterion": CE}),
    "bi_tempered_loss": labels("indices"),
}
