"""Losses of class labels."""

from __future__ import annotations

import mpmath as mp
import torch
from mpmath import mpf

from authorities.multilabel import of_rows
from formulas import classes, each, softmax, term
from inputs import labels
from peers import SINGLE
from references import Authority, Chosen, Peer

CLASS = [0.5, 2.0, 1.0]


def pos_weight(o: Chosen, classes: int) -> tuple[list[mpf], list[mpf]]:
    return each(o("pos_weight"), classes), each(None, classes)


def alpha(o: Chosen, classes: int) -> tuple[list[mpf], list[mpf]]:
    if o("alpha") is None:
        return each(None, classes), each(None, classes)
    yes = each(o("alpha"), classes)
    return yes, [1 - a for a in yes]


def focal_cosine(x: list[mpf], t: list[mpf], o: Chosen) -> mpf:
    length = mp.sqrt(mp.fsum(v * v for v in x))
    cosine = mp.fsum(a * b for a, b in zip(x, t, strict=True)) / length / mp.sqrt(mp.fsum(v * v for v in t))
    p = softmax([v / length for v in x])
    focal = -mp.fsum(a * (1 - b) ** mpf(o("gamma")) * mp.log(b) for a, b in zip(t, p, strict=True))
    return 1 - cosine + mpf(o("focal_weight")) * focal


LOG = term(lambda log, p, q, o: -log)
BCE = term(lambda log, p, q, o: -log, pos_weight)
FOCAL = term(lambda log, p, q, o: -log * (q ** mpf(o("gamma")) if o("gamma") else 1), alpha)

AUTHORITIES: dict[str, list[Authority]] = {
    "binary_cross_entropy_with_logits": [
        Peer(
            "torch.nn.functional.binary_cross_entropy_with_logits",
            [{}, ({"pos_weight": 3.0}, {"pos_weight": torch.tensor(3.0)})],
        ),
        BCE,
    ],
    "cross_entropy": [
        Peer(  # the sum first: PyTorch does not divide by the sum of a distribution, which rounding changes
            "torch.nn.functional.cross_entropy", [{}, {"label_smoothing": 0.1}], reductions=("sum", "mean", "none")
        ),
        Peer(
            "torch.nn.functional.cross_entropy",
            [({"class_weight": CLASS}, {"weight": torch.tensor(CLASS, dtype=torch.float64)}), {"ignore_index": 1}],
            kinds=("indices",),
        ),
        LOG,
    ],
    "nll_loss": [
        Peer("torch.nn.functional.nll_loss", [{}, {"ignore_index": 1}], kinds=("indices",)),
        term(lambda log, p, q, o: -log, logs=True),
    ],
    "focal_loss": [
        Peer(
            "torchvision.ops.sigmoid_focal_loss",
            [({"alpha": None}, {"alpha": -1}), ({}, {"alpha": -1, "gamma": 2}), {"alpha": 0.25, "gamma": 0.5}],
            kinds=("binary", "multilabel"),
        ),
        FOCAL,
    ],
    "mean_focal_loss": [
        term(
            lambda log, p, q, o: -log,
            of_mean=lambda mean, o: o("alpha") * (1 - mp.exp(-mean)) ** mpf(o("gamma")) * mean,
        )
    ],
    "poly_loss": [
        Peer(
            "timm.loss.PolyBinaryCrossEntropy",
            [({}, {"epsilon": 1.0}), {"epsilon": -0.5}],
            kinds=("binary", "multilabel"),
            tolerance=SINGLE,
        ),
        term(lambda log, p, q, o: -log + mpf(o("epsilon")) * q),
    ],
    "focal_cosine_loss": [
        Peer(
            "pytorch_toolbelt.losses.FocalCosineLoss",
            [{}, ({"gamma": 1.5, "focal_weight": 0.7}, {"gamma": 1.5, "xent": 0.7})],
            call=of_rows,
            kinds=("indices",),
            reductions=("mean",),
        ),
        classes(focal_cosine),
    ],
    "generalized_cross_entropy_loss": [term(lambda log, p, q, o: (1 - p ** mpf(o("q"))) / mpf(o("q")))],
}

INPUTS = {"focal_cosine_loss": labels("indices", "soft")}
