"""Element-wise formulas as programs: the operations of the value and of its derivative by the first input (the slope).

The formula and its derivative are recorded once. Parts that depend only on options are computed in float64 once these
are known. Before a program is used, it is compared in float64 with the original formula, at critical points.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from losskit.ops.interpret import evaluate
from losskit.ops.recorder import Recorder
from losskit.ops.tape import Operation, Untraceable

Numbers = dict[str, Any]  # numeric options by name; 0-dimensional tensors while a formula is recorded
Formula = Callable[[Sequence[Tensor], Numbers], Tensor]
Kind = Literal["elements", "log_p"]


class Graph(NamedTuple):
    """A recorded formula. The first registers are the inputs of an element and the tensor options, then the numbers."""

    elements: int
    numbers: tuple[str, ...]
    operations: tuple[Operation, ...]
    value: int
    slopes: tuple[int, ...]  # by the first input, and by each tensor option
    single: bool  # whether it computes in float32, whatever it is given
    reads_shape: bool


class Program(NamedTuple):
    """A formula with all numbers filled in."""

    inputs: int
    operations: tuple[Operation, ...]
    value: int
    slope: int | None
    single: bool = False

    @property
    def steps(self) -> int:
        """The number of operations evaluated per element."""
        return sum(operation.name != "constant" for operation in self.operations)


def record(formula: Formula, elements: int, numbers: Numbers, kind: Kind, tensors: Numbers | None = None) -> Graph:
    """The graph of a formula; raises Untraceable.

    `tensors` are the values of its 0-dim tensor options by name; the graph has the derivative by each of them too.
    """
    graph = _record(formula, elements, numbers, kind, tensors or {}, torch.float64)
    if not _alike(graph, _record(formula, elements, numbers, kind, tensors or {}, torch.float32)):
        raise Untraceable("it computes something else for another dtype")
    return graph


def _record(
    formula: Formula, elements: int, numbers: Numbers, kind: Kind, tensors: Numbers, dtype: torch.dtype
) -> Graph:
    samples = [torch.tensor(_SAMPLES[kind][k], dtype=dtype) for k in range(elements)]
    options = [around(float(value), samples[0]).requires_grad_() for value in tensors.values()]
    samples[0].requires_grad_()
    unknown = [torch.tensor(float(value), dtype=torch.float64) for value in numbers.values()]
    recorder = Recorder([*samples, *options, *unknown], len(unknown), len(options))
    watched = _Watch()

    def run() -> tuple[Tensor, ...]:
        with watched:
            value = formula(samples, dict(zip((*numbers, *tensors), (*unknown, *options), strict=True)))
        check_value(value, samples[0])
        slopes = gradients(value, [samples[0], *options], torch.ones_like(value), materialize_grads=True)
        return value, *slopes

    with torch.enable_grad():
        value, *slopes = (int(recorder.register(result)) for result in recorder.run(run))
    return Graph(
        elements + len(options), tuple(numbers), tuple(recorder.operations), value, tuple(slopes), recorder.single,
        watched.reads_shape,
    )  # fmt: skip


def around(number: float, like: Tensor) -> Tensor:
    """Numbers near this one, one for each element, so that what a formula makes of them differs."""
    shift = torch.arange(like.numel(), dtype=torch.float64) % 7 / 64
    return (number * (1 + shift) if number else shift).to(like.dtype).reshape(like.shape)


def gradients(value: Tensor, inputs: Sequence[Tensor], upstream: Tensor, **arguments: Any) -> tuple[Any, ...]:
    """The gradients by these inputs, given the gradient of the value."""
    seeded = _Seed.apply(value, upstream)  # type: ignore[no-untyped-call]
    return torch.autograd.grad(seeded, inputs, **arguments)


class _Seed(torch.autograd.Function):
    """A scalar whose gradient is `upstream`. With grad_outputs, torch.autograd.grad imports sympy, which takes 1 s."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, upstream: Tensor) -> Tensor:
        ctx.save_for_backward(upstream)
        return value.new_zeros(())

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:  # noqa: ARG004
        return ctx.saved_tensors[0], None


def check_value(value: Any, sample: Tensor) -> None:
    if not isinstance(value, Tensor):
        raise Untraceable(f"it returns {type(value).__name__}")
    if value.shape != sample.shape:
        raise Untraceable("its result has another shape than its argument")
    if not value.requires_grad:
        raise Untraceable("its result has no gradient")


class _Watch(TorchFunctionMode):
    """Detects tensor attributes that a formula reads, and rejects calls that take values out of PyTorch."""

    def __init__(self) -> None:
        super().__init__()
        self.reads_shape = False

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = getattr(func, "__name__", "")
        if name == "__get__":
            name = getattr(func.__self__, "__name__", "")
        if name in _TAKEN_OUT:
            raise Untraceable(f"it takes values out of PyTorch: {name}")
        if name in _SURROUNDINGS or name == "__set__":
            raise Untraceable(f"it uses {name}, which is not a formula of its arguments")
        if name in ("tensor", "as_tensor", "new_tensor") and isinstance(args[name == "new_tensor"], Tensor):
            raise Untraceable("it constructs a tensor from a tensor")
        self.reads_shape |= name in _SHAPES
        return func(*args, **(kwargs or {}))


_TAKEN_OUT = {"numpy", "tolist", "__array__", "data_ptr", "__dlpack__", "untyped_storage", "storage", "__reduce_ex__"}
_SHAPES = {"shape", "ndim", "size", "dim", "numel", "nelement", "ndimension", "__len__", "nbytes"}
_SURROUNDINGS = {  # these may differ between calls with equal values
    "requires_grad", "requires_grad_", "grad", "grad_fn", "is_leaf", "_version", "is_inference", "stride", "layout",
    "is_contiguous", "storage_offset", "is_pinned", "is_shared", "register_hook", "retain_grad", "backward",
    "register_post_accumulate_grad_hook", "set_", "share_memory_", "dim_order", "output_nr", "_base", "_is_view",
}  # fmt: skip
_SAMPLES = {
    "elements": ((0.3, -1.2, 2.0, 0.9), (0.75, -1.5, 0.25, 4.0), (1.5, 0.5, 2.5, 0.8), (0.4, 1.1, -0.6, 2.2)),
    "log_p": ((-0.25, -1.5, -3.0, -0.01),),
}


def _alike(a: Graph, b: Graph) -> bool:
    """Whether two graphs compute the same, up to constants rounded to float32."""
    given = len(a.numbers) + a.elements
    seen: set[tuple[int, int]] = set()
    pairs = [(a.value, b.value), *zip(a.slopes, b.slopes, strict=True)]
    while pairs:
        pair = pairs.pop()
        if pair in seen:
            continue
        seen.add(pair)
        if min(pair) < given:
            if pair[0] != pair[1]:
                return False
            continue
        x, y = a.operations[pair[0] - given], b.operations[pair[1] - given]
        close = x.constant == y.constant or abs(x.constant - y.constant) <= 1e-6 * abs(x.constant)
        if x.name != y.name or not close:
            return False
        pairs += zip(x.operands, y.operands, strict=True)
    return True


def specialize(graph: Graph, numbers: Numbers) -> list[Program]:
    """The programs for these numbers, after constant folding and elimination of unused operations.

    The first computes the value and its slope by the first input, the others the derivatives by each tensor option.
    """
    made = _Builder(graph.elements)
    registers = list(range(graph.elements))
    registers += [made.constant(float(numbers[name])) for name in graph.numbers]
    for operation in graph.operations:
        if operation.name == "constant":
            registers.append(made.constant(operation.constant))
        else:
            operands = [registers[k] for k in operation.operands]
            registers.append(made.simplified(operation.name, operands))
    slope, *by_options = (registers[k] for k in graph.slopes)
    programs = [made.program(registers[graph.value], slope, graph.single)]
    return programs + [made.program(register, None, graph.single) for register in by_options]


class _Builder:
    def __init__(self, inputs: int) -> None:
        self.inputs = inputs
        self.operations: list[Operation] = []
        self.known: dict[Any, int] = {}

    def constant(self, number: float) -> int:
        if number == 0 and math.copysign(1, number) < 0:  # tells 0.0 and -0.0 apart in comparisons of programs
            return self.append(Operation("negate", self.constant(0.0)))
        return self.append(Operation("constant", constant=number))

    def append(self, operation: Operation) -> int:
        key = (*operation[:4], repr(operation.constant))
        if key not in self.known:
            self.operations.append(operation)
            self.known[key] = self.inputs + len(self.operations) - 1
        return self.known[key]

    def number(self, register: int) -> float | None:
        made = self.operations[register - self.inputs] if register >= self.inputs else None
        return made.constant if made is not None and made.name == "constant" else None

    def simplified(self, name: str, operands: list[int]) -> int:
        """An operation, or a cheaper one with bitwise equal results."""
        numbers = [self.number(k) for k in operands]
        if None not in numbers:
            each = [torch.tensor(number, dtype=torch.float64) for number in numbers]
            return self.constant(float(evaluate(name, each)))
        a, b, *_ = *operands, -1
        if name == "multiply" and 1.0 in numbers:
            return operands[1 - numbers.index(1.0)]
        if name == "divide" and numbers[1] is not None and _is_power_of_two(numbers[1]):
            return self.simplified("multiply", [a, self.constant(1 / numbers[1])])
        if name == "power" and numbers[1] in _POWERS:
            return _POWERS[numbers[1]](self, a)
        if name == "where" and numbers[0] is not None:
            return operands[1] if numbers[0] else operands[2]
        if name == "where" and b == operands[2]:
            return b
        return self.append(Operation(name, *operands))

    def program(self, value: int, slope: int | None, single: bool) -> Program:
        """The operations needed for the results, those of the value first."""
        order: list[int] = []
        self._visit(value, order)
        shared = slope in order  # the slope register is not written when only the value is computed
        if slope is not None:
            self._visit(slope, order)
        if value < self.inputs or value == slope or self.number(value) is not None:
            value = self.append(Operation("copy", value))
            order.append(value)
        if slope is not None and (shared or slope < self.inputs or self.number(slope) is not None):
            self.operations.append(Operation("copy", slope))  # not shared with an equal copy for the value
            slope = self.inputs + len(self.operations) - 1
            order.append(slope)
        places = {k: k for k in range(self.inputs)} | {old: self.inputs + new for new, old in enumerate(order)}
        moved = []
        for old in order:
            operation = self.operations[old - self.inputs]
            moved.append(operation.moved([places[k] for k in operation.operands]))
        return Program(self.inputs, tuple(moved), places[value], None if slope is None else places[slope], single)

    def _visit(self, register: int, order: list[int]) -> None:
        if register < self.inputs or register in order:
            return
        operation = self.operations[register - self.inputs]
        for operand in operation.operands:
            self._visit(operand, order)
        order.append(register)


def of_difference(scale: float, limit: float) -> Program:
    """The program of `losskit.ops.columns.Difference`, for a pass with other formulas of the same elements."""
    made = _Builder(2)

    def write(name: str, *operands: int) -> int:
        return made.simplified(name, list(operands))

    error = write("subtract", 0, 1)
    if limit == 0:
        factor = made.constant(scale)
        return made.program(
            write("multiply", write("absolute", error), factor), write("multiply", write("sign", error), factor), False
        )
    near = error
    if not math.isinf(limit):
        near = write("maximum", write("minimum", error, made.constant(limit)), made.constant(-limit))
    slope = write("multiply", near, made.constant(scale))
    beyond = write("subtract", error, write("multiply", near, made.constant(0.5)))
    return made.program(write("multiply", slope, beyond), slope, False)


def _is_power_of_two(number: float) -> bool:
    return (
        number != 0
        and math.isfinite(number)
        and abs(math.frexp(number)[0]) == 0.5
        and 2.0**-100 < abs(number) < 2.0**100
    )


_POWERS: dict[float | None, Callable[[_Builder, int], int]] = {
    1.0: lambda made, a: a,  # noqa: ARG005
    2.0: lambda made, a: made.append(Operation("multiply", a, a)),
    3.0: lambda made, a: made.append(Operation("multiply", made.append(Operation("multiply", a, a)), a)),
    0.5: lambda made, a: made.append(Operation("sqrt", a)),
    -1.0: lambda made, a: made.append(Operation("divide", made.constant(1.0), a)),
}
