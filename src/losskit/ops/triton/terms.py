"""Prints the function that computes the terms of a pass: the value of each, and its slope by log p.

Terms of differences are programs of input and target; their slopes are by the input.

A built-in term is a call of `maths.term_value`. A user-defined formula is its operations, in float32 like the tile.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from itertools import zip_longest
from typing import Any

from losskit.ops.formula import Program
from losskit.ops.tape import Tape
from losskit.ops.triton.kernels import maths
from losskit.ops.triton.source import Formula, Numbers, Source, indented


class _Constants(Numbers):
    """The numbers of all terms, which are floats in the kernels."""

    def _read(self, place: int) -> str:
        return f"constants[{place}]"


@lru_cache(maxsize=256)
def printed(constants: tuple[float, ...], programs: tuple[Program | None, ...] = ()) -> Source:
    """The function of the terms, each given as four constants or as a program."""
    numbers = _Constants()
    elements = any(program is not None and program.inputs == 2 for program in programs)
    inputs = ["x", "t"] if elements else ["l", "p", "q"]
    lines: list[str] = []
    values, slopes = [], []
    each = [constants[k : k + 4] for k in range(0, len(constants), 4)]
    for j, (given, program) in enumerate(zip_longest(each, programs[: len(each)])):
        if program is None:
            at = len(numbers)
            numbers += given
            arguments = ", ".join(f"constants[{k}]" for k in range(at, at + 4))
            lines.append(f"value{j}, slope{j} = term_value(l, p, q, {arguments}, {_form(*given)})")
            values.append(f"value{j}")
            slopes.append(f"slope{j}")
            continue
        formula = Formula(
            Tape(program.inputs, program.operations), inputs, f"t{j}_", numbers, like=inputs[0], dtype="float32"
        )
        lines += formula.lines
        values.append(formula.names[program.value])
        assert program.slope is not None
        slopes.append(formula.names[program.slope])
    lines.append(f"return {_tuple(values)}, {_tuple(slopes)}")
    # Triton distinguishes functions among kernel options by name.
    name = f"term_values_{hashlib.sha256(repr(lines).encode()).hexdigest()[:16]}"
    text = "\n".join(["@triton.jit", f"def {name}({', '.join(inputs)}, constants):", *indented(lines, 1)]) + "\n"
    return Source(name, text, tuple(map(float, numbers)))


def _tuple(names: Sequence[str]) -> str:
    return f"({''.join(f'{name}, ' for name in names).rstrip()})"


def _form(log: float, gamma: float, rest: float, q: float) -> int:
    """The KIND of a built-in term."""
    known: dict[float, Any] = {0.0: maths.PLAIN_LOG, 1.0: maths.LINEAR_LOG, 2.0: maths.SQUARE_LOG}
    form = maths.NO_LOG if log == 0 else known.get(gamma, maths.POWER_LOG)
    rests = maths.NO_REST if rest == 0 else maths.LINEAR_REST if q == 1 else maths.POWER_REST
    return int(form.value + 5 * rests.value)
