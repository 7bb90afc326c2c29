"""A formula as a list of operations on registers: first the inputs, then one result per operation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Operation(NamedTuple):
    """One operation: its name, the registers of its operands, and the value of a constant."""

    name: str
    a: int = 0
    b: int = 0
    c: int = 0
    constant: float = 0.0

    @property
    def operands(self) -> tuple[int, ...]:
        """The registers that it reads."""
        if self.name in ("where", "multiply_add"):
            return self.a, self.b, self.c
        return () if self.name == "constant" else (self.a,) if self.name in _UNARY else (self.a, self.b)

    def moved(self, operands: Sequence[int]) -> Operation:
        """The same operation on other registers."""
        return self._replace(**dict(zip(("a", "b", "c"), operands, strict=False)))  # type: ignore[arg-type]


class Tape(NamedTuple):
    """A formula as operations on registers; the last register is its value."""

    inputs: int
    operations: tuple[Operation, ...]


class Untraceable(Exception):  # noqa: N818 - a reason, not an error of the caller
    """Why a formula cannot be recorded as a list of operations."""


class Register(int):
    """The number of a register, as an operand that is neither a tensor nor a number."""


_UNARY = {
    "negate", "copy", "absolute", "sign", "exp", "expm1", "log", "log1p", "sqrt", "tanh", "sigmoid", "cosh", "sinh",
    "floor", "round", "not",
}  # fmt: skip
