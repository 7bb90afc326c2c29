"""Programs in the format of C: row allocation for intermediate values, and the structures of csrc."""

from __future__ import annotations

import ctypes
from functools import lru_cache
from typing import Any

from losskit.ops.constants import MOST_ROWS, OPERATIONS
from losskit.ops.formula import Program
from losskit.ops.tape import Operation, Untraceable

_REPEATED = 16  # floats per constant


class _Step(ctypes.Structure):
    _fields_ = [(name, ctypes.c_int64) for name in ("operation", "out", "a", "b", "c")]


class ProgramStruct(ctypes.Structure):
    _fields_ = [
        *((name, ctypes.c_int64) for name in ("inputs", "rows", "constants", "value_steps", "steps")),
        ("step", ctypes.POINTER(_Step)),
        ("constant", ctypes.POINTER(ctypes.c_float)),
        ("exact", ctypes.POINTER(ctypes.c_double)),
    ]


@lru_cache(maxsize=256)
def structure_of(program: Program) -> ProgramStruct:
    """The program for C; raises Untraceable if it needs more rows than C has."""
    operations, value, slope = _fused(program)
    inputs = program.inputs
    constants = [k for k, o in operations.items() if o.name == "constant"]
    place: dict[int, int] = {k: k for k in range(inputs)} | {k: ~i for i, k in enumerate(constants)}
    place[value] = inputs
    if slope is not None:
        place[slope] = inputs + 1
    steps = {k: o for k, o in operations.items() if o.name != "constant"}
    last = {operand: k for k, o in steps.items() for operand in o.operands}
    free: list[int] = []
    rows = 0
    made = []
    for k, operation in steps.items():
        operands = operation.operands
        if k not in place:
            if not free:
                free.append(inputs + 2 + rows)
                rows += 1
            place[k] = free.pop()
        at = [place[operand] for operand in operands]
        made.append(_Step(OPERATIONS.index(operation.name), place[k], *(at + at[:1] * 3)[:3]))
        free += [place[x] for x in set(operands) if last[x] == k and place[x] >= inputs + 2]
    if rows > MOST_ROWS:
        raise Untraceable(f"it needs more than {MOST_ROWS} values at a time")
    numbers = [operations[k].constant for k in constants] or [0.0]
    result = ProgramStruct(inputs, rows, len(numbers), list(steps).index(value) + 1, len(made))
    result.step = (_Step * len(made))(*made)
    result.constant = (ctypes.c_float * (_REPEATED * len(numbers)))(*[x for x in numbers for _ in range(_REPEATED)])
    result.exact = (ctypes.c_double * len(numbers))(*numbers)
    return result


def _fused(program: Program) -> tuple[dict[int, Operation], int, int | None]:
    """The operations by register, with each product that is used only in one sum fused into a multiply-add."""
    operations: dict[int, Any] = dict(enumerate(program.operations, program.inputs))
    uses: dict[int | None, int] = {program.value: 1, program.slope: 1}
    for operation in program.operations:
        for operand in operation.operands:
            uses[operand] = uses.get(operand, 0) + 1
    sensitive = _sensitive(program)
    for k, operation in list(operations.items()):
        if operation.name != "add":
            continue
        for product, other in ((operation.a, operation.b), (operation.b, operation.a)):
            found = operations.get(product)
            if found is not None and found.name == "multiply" and uses[product] == 1:
                if k in sensitive and not _cannot_cancel(found, operations.get(other)):
                    continue
                operations[k] = Operation("multiply_add", found.a, found.b, other)
                del operations[product]
                break
    return operations, program.value, program.slope


def _sensitive(program: Program) -> set[int]:
    """Registers that reach a function with a jump or a bounded domain, where skipping a rounding may matter."""
    found: set[int] = set()
    for k, operation in reversed(list(enumerate(program.operations, program.inputs))):
        if k in found or operation.name in _WITH_JUMPS:
            found.update(operation.operands)
    return found


def _cannot_cancel(product: Operation, other: Operation | None) -> bool:
    """Whether a sum adds a square and a non-negative constant."""
    return product.a == product.b and other is not None and other.name == "constant" and other.constant >= 0


_WITH_JUMPS = {
    "sqrt", "log", "log1p", "power", "divide", "sign", "floor", "round", "less", "less_equal", "equal", "not_equal",
    "and", "or", "not",
}  # fmt: skip
