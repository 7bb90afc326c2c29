"""Losses of similarity."""

from __future__ import annotations

import math

from torch import Tensor

from inputs import embeddings, row, triplets
from references import Authority, Peer


def largest(a: Tensor, b: Tensor) -> Tensor:
    return (a - b).abs().amax(-1)


AUTHORITIES: dict[str, list[Authority]] = {
    "cosine_embedding_loss": [
        Peer("torch.nn.functional.cosine_embedding_loss", [{}, {"margin": 0.3}, {"margin": -0.4}]),
    ],
    "triplet_margin_loss": [
        Peer(
            "torch.nn.functional.triplet_margin_loss",
            [{}, {"margin": 3.0}, {"p": 1.0}, {"p": 3.0, "swap": True, "margin": 2.0}, {"p": math.inf}, {"eps": 0.1}],
        ),
        Peer(
            "torch.nn.TripletMarginWithDistanceLoss",
            [{"distance_function": largest}, {"distance_function": largest, "swap": True, "margin": 2.0}],
        ),
    ],
}

INPUTS = {
    "cosine_embedding_loss": [row("samples", embeddings, along=0, differentiable=(0, 1), smooth=False)],
    "triplet_margin_loss": [row("samples", triplets, along=0, differentiable=(0, 1, 2), smooth=False)],
}
