"""Losses of functions and their derivatives."""

from __future__ import annotations

import math

import numpy as np
import torch

from inputs import fields, row
from references import Authority, BatchFormula, ByHand, Chosen


def grid_sobolev(x, y, o: Chosen):  # type: ignore[no-untyped-def]
    """(N, C, *): the squared error, and the mean over dimensions of the mean square of the differences beside."""
    error = x - y
    dims = range(2, error.ndim)
    value = np.empty(error.shape, dtype=object)
    for place in np.ndindex(error.shape):
        slopes = 0
        for dim in dims:
            step = o.spacing[dim - 2] if isinstance(o.spacing, list) else o.spacing
            beside = [(*place[:dim], place[dim] + by, *place[dim + 1 :]) for by in (-1, 1)]
            squares = [
                ((error[other] - error[place]) / step) ** 2 for other in beside if 0 <= other[dim] < error.shape[dim]
            ]
            slopes += sum(squares) / len(squares)
        value[place] = error[place] ** 2 + o.derivative_weight * slopes / len(dims)
    return value


def sine(dtype: torch.dtype):  # type: ignore[no-untyped-def]
    x = torch.tensor([0.0, math.pi / 6, math.pi / 2], dtype=dtype, requires_grad=True)
    target, slope = x.detach().sin(), x.detach().cos()
    return (2 * x.sin(), target), {"inputs": x, "target_grad": slope}


AUTHORITIES: dict[str, list[Authority]] = {
    "sobolev_loss": [
        ByHand(
            sine,
            17 / 24,
            options={"derivative_weight": 0.5},
            working="At x = 0, π/6 and π/2 a model of 2 sin x for the target sin x, slopes 2 cos x for cos x. Errors "
            "of value sin x, squared 0, 1/4, 1; of slope cos x, squared 1, 3/4, 0. Halved: 1/2, 1/4 + 3/8, 1: 17/24.",
        ),
        ByHand(sine, 1.0, working="The same at weight 1: sin² x + cos² x is 1 at each of the three."),
    ],
    "grid_sobolev_loss": [BatchFormula(grid_sobolev)],
}

INPUTS = {
    "sobolev_loss": [],  # its output must come from its inputs: test_sobolev.py
    "grid_sobolev_loss": [row("fields", fields, along=0)],
}
