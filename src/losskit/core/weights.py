"""The weights of a sum: constants, tensors, and modules that are called for the weight of the moment."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

Weight = float | Tensor | nn.Module


class Held(nn.Module):
    """A tensor or parameter as a weight."""

    def __init__(self, value: Tensor) -> None:
        super().__init__()
        if isinstance(value, nn.Parameter):
            self.value = value
        else:
            self.register_buffer("value", value)

    def __repr__(self) -> str:
        return f"{float(self.value.detach()):.4g}"

    def forward(self) -> Tensor:
        return self.value


class Product(nn.Module):
    """Two variable weights, one times the other."""

    def __init__(self, first: nn.Module, second: nn.Module) -> None:
        super().__init__()
        self.first = first
        self.second = second

    def __repr__(self) -> str:
        return f"{self.first!r} * {self.second!r}"

    def forward(self) -> Tensor:
        product: Tensor = self.first() * self.second()
        return product


def split(weight: Any) -> tuple[float, nn.Module | None]:
    """A weight as a constant and a variable factor."""
    if isinstance(weight, nn.Module):
        return 1.0, weight
    if isinstance(weight, Tensor):
        if weight.numel() != 1:
            raise ValueError(f"A loss is multiplied by one number; got a tensor of shape {tuple(weight.shape)}.")
        return 1.0, Held(weight)
    if not hasattr(weight, "__float__"):
        raise TypeError(
            f"A loss is multiplied by a number, a tensor or a module that gives one (losskit.Scheduled for a "
            f"schedule); got {weight!r}."
        )
    return float(weight), None


def times(weight: float | Tensor, value: Tensor) -> Tensor:
    if isinstance(weight, Tensor):
        return weight.to(value.dtype) * value
    return value if weight == 1 else weight * value
