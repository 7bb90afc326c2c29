"""Records the PyTorch operations that a formula and its derivative call on sample tensors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from losskit.ops.constants import MOST_REGISTERS
from losskit.ops.tape import Operation, Register, Tape, Untraceable
from losskit.ops.writers import (
    ALIASES,
    CASTS,
    CONSTANTS,
    KEYWORDS,
    NUMBERS,
    OF_BOOLS,
    OF_WHOLES,
    READERS,
    SAME_SHAPE,
    WRITERS,
)  # fmt: skip


def trace(formula: Callable[[Sequence[Tensor]], Tensor], samples: Sequence[Tensor]) -> Tape:
    """The tape of a formula of these inputs, without its derivative; raises Untraceable."""
    recorder = Recorder(samples)
    with torch.no_grad():
        value = recorder.run(lambda: formula(samples))
    last = recorder.register(value)
    if last != len(samples) + len(recorder.operations) - 1:
        last = recorder.append(Operation("add", last, recorder.constant(0.0)))
    if last >= MOST_REGISTERS:
        raise Untraceable(f"it has more than {MOST_REGISTERS - len(samples)} operations")
    return Tape(len(samples), tuple(recorder.operations))


class Recorder(TorchDispatchMode):
    """Records calls on sample tensors, which it identifies by their memory."""

    def __init__(self, samples: Sequence[Tensor], numbers: int = 0, options: int = 0) -> None:
        """The last `numbers` samples are single numbers, the same for every element."""
        super().__init__()  # type: ignore[no-untyped-call]
        self.inputs = len(samples)
        self.dtype = samples[0].dtype
        self.operations: list[Operation] = []
        self.known: dict[Any, Register] = {}  # registers by operation
        self.registers = {_memory(tensor): Register(k) for k, tensor in enumerate(samples)}
        self.alive: list[Tensor] = list(samples)  # keeps tensors alive, so that no memory is reused
        self.uniform = set(range(len(samples) - numbers, len(samples)))  # registers that are the same for every element
        self.fixed = set(range(len(samples) - numbers - options, len(samples)))  # those, and of tensor options alone
        self.single = False  # whether something was computed in float32
        self.mistake: Exception | None = None  # raised in this class, where the formula may have caught it

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # otherwise the first operation imports torch._dynamo, which takes over a second

    def run(self, formula: Callable[[], Any]) -> Any:
        """The result of the formula; an exception of the formula becomes the reason why it is not recorded."""
        try:
            with self:
                result = formula()
        except Untraceable:
            raise
        except Exception as error:
            if self.mistake is not None:
                raise self.mistake from error
            raise Untraceable(f"on sample numbers it raises {type(error).__name__}: {error}") from error
        if self.mistake is not None:
            raise self.mistake
        return result

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = func.overloadpacket.__name__
        writes = name.endswith("_") and not name.endswith("__")
        if writes and (_memory(args[0]) not in self.registers or self.register(args[0]) < self.inputs):
            raise Untraceable(f"it calls {name}, which writes into a tensor of the call")
        result = func(*args, **kwargs)
        try:
            self._record(name.removesuffix("_") if writes else name, args, kwargs, result)
        except Untraceable:
            raise
        except Exception as error:
            self.mistake = error
            raise
        return result

    def _record(self, name: str, args: Any, kwargs: Any, result: Any) -> None:
        if unknown := kwargs.keys() - KEYWORDS:
            raise Untraceable(f"it calls {name} with {', '.join(sorted(unknown))}")
        first = result[0] if isinstance(result, tuple) else result
        if not isinstance(first, Tensor):
            raise Untraceable(READERS.get(name, f"it calls {name}, which has no operation on numbers"))
        self._check_type(name, args, first)
        if name in ALIASES or (name in SAME_SHAPE and self._is_same(args[0], first)):
            register = self.register(args[0])
        elif name in CONSTANTS:
            register = self.constant(_only_value(first))
        elif name in CASTS:
            register = self._cast(args[name == "copy"], first)
        elif name in WRITERS:
            numbers = {key: value for key, value in kwargs.items() if key in NUMBERS}
            register = WRITERS[name](self, *args, **numbers)
        else:
            raise Untraceable(f"it calls {name}, which has no operation on numbers")
        if first.dtype == torch.float64 and self.dtype != torch.float64 and register not in self.uniform:
            raise Untraceable("it computes in float64 whatever its input")
        for tensor in result if isinstance(result, tuple) else (result,):
            self.registers[_memory(tensor)] = register
            self.alive.append(tensor)

    def _check_type(self, name: str, args: Any, result: Tensor) -> None:
        dtype = result.dtype
        if dtype == torch.float64 or (dtype == torch.bool and name in OF_BOOLS):
            return
        if dtype == torch.float32:
            constant = name in CONSTANTS | ALIASES or (name in CASTS and args[name == "copy"].dtype == torch.bool)
            self.single |= not constant
            return
        whole = dtype in (torch.int32, torch.int64)
        operands = [arg for arg in args if isinstance(arg, Tensor)]
        if not (whole and name in OF_WHOLES and all(not t.is_floating_point() for t in operands)):
            raise Untraceable(f"it calls {name} with a result of {str(dtype).removeprefix('torch.')}")

    def _cast(self, source: Tensor, result: Tensor) -> Register:
        if not self._is_same(source, result):
            raise Untraceable("it copies a tensor of another shape")
        if result.dtype == torch.bool and source.dtype != torch.bool:
            return self.write("not_equal", source, 0.0)
        return self.register(source)

    def _is_same(self, tensor: Tensor, result: Tensor) -> bool:
        return result.shape == tensor.shape or int(self.register(tensor)) in self.uniform

    def register(self, operand: Any) -> Register:
        if isinstance(operand, Register):
            return operand
        if not isinstance(operand, Tensor):
            return self.constant(float(operand))
        if _memory(operand) not in self.registers:
            raise Untraceable("it uses a tensor from outside")
        return self.registers[_memory(operand)]

    def number(self, operand: Any) -> float | None:
        """The number of a constant, or None."""
        position = self.register(operand) - self.inputs
        constant = position >= 0 and self.operations[position].name == "constant"
        return self.operations[position].constant if constant else None

    def constant(self, number: float) -> Register:
        return self.append(Operation("constant", constant=number))

    def append(self, operation: Operation) -> Register:
        key = (*operation[:4], repr(operation.constant))  # -0.0 is not 0.0
        if key not in self.known:
            self.operations.append(operation)
            register = self.known[key] = Register(self.inputs + len(self.operations) - 1)
            if operation.name == "constant" or self.uniform.issuperset(operation.operands):
                self.uniform.add(register)
            if operation.name == "constant" or self.fixed.issuperset(operation.operands):
                self.fixed.add(register)
        return self.known[key]

    def write(self, name: str, *operands: Any) -> Register:
        return self.append(Operation(name, *[self.register(operand) for operand in operands]))


def _memory(tensor: Tensor) -> int:
    address: int = tensor.untyped_storage()._cdata
    return address


def _only_value(tensor: Tensor) -> float:
    first = tensor.reshape(-1)[:1]
    same = tensor.numel() and (bool((tensor == first).all()) or bool(tensor.isnan().all()))
    if not same:
        raise Untraceable("it makes a tensor of several values")
    return float(first)
