"""Who computes the function that is asked for: nobody is timed before.

First digit by digit in float32 on small tensors, which tells apart losses that only resemble each other; then on the
tensors that are timed, where sums are long and half precision is coarse, and where the error is kept with the times.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from bench import formulas
from bench.contenders import Call
from bench.workloads import Cell, data, mask, reduced

SAME = 1e-4  # the relative difference that rounding explains in float32, of few numbers
CLOSE = 0.1  # and of many, or of half precision: some peers are that far off; what they are off by is reported


class Refused(Exception):
    """A contender computes something else."""


class Result(NamedTuple):
    value: Tensor
    gradient: Tensor


class Errors(NamedTuple):
    """Relative to float64; of the gradient by its length."""

    value: float
    gradient: float | None


def result(call: Call, x: Tensor, t: Tensor) -> Result:
    """The loss and its gradient."""
    value = call(x, t)
    return Result(value.detach(), torch.autograd.grad(value, x)[0])


class Gate:
    """The right answers of one cell."""

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
        """Raise unless it is the same function."""
        x, t = self.small
        self._hold(errors(result(call, x, t), self.right_small), SAME, f"of {tuple(x.shape)} in float32")

    def numbers(self, call: Call) -> Errors:
        """The errors on the tensors that are timed; raise where they are no rounding."""
        found = errors(result(call, self.x, self.t), self.right)
        if self.cell.loss == "lovasz" and self.cell.dtype != "float32":
            found = found._replace(gradient=None)  # equal errors may be ranked either way
        self._hold(found, CLOSE, f"of {self.cell.size} in {self.cell.dtype}")
        return found

    @staticmethod
    def _hold(found: Errors, tolerance: float, where: str) -> None:
        for what, error in zip(("value", "gradient"), found, strict=True):
            if error is not None and not error <= tolerance:
                raise Refused(f"its {what} {where} is off by {error:.1e} of float64's; {tolerance:.0e} is allowed")


def errors(found: Result, right: Result) -> Errors:
    """How far a result is from the right one."""
    value = float(((found.value.double() - right.value) / right.value).abs().max())
    off = torch.linalg.vector_norm(found.gradient.double() - right.gradient)
    return Errors(value, float(off / torch.linalg.vector_norm(right.gradient)))
