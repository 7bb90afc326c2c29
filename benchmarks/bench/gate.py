"""Checks that a contender computes the requested function before it is timed.

The first comparison uses small float32 tensors and a tight tolerance, which distinguishes similar losses. The second
uses the timed tensors, with long sums or half precision; its errors are stored with the times.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from bench import formulas
from bench.contenders import Call
from bench.workloads import Cell, data, mask, reduced

SAME = 1e-4  # relative tolerance in float32 for small tensors
CLOSE = 0.1  # for large tensors or half precision: some peers are this inaccurate, and their errors are reported


class Refused(Exception):
    """Raised if a contender computes another function."""


class Result(NamedTuple):
    value: Tensor
    gradient: Tensor


class Errors(NamedTuple):
    """Errors relative to float64; for the gradient by its norm."""

    value: float
    gradient: float | None


def result(call: Call, x: Tensor, t: Tensor) -> Result:
    """The loss and its gradient."""
    value = call(x, t)
    return Result(value.detach(), torch.autograd.grad(value, x)[0])


class Gate:
    """The reference results of one cell."""

    def __init__(self, cell: Cell) -> None:
        self.cell = cell
        self.x, self.t = data(cell)
        self.small = data(replace(cell, shape=reduced(cell.shape), dtype="float32"))
        self.right_small = self._right(*self.small)
        self.right = self._right(self.x, self.t)

    def _right(self, x: Tensor, t: Tensor) -> Result:
        exact = x.detach().double().requires_grad_()
        counted = mask(x.shape) if self.cell.variant == "mask" else None
        return result(lambda x, t: formulas.loss(self.cell.loss, self.cell.pool, x, t, counted), exact, t)

    def function(self, call: Call) -> None:
        """Raise unless the call computes the same function."""
        x, t = self.small
        self._hold(errors(result(call, x, t), self.right_small), SAME, f"of {tuple(x.shape)} in float32")

    def numbers(self, call: Call) -> Errors:
        """The errors on the timed tensors; raise if they exceed rounding."""
        found = errors(result(call, self.x, self.t), self.right)
        if self.cell.loss == "lovasz" and self.cell.dtype != "float32":
            found = found._replace(gradient=None)  # equal errors may be ranked in any order
        self._hold(found, CLOSE, f"of {self.cell.size} in {self.cell.dtype}")
        return found

    @staticmethod
    def _hold(found: Errors, tolerance: float, where: str) -> None:
        for what, error in zip(("value", "gradient"), found, strict=True):
            if error is not None and not error <= tolerance:
                raise Refused(f"its {what} {where} is off by {error:.1e} from float64; tolerance {tolerance:.0e}")


def errors(found: Result, right: Result) -> Errors:
    """Relative errors of a result."""
    value = float(((found.value.double() - right.value) / right.value).abs().max())
    off = torch.linalg.vector_norm(found.gradient.double() - right.gradient)
    return Errors(value, float(off / torch.linalg.vector_norm(right.gradient)))
