"""Losses of margins."""

from __future__ import annotations

import torch

from formulas import term
from inputs import indices, label_lists, multilabel, rankings, row, signs
from references import Authority, Peer

WEIGHT = [0.5, 2.0, 1.0]


def of_rows(theirs, x, t):  # type: ignore[no-untyped-def]
    """PyTorch's takes (N, C) alone."""
    value = theirs(x.movedim(1, -1).reshape(-1, x.shape[1]), t.flatten())
    return value.reshape(t.shape) if value.dim() else value


def classes_last(theirs, x, t):  # type: ignore[no-untyped-def]
    """PyTorch's takes the mean over the last dimension."""
    return theirs(x.movedim(1, -1), t.movedim(1, -1))


AUTHORITIES: dict[str, list[Authority]] = {
    "margin_ranking_loss": [
        Peer("torch.nn.functional.margin_ranking_loss", [{}, {"margin": 0.7}, {"margin": -0.5}]),
    ],
    "hinge_embedding_loss": [
        Peer("torch.nn.functional.hinge_embedding_loss", [{}, {"margin": 0.4}, {"margin": 3.0}]),
    ],
    "soft_margin_loss": [Peer("torch.nn.functional.soft_margin_loss")],
    "multi_margin_loss": [
        Peer(
            "torch.nn.functional.multi_margin_loss",
            [{}, {"p": 2}, {"margin": 0.3}, {"margin": 2.5, "p": 2}],
            call=of_rows,
        ),
        Peer(  # its mean divides by the samples, ours by their class weights
            "torch.nn.functional.multi_margin_loss",
            [({"class_weight": WEIGHT}, {"weight": torch.tensor(WEIGHT, dtype=torch.float64)})],
            call=of_rows,
            reductions=("sum", "none"),
        ),
    ],
    "multilabel_margin_loss": [Peer("torch.nn.functional.multilabel_margin_loss")],
    "multilabel_soft_margin_loss": [
        Peer("torch.nn.functional.multilabel_soft_margin_loss", call=classes_last),
        term(lambda log, p, q, o: -log),
    ],
}

INPUTS = {
    "margin_ranking_loss": [row("pair", rankings, along=0, differentiable=(0, 1), smooth=False)],
    "hinge_embedding_loss": [row("pair", signs, along=0, smooth=False)],
    "soft_margin_loss": [row("pair", signs, along=0)],
    "multi_margin_loss": [row("indices", indices, smooth=False)],
    "multilabel_margin_loss": [row("samples", label_lists, along=0, smooth=False)],
    "multilabel_soft_margin_loss": [row("multilabel", multilabel, size=1)],
}
