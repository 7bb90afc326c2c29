"""Region totals and sums: the statistics of a batch, which add over micro-batches, ranks and tiles."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Union

import torch
from torch import Tensor


class _ReplacedValue(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(_own: Tensor, value: Tensor, _factor: float) -> Tensor:
        return value.clone()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, float], _output: Tensor) -> None:
        ctx.factor = inputs[2]

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        return grads[0] * ctx.factor, None, None


def replaced_value(own: Tensor, value: Tensor, factor: float = 1.0) -> Tensor:
    """`value`, with `factor` times the gradient of `own`."""
    result: Tensor = _ReplacedValue.apply(own, value.detach(), factor)  # type: ignore[no-untyped-call]
    return result


Nested = Union[Tensor, "Sums"]


class Sums:
    """Tensors that add: `a + b` are the sums of both batches. Composites nest one `Sums` per part."""

    def __init__(self, **parts: Nested) -> None:
        self._parts = parts

    def __getitem__(self, name: str) -> Tensor:
        part = self._parts[name]
        assert isinstance(part, Tensor)
        return part

    def part(self, name: str) -> Sums:
        part = self._parts[name]
        assert isinstance(part, Sums)
        return part

    def names(self) -> list[str]:
        return list(self._parts)

    def __contains__(self, name: str) -> bool:
        return name in self._parts

    def __add__(self, other: Sums) -> Sums:
        if not isinstance(other, Sums):
            return NotImplemented
        if self._parts.keys() != other._parts.keys():
            raise ValueError("Sums: only sums of the same loss add; these hold different parts.")
        return type(self)(**{name: part + other._parts[name] for name, part in self._parts.items()})  # type: ignore[operator]

    def __radd__(self, other: object) -> Sums:
        return self if other == 0 else NotImplemented  # sum(...) starts from 0

    def map(self, function: Callable[[Tensor], Tensor]) -> Sums:
        """The same sums with every tensor replaced."""
        return type(self)(
            **{
                name: part.map(function) if isinstance(part, Sums) else function(part)
                for name, part in self._parts.items()
            }
        )

    def replaced(self, **parts: Nested) -> Sums:
        """The same sums with some parts replaced."""
        return type(self)(**{**self._parts, **parts})

    def within(self, whole: Sums, factor: float = 1.0) -> Sums:
        """The values of `whole`, with `factor` times the gradient of these sums, which are part of it."""
        return type(self)(
            **{
                name: part.within(whole.part(name), factor)
                if isinstance(part, Sums)
                else replaced_value(part, whole[name], factor)
                for name, part in self._parts.items()
            }
        )

    def tensors(self) -> Iterator[Tensor]:
        for part in self._parts.values():
            if isinstance(part, Sums):
                yield from part.tensors()
            else:
                yield part

    def detach(self) -> Sums:
        return self.map(Tensor.detach)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={part!r}' for name, part in self._parts.items())})"


def anything_counts(sums: Sums) -> Tensor:
    """Whether any element or region counts in these sums."""
    for name in ("denominator", "count"):
        if name in sums:
            return (sums[name].detach() != 0).any()
    return torch.stack([anything_counts(sums.part(name)) for name in sums.names()]).any()


class Counts(Sums):
    """The denominators of a batch's means, known from its targets before the model's output is computed."""


class Totals:
    """The totals of each class, (N, C): sums of p t, p, t, 1, p² and t², and quantities derived from them.

    With overlap="l1", p t is min(p, t). The excess of p and of t over it is summed separately: a difference of totals
    would lose a small sum to the rounding of large ones.
    """

    def __init__(self, columns: dict[str, Tensor], overlap: str = "product") -> None:
        self._columns = columns
        self._overlap = overlap

    def column(self, name: str) -> Tensor:
        return self._columns[name]

    @property
    def tp(self) -> Tensor:
        return self.column("tp_l1" if self._overlap == "l1" else "tp")

    @property
    def fp(self) -> Tensor:
        return self.column("fp_l1") if self._overlap == "l1" else self.pred - self.tp

    @property
    def fn(self) -> Tensor:
        return self.column("fn_l1") if self._overlap == "l1" else self.target - self.tp

    @property
    def tn(self) -> Tensor:
        return self.count - self.target - self.fp

    @property
    def pred(self) -> Tensor:
        return self.tp + self.fp if self._overlap == "l1" else self.column("pred")

    @property
    def target(self) -> Tensor:
        return self.column("target")

    @property
    def count(self) -> Tensor:
        return self.column("count")

    @property
    def pred_sq(self) -> Tensor:
        return self.column("pred_sq")

    @property
    def target_sq(self) -> Tensor:
        return self.column("target_sq")

    @property
    def abs_diff(self) -> Tensor:
        return self.column("fp_l1") + self.column("fn_l1")


# Totals with tp = fp = fn = tn = 1, where every formula is finite and differentiable.
NEUTRAL = {"tp": 1.0, "pred": 2.0, "target": 2.0, "count": 4.0, "pred_sq": 2.0, "target_sq": 2.0}
NEUTRAL |= {"tp_l1": 1.0, "fp_l1": 1.0, "fn_l1": 1.0}


def neutral(name: str) -> float:
    """The neutral total of a column; 1 for a column that a loss defines itself."""
    return NEUTRAL.get(name, 1.0)


class Recorder(Totals):
    """Totals of one sample and two classes that record which columns a formula reads."""

    def __init__(self, overlap: str) -> None:
        super().__init__({}, overlap)
        self.read: list[str] = []

    def column(self, name: str) -> Tensor:
        if name not in self.read:
            self.read.append(name)
        return torch.full((1, 2), neutral(name), dtype=torch.float64)
