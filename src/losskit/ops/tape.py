"""A formula on a few numbers as a list of operations, which C evaluates with its derivative.

The formula runs once on sample tensors, and each of PyTorch's operations that it calls becomes one operation on
registers: the inputs come first, then one result each, and the last is the value.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from losskit.ops.constants import MOST_REGISTERS


class Operation(NamedTuple):
    """One operation: its name, the registers of its operands, and the number of a constant."""

    name: str
    a: int = 0
    b: int = 0
    c: int = 0
    constant: float = 0.0


class Tape(NamedTuple):
    """A formula as operations on registers."""

    inputs: int
    operations: tuple[Operation, ...]


class Untraceable(Exception):  # noqa: N818 - a reason, not an error of the caller
    """Why a formula is no list of operations."""


def trace(formula: Callable[[Sequence[Tensor]], Tensor], samples: Sequence[Tensor]) -> Tape:
    """The formula of these inputs; raises Untraceable."""
    recorder = _Recorder(samples)
    with recorder, torch.no_grad():
        value = formula(samples)
    last = recorder.register(value)
    if last != len(samples) + len(recorder.operations) - 1:
        last = recorder.append(Operation("add", last, recorder.constant(0.0)))
    if last >= MOST_REGISTERS:
        raise Untraceable(f"it has more than {MOST_REGISTERS - len(samples)} operations")
    return Tape(len(samples), tuple(recorder.operations))


class _Recorder(TorchDispatchMode):
    def __init__(self, samples: Sequence[Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.inputs = len(samples)
        self.operations: list[Operation] = []
        self.registers = {id(tensor): k for k, tensor in enumerate(samples)}
        self.alive: list[Tensor] = list(samples)  # an id names a tensor only as long as that lives

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        name = func.overloadpacket.__name__
        if (kwargs or {}).keys() - _KEYWORDS or (name == "_to_copy" and result.dtype != torch.float64):
            raise Untraceable(f"it calls {name} with {', '.join(kwargs)}")
        if name in _ALIASES or (name == "detach" and self.is_constant(args[0])):
            register = self.register(args[0])
        elif name in _CONSTANTS:
            register = self.constant(_only_value(result))
        elif name in _WRITERS:
            numbers = {key: value for key, value in (kwargs or {}).items() if key in _NUMBERS}
            register = _WRITERS[name](self, *args, **numbers)
        else:
            raise Untraceable(f"it calls {name}, which has no operation on numbers")
        self.registers[id(result)] = register
        self.alive.append(result)
        return result

    def register(self, operand: Any) -> int:
        if not isinstance(operand, Tensor):
            return self.constant(float(operand))
        if id(operand) not in self.registers:
            raise Untraceable("it uses a tensor from outside")
        return self.registers[id(operand)]

    def is_constant(self, operand: Any) -> bool:
        position = self.register(operand) - self.inputs
        return position >= 0 and self.operations[position].name == "constant"

    def constant(self, number: float) -> int:
        for position, operation in enumerate(self.operations):
            if operation.name == "constant" and repr(operation.constant) == repr(number):  # -0.0 is not 0.0
                return self.inputs + position
        return self.append(Operation("constant", constant=number))

    def append(self, operation: Operation) -> int:
        self.operations.append(operation)
        return self.inputs + len(self.operations) - 1

    def write(self, name: str, *operands: Any) -> int:
        return self.append(Operation(name, *[self.register(operand) for operand in operands]))


def _only_value(tensor: Tensor) -> float:
    first = tensor.reshape(-1)[:1]
    if tensor.numel() == 0 or not bool((tensor == first).all()):
        raise Untraceable("it makes a tensor of several values")
    return float(first)


def _scaled(recorder: _Recorder, other: Any, alpha: float) -> Any:
    if alpha == 1:
        return other
    result = torch.empty(())
    recorder.registers[id(result)] = recorder.write("multiply", other, alpha)
    recorder.alive.append(result)
    return result


def _subtract(recorder: _Recorder, a: Any, b: Any, alpha: float = 1) -> int:
    return recorder.write("subtract", a, _scaled(recorder, b, alpha))


def _clamp(recorder: _Recorder, a: Any, min: Any = None, max: Any = None) -> int:
    register = recorder.register(a)
    for bound, is_least in ((min, True), (max, False)):
        if bound is not None:  # at the bound itself the gradient is that of the number
            limit = recorder.register(bound)
            pair = (register, limit) if is_least else (limit, register)
            outside = recorder.append(Operation("less", *pair))
            register = recorder.append(Operation("where", outside, limit, register))
    return register


def _power(recorder: _Recorder, base: Any, exponent: Any) -> int:
    if not recorder.is_constant(exponent):
        raise Untraceable("an exponent is no constant")
    return recorder.write("power", base, exponent)


def _plain(name: str) -> Callable[..., int]:
    return lambda recorder, *operands: recorder.write(name, *operands)


_NUMBERS = {"alpha", "min", "max"}
_KEYWORDS = {*_NUMBERS, "dtype", "layout", "device", "pin_memory", "memory_format"}
_ALIASES = {"clone", "_to_copy", "lift_fresh", "alias"}
_CONSTANTS = {"scalar_tensor", "ones_like", "zeros_like", "full_like", "full", "ones", "zeros", "new_ones", "new_zeros"}
_WRITERS: dict[str, Callable[..., int]] = {
    "add": lambda recorder, a, b, alpha=1: recorder.write("add", a, _scaled(recorder, b, alpha)),
    "sub": _subtract,
    "rsub": lambda recorder, a, b, alpha=1: _subtract(recorder, b, a, alpha),
    "mul": _plain("multiply"),
    "div": _plain("divide"),
    "reciprocal": lambda recorder, a: recorder.write("divide", 1.0, a),
    "neg": _plain("negate"),
    "abs": _plain("absolute"),
    "pow": _power,
    "gt": lambda recorder, a, b: recorder.write("less", b, a),
    "ge": lambda recorder, a, b: recorder.write("less_equal", b, a),
    "clamp": _clamp,
    "clamp_min": _clamp,
    "clamp_max": lambda recorder, a, bound: _clamp(recorder, a, None, bound),
    **{name: _plain(name) for name in ("exp", "expm1", "log", "log1p", "sqrt", "minimum", "maximum", "tanh", "cosh")},
    **{ours: _plain(name) for ours, name in (("lt", "less"), ("le", "less_equal"), ("eq", "equal"))},
    "ne": _plain("not_equal"),
    **{f"{kind}_{name}": _plain(name) for kind in ("logical", "bitwise") for name in ("and", "or", "not")},
    "where": _plain("where"),
}
