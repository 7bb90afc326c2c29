"""Fitting: which formula a loss computes, up to its scale and an offset."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

TOLERANCE = 2e-4  # relative to the spread of the values: rounding in float32 and small constants in denominators


def explained(values: Sequence[float | None], *terms: Tensor, offset: bool = True) -> list[float] | None:
    """The coefficients with which the terms, and a constant, add to the values; None if they do not."""
    if any(each is None or not math.isfinite(each) for each in values):
        return None
    found = torch.tensor(values, dtype=torch.float64)
    columns = [each.detach().double().reshape(-1) for each in terms] + [torch.ones_like(found)] * offset
    matrix = torch.stack(columns, 1)
    if not matrix.isfinite().all():
        return None
    solved = torch.linalg.lstsq(matrix, found.unsqueeze(1), driver="gelsd").solution
    spread = float((found - found.mean()).norm())
    rest = float((matrix @ solved - found.unsqueeze(1)).norm())
    return solved.squeeze(1).tolist() if spread > 1e-9 and rest < TOLERANCE * spread else None


def equals(values: Sequence[float | None], formula: Tensor) -> bool:
    """Whether the values are a formula times a positive number, plus a constant."""
    found = explained(values, formula)
    return found is not None and found[0] > 1e-6
