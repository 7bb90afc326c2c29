"""Operands of a sum: any module or callable as a loss, its call with the arguments that it takes, and weights."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from typing import Any, ClassVar

from torch import Tensor, nn

from losskit.core.domains import quoted
from losskit.core.loss import Loss, Parts
from losskit.core.loss import Weight as Weight
from losskit.core.options import Configured
from losskit.core.sums import Sums


class Wrapped(Loss):
    """Any module or callable as a loss, for the algebra."""

    without: ClassVar[tuple[str, ...]] = ("reduction", "empty")
    across_ranks = "losskit cannot inspect it, so each rank computes it on its own batch."

    def __init__(self, function: Callable[..., Tensor]) -> None:
        Configured.__init__(self)
        self.function = function
        known = parameters(function)
        self.takes = [name for name in ("weight", "mask", "normalizer") if has(known, name)]
        if origin(function).startswith("torch."):
            self.takes = []  # torch's weight is per class, or does not change the denominator
        required = [p for p in known if p.kind is p.POSITIONAL_OR_KEYWORD and p.default is p.empty]
        names = tuple(p.name for p in required if p.name not in ("weight", "mask"))
        self.__dict__["tensors"] = names or ("input", "target")

    def values(self, *tensors: Tensor) -> Tensor:
        return self.function(*tensors)

    def forward(self, *tensors: Tensor, weight: Any = None, mask: Any = None, normalizer: Any = None) -> Tensor:
        arguments = {"weight": weight, "mask": mask, "normalizer": normalizer}
        given = {name: value for name, value in arguments.items() if value is not None}
        missing = [name for name in given if name not in self.takes]
        if missing:
            raise TypeError(
                f"{self.label} takes no {missing[0]} per element, which was given to the composite it is a part of. "
                "Write it with the kit (@losskit.loss), or leave it out of this sum."
            )
        return self.function(*tensors, **given)

    def __repr__(self) -> str:
        shown = repr(self.function) if isinstance(self.function, nn.Module) else self.label
        return f"{origin(self.function)}:{shown}"

    @property
    def takes_normalizer(self) -> bool:
        return "normalizer" in self.takes

    @property
    def name(self) -> str:
        return self.label

    @property
    def label(self) -> str:
        function = self.function
        return getattr(function, "__name__", type(function).__name__)


def as_loss(loss: Any) -> Loss:
    """A loss unchanged; a module or callable wrapped."""
    if isinstance(loss, Loss):
        return loss
    if isinstance(loss, type) or not callable(loss):
        raise TypeError(f"A loss, a module or a callable can be added to a loss; got {quoted(loss)}.")
    module = getattr(loss, "Module", None)  # a kit function stands for its module with default options
    if isinstance(module, type) and issubclass(module, Loss):
        return module()
    return Wrapped(loss)


def has(parameters: list[inspect.Parameter], name: str) -> bool:
    return any(p.name == name or p.kind is p.VAR_KEYWORD for p in parameters)


def parameters(function: Callable[..., Any]) -> list[inspect.Parameter]:
    function = function.forward if isinstance(function, nn.Module) else function
    try:
        return list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return []


def origin(function: Any) -> str:
    return str((type(function) if isinstance(function, nn.Module) else function).__module__)


class VariableWeight(nn.Module):
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
    """The product of two variable weights."""

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
    """A weight as a constant factor and a variable one."""
    if isinstance(weight, nn.Module):
        return 1.0, weight
    if isinstance(weight, Tensor):
        if weight.numel() != 1:
            raise ValueError(f"A loss is multiplied by one number; got a tensor of shape {tuple(weight.shape)}.")
        return 1.0, VariableWeight(weight)
    if not hasattr(weight, "__float__"):
        raise TypeError(
            f"A loss is multiplied by a number, a tensor or a module that gives one (losskit.Scheduled for a "
            f"schedule); got {quoted(weight)}."
        )
    number = float(weight)
    if not math.isfinite(number):
        raise ValueError(f"A loss is multiplied by a finite number; got {number}.")
    return number, None


def times(weight: float | Tensor, value: Tensor) -> Tensor:
    if isinstance(weight, Tensor):
        return weight.to(value.dtype) * value
    return value if weight == 1 else weight * value


def call(
    part: Loss, tensors: tuple[Any, ...], weight: Any, mask: Any, normalizer: Any, whole: Sums | None,
    named: dict[str, Any], index: int = 0, inner: dict[int, Parts] | None = None,
) -> Tensor:  # fmt: skip
    """The value of one part of a call of the composite; `inner` receives the part's own parts, where it has any."""
    arguments = {"weight": weight, "mask": mask, "normalizer": normalizer, "whole": whole}
    given = {name: value for name, value in arguments.items() if value is not None}
    given.update({name: value for name, value in named.items() if value is not None and takes(part, name)})
    value: Tensor
    if inner is not None and part.has_parts and not hooked(part):
        value, inner[index] = part.parts(*tensors, **given)
    else:
        value = part(*tensors, **given)
    if value.dim() != 0:
        raise ValueError(f"{part.name}: a part of a composite returns one number; got shape {tuple(value.shape)}.")
    return value


def hooked(part: nn.Module) -> bool:
    return bool(part._forward_hooks or part._forward_pre_hooks or part._backward_hooks)


def takes(part: Any, name: str) -> bool:
    """Whether a part takes an argument of this name."""
    if part.is_sum:
        return any(takes(inner, name) for inner in part.planned_parts())
    return has(parameters(part), name)


def require_normalizer(owner: str, part: Loss, normalizer: Any) -> None:
    """Raise an error if a normalizer is given to a part that is not a mean over elements."""
    if normalizer is not None and not part.takes_normalizer:
        raise TypeError(
            f"{owner}: normalizer= replaces the number of elements that a mean divides by, and {part.label} is no mean "
            "of elements. Leave it out."
        )
