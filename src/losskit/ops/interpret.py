"""Evaluates operations with PyTorch functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from losskit.ops.tape import Operation


def registers_of(operations: Sequence[Operation], inputs: Sequence[Tensor]) -> list[Tensor]:
    """The inputs, followed by the result of each operation."""
    registers = list(inputs)
    for operation in operations:
        if operation.name == "constant":
            registers.append(torch.full_like(inputs[0], operation.constant))
        else:
            registers.append(evaluate(operation.name, [registers[k] for k in operation.operands]))
    return registers


def evaluate(name: str, operands: Sequence[Tensor]) -> Tensor:
    """One operation; a condition is 1 or 0."""
    return _TORCH[name](*operands).to(torch.float64)


_TORCH: dict[str, Callable[..., Tensor]] = {
    "add": torch.add, "subtract": torch.sub, "multiply": torch.mul, "divide": torch.div, "negate": torch.neg,
    "multiply_add": lambda a, b, c: a * b + c, "copy": torch.clone, "absolute": torch.abs, "sign": torch.sign,
    "exp": torch.exp, "expm1": torch.expm1, "log": torch.log, "log1p": torch.log1p, "sqrt": torch.sqrt,
    "power": torch.pow, "minimum": torch.minimum, "maximum": torch.maximum, "tanh": torch.tanh,
    "sigmoid": torch.sigmoid, "cosh": torch.cosh, "sinh": torch.sinh, "floor": torch.floor, "round": torch.round,
    "less": torch.lt, "less_equal": torch.le, "equal": torch.eq, "not_equal": torch.ne, "and": torch.logical_and,
    "or": torch.logical_or, "not": torch.logical_not, "where": lambda a, b, c: torch.where(a != 0, b, c),
}  # fmt: skip
