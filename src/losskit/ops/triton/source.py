"""Prints formulas as Triton source: value and derivative, one line per operation."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from typing import NamedTuple

from losskit.ops.tape import Operation, Tape, Untraceable

VALUES: dict[str, str] = {
    "add": "{a} + {b}", "subtract": "{a} - {b}", "multiply": "{a} * {b}", "multiply_add": "{a} * {b} + {c}",
    "divide": "{a} / {b}", "negate": "-{a}", "copy": "{a}", "absolute": "tl.abs({a})", "sign": "sign({a})",
    "exp": "tl.exp({a})", "expm1": "expm1({a})", "log": "tl.log({a})", "log1p": "log1p({a})", "sqrt": "tl.sqrt({a})",
    "power": "power({a}, {b})", "minimum": "least({a}, {b})", "maximum": "most({a}, {b})", "tanh": "tanh({a})",
    "sigmoid": "sigmoid({a})", "cosh": "cosh({a})", "sinh": "sinh({a})", "floor": "tl.floor({a})",
    "round": "nearest({a})", "less": "condition({a} < {b}, {zero})", "less_equal": "condition({a} <= {b}, {zero})",
    "equal": "condition({a} == {b}, {zero})", "not_equal": "condition({a} != {b}, {zero})",
    "and": "condition(({a} != 0.0) & ({b} != 0.0), {zero})",
    "or": "condition(({a} != 0.0) | ({b} != 0.0), {zero})", "not": "condition({a} == 0.0, {zero})",
    "where": "tl.where({a} != 0.0, {b}, {c})",
}  # fmt: skip
# The gradient by each operand, given the gradient g by the result y; operations not listed have none.
SLOPES: dict[str, dict[str, str]] = {
    "add": {"a": "{g}", "b": "{g}"},
    "subtract": {"a": "{g}", "b": "-{g}"},
    "multiply": {"a": "{g} * {b}", "b": "{g} * {a}"},
    "multiply_add": {"a": "{g} * {b}", "b": "{g} * {a}", "c": "{g}"},
    "divide": {"a": "{g} / {b}", "b": "-{g} * {y} / {b}"},
    "negate": {"a": "-{g}"},
    "copy": {"a": "{g}"},
    "absolute": {"a": "{g} * sign({a})"},
    "exp": {"a": "{g} * {y}"},
    "expm1": {"a": "{g} * ({y} + 1.0)"},
    "log": {"a": "{g} / {a}"},
    "log1p": {"a": "{g} / ({a} + 1.0)"},
    "sqrt": {"a": "{g} / (2.0 * {y})"},
    "power": {"a": "tl.where({b} == 0.0, 0.0, {g} * ({b} * power({a}, {b} - 1.0)))"},  # the exponent is a constant
    "minimum": {"a": "chosen({a}, {b}, {g})", "b": "chosen({b}, {a}, {g})"},
    "maximum": {"a": "chosen({b}, {a}, {g})", "b": "chosen({a}, {b}, {g})"},
    "tanh": {"a": "{g} * (1.0 - {y} * {y})"},
    "sigmoid": {"a": "{g} * {y} * (1.0 - {y})"},
    "cosh": {"a": "{g} * sinh({a})"},
    "sinh": {"a": "{g} * cosh({a})"},
    "where": {"b": "tl.where({a} != 0.0, {g}, 0.0)", "c": "tl.where({a} != 0.0, 0.0, {g})"},
}
WRITTEN = (0.0, 0.5, 1.0, 2.0, 3.0, 4.0)  # numbers printed in the source; others are arguments


class Source(NamedTuple):
    """The source of a function, its name, and the numbers among its arguments."""

    name: str
    text: str
    numbers: tuple[float, ...]


class Numbers(list[float]):
    """The numbers that are kernel arguments, so that a new value needs no compilation."""

    def text(self, value: float) -> str:
        """The expression for a number."""
        if abs(value) in WRITTEN:
            return repr(value)
        if not math.isfinite(value):
            return f'float("{value}")'
        self.append(value)
        return self._read(len(self) - 1)

    def _read(self, place: int) -> str:
        return f"number(numbers, {place})"

    @property
    def arguments(self) -> tuple[float, ...]:
        """Each number as a float32 and the float32 remainder."""
        found: list[float] = []
        for value in self:
            first = _single(value)
            found += (first, _single(value - first))
        return tuple(found)


def _single(value: float) -> float:
    result: float = struct.unpack("f", struct.pack("f", value))[0]
    return result


class Formula:
    """The lines of a formula: its value, and its derivative by each input."""

    def __init__(
        self, tape: Tape, inputs: Sequence[str], prefix: str, numbers: Numbers, like: str = "c", dtype: str = "float64"
    ) -> None:
        self.prefix, self.tape = prefix, tape
        self.names = [*inputs[: tape.inputs], *(f"{prefix}{k}" for k in range(len(tape.operations)))]
        self.lines = [f"{prefix}zero = tl.zeros({like}.shape, tl.{dtype})"]
        for k, operation in enumerate(tape.operations, tape.inputs):
            self.lines.append(f"{self.names[k]} = {self._value(operation, numbers)}")

    @property
    def value(self) -> str:
        return self.names[-1]

    def _value(self, operation: Operation, numbers: Numbers) -> str:
        if operation.name == "constant":
            return f"{self.prefix}zero + {numbers.text(operation.constant)}"
        if operation.name not in VALUES:
            raise Untraceable(f"it uses {operation.name}, which has no GPU implementation")
        return VALUES[operation.name].format(**self._operands(operation))

    def _operands(self, operation: Operation) -> dict[str, str]:
        found = {name: self.names[getattr(operation, name)] for name in "abc"[: len(operation.operands)]}
        return {**found, "zero": f"{self.prefix}zero"}

    def derivative(self, upstream: str) -> tuple[list[str], list[str]]:
        """The lines of the derivative, and its variable per input; "" for an input without one."""
        by: dict[int, str] = {len(self.names) - 1: upstream}
        lines: list[str] = []
        for k in range(len(self.names) - 1, self.tape.inputs - 1, -1):
            operation = self.tape.operations[k - self.tape.inputs]
            if k not in by:
                continue
            texts = {**self._operands(operation), "g": by[k], "y": self.names[k]}
            for operand, slope in SLOPES.get(operation.name, {}).items():
                place = getattr(operation, operand)
                if place >= self.tape.inputs and self.tape.operations[place - self.tape.inputs].name == "constant":
                    continue
                text = f"kept({by[k]}, {slope.format(**texts)})"
                name = f"{self.prefix}by_{place}"
                lines.append(f"{name} = {by[place]} + {text}" if place in by else f"{name} = {text}")
                by[place] = name
        return lines, [by.get(k, "") for k in range(self.tape.inputs)]


def indented(lines: Sequence[str], depth: int) -> list[str]:
    return [" " * 4 * depth + line for line in lines]
