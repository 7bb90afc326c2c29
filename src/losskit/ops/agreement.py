"""Compares a recorded formula with the original: value and gradient, in float64, at critical points."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from losskit.ops.formula import Formula, Kind, Numbers, Program, around, check_value, gradients
from losskit.ops.interpret import registers_of
from losskit.ops.tape import Tape, Untraceable


def check(
    programs: Sequence[Program], formula: Formula, numbers: Numbers, kind: Kind, shapes: Sequence[Sequence[int]],
    rank: int, tensors: Numbers | None = None,
) -> None:  # fmt: skip
    """Compare value and slopes with the original formula, on tensors of these shapes and this rank.

    The first program computes the value and its slope by the first input, the others the derivatives by `tensors`, the
    0-dim tensor options. Raises Untraceable if they differ.
    """
    tensors = tensors or {}
    program = programs[0]
    points = _points(program, program.inputs - len(tensors), kind)
    options = [around(float(number), points[0]) for number in tensors.values()]
    registers = registers_of(program.operations, [*points, *options])
    assert program.slope is not None
    expected = [registers[program.value], registers[program.slope]]
    expected += [registers_of(each.operations, [*points, *options])[each.value] for each in programs[1:]]
    size = points[0].numel()
    usual = [*(2, 3, 5, 1, 1, 1, 1, 1)[: rank - 1]]
    for shape in ([*usual, -(-size // math.prod(usual))], *shapes):
        first, *others = (_filled(point, shape) for point in points)
        by = [first, *(_filled(option, shape) for option in options)]
        for tensor in by:
            tensor.requires_grad_()
        try:
            with torch.enable_grad():
                value = formula([first, *others], {**numbers, **dict(zip(tensors, by[1:], strict=True))})
        except Exception as error:
            raise Untraceable(f"with {rank} dimensions it raises {type(error).__name__}: {error}") from error
        check_value(value, first)
        slopes = gradients(value, by, torch.ones_like(value), retain_graph=True, materialize_grads=True)
        upstream = _filled(torch.tensor(_UPSTREAM, dtype=torch.float64), shape)
        scaled = gradients(value, by, upstream, materialize_grads=True)
        if not all(_equal(a, b * upstream, 1e-12, of_finite=True) for a, b in zip(scaled, slopes, strict=True)):
            raise Untraceable("its gradient is not proportional to the gradient of its result")
        names = ["value", "slope", *(f"derivative by {name}" for name in tensors)]
        for name, found, exact in zip(names, (value.detach(), *slopes), expected, strict=True):
            if not _equal(found, _filled(exact, shape), 1e-6 if program.single else 1e-12):
                raise Untraceable(f"its {name} is not what its recorded operations give, at some points")


def _filled(points: Tensor, shape: Sequence[int]) -> Tensor:
    """A tensor of this shape, filled by cycling through the points."""
    count = math.prod(shape)
    return points.repeat(-(-count // points.numel()))[:count].reshape(tuple(shape))


def _equal(a: Tensor, b: Tensor, tolerance: float, *, of_finite: bool = False) -> bool:
    """Whether values agree, with infinities and NaN at the same places; `of_finite`: only where `b` is finite."""
    close = (a == b) | (a.isnan() & b.isnan()) | ((a - b).abs() <= tolerance * b.abs())
    if of_finite:
        close |= ~b.isfinite() | ((a - b).abs() < _TINY)
    return bool(close.all())


def _points(program: Program, inputs: int, kind: Kind) -> list[Tensor]:
    """Points with ties, zeros, large, tiny and infinite numbers, and NaN."""
    constants = sorted({abs(o.constant) for o in program.operations if o.name == "constant"} - {0.0, math.inf})[:12]
    if kind == "log_p":
        near = [-c for c in constants] + [math.log(c) for c in constants if 0 < c < 1]
        each = torch.tensor([*_LOG_PROBABILITIES, *near], dtype=torch.float64)
        return [each[~(each > 0)]]
    ties = [sign * c for c in constants for sign in (1, -1)]
    line = torch.tensor([*_LINE, *ties], dtype=torch.float64)
    if inputs == 1:
        return [line]
    pairs = torch.cartesian_prod(line, line).unbind(1)
    shifts = torch.cartesian_prod(torch.tensor([0.0, *ties], dtype=torch.float64), line).unbind(1)
    first = torch.cat([pairs[0], shifts[0] + shifts[1]])
    others = [torch.cat([pairs[1], shifts[1]])]
    others += [others[0].roll(7 * k + 3) for k in range(inputs - 2)]
    return [first, *others]


_UPSTREAM = (2.0**20, -(2.0**-10), 1.0)
_TINY = 1e-300  # below it, products lose digits
_LINE = (
    0.0, -0.0, 1e-310, -1e-310, 1e-30, -1e-30, 1e-5, -1e-5, 0.1, -0.3, 0.5, -0.5, 0.9, 1.0, -1.0, 1.5, -2.0, 3.7, 20.0,
    -20.0, 1e4, -1e4, math.inf, -math.inf, math.nan,
)  # fmt: skip
_LOG_PROBABILITIES = (
    0.0, -0.0, -1e-310, -1e-30, -1e-16, -1e-8, -1e-5, -0.01, -0.1, -0.3, -0.5, -math.log(2), -0.9, -1.0, -1.5, -2.0,
    -3.7, -5.0, -10.0, -20.0, -88.0, -104.0, -700.0, -750.0, -1e4, -math.inf, math.nan,
)  # fmt: skip


def check_tape(tape: Tape, formula: Callable[[Sequence[Tensor]], Tensor], points: Sequence[Tensor]) -> None:
    """Compare a formula of totals and its gradient with its recorded operations; raises Untraceable if they differ."""
    found = []
    for evaluate in (formula, lambda inputs: registers_of(tape.operations, inputs)[-1]):
        inputs = [point.clone().requires_grad_() for point in points]
        with torch.enable_grad():
            value = evaluate(inputs)
            check_value(value, inputs[0])
            by_inputs = gradients(value, inputs, torch.ones_like(value), allow_unused=True)
        found.append([value.detach(), *(torch.zeros_like(value) if g is None else g for g in by_inputs)])
    for exact, own in zip(*found, strict=True):
        if not _equal(own, exact, 1e-12):
            raise Untraceable("its recorded operations give another value or gradient at some points")
