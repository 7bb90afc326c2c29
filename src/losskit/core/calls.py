"""How a sum calls its parts: which arguments each part takes, and errors for arguments that it does not take."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from torch import Tensor, nn

from losskit.core.loss import Loss, Parts
from losskit.core.sums import Sums
from losskit.core.wrapped import has, parameters


def call(
    part: Loss,
    tensors: tuple[Any, ...],
    weight: Any,
    mask: Any,
    normalizer: Any,
    whole: Sums | None,
    named: dict[str, Any],
    index: int = 0,
    inner: dict[int, Parts] | None = None,
) -> Tensor:
    """The value of one part of a call of the composite; `inner` receives the part's own parts, where it has any."""
    arguments = {
        "weight": weight,
        "mask": mask,
        "normalizer": normalizer,
        "whole": whole,
        **{name: value for name, value in named.items() if takes(part, name)},
    }
    given = {name: value for name, value in arguments.items() if value is not None}
    value: Tensor
    if inner is not None and part.has_parts and not hooked(part):
        value, inner[index] = part.parts(*tensors[: part.arity], **given)
    else:
        value = part(*tensors[: part.arity], **given)
    if value.dim() != 0:
        raise ValueError(f"{part.name}: a part of a composite returns one number; got shape {tuple(value.shape)}.")
    return value


def hooked(part: nn.Module) -> bool:
    return bool(part._forward_hooks or part._forward_pre_hooks or part._backward_hooks)


def takes(part: Any, name: str) -> bool:
    """Whether a part takes an argument of this name."""
    if getattr(part, "is_sum", False):
        return any(takes(inner, name) for inner in part.planned_parts())
    return has(parameters(part), name)


def require_normalizer(owner: str, part: Loss, normalizer: Any) -> None:
    """Raise an error if a normalizer is given to a part that is not a mean over elements."""
    if normalizer is not None and not part.takes_normalizer:
        raise TypeError(
            f"{owner}: normalizer= replaces the number of elements that a mean divides by, and {part.label} is no mean "
            "of elements. Leave it out."
        )


def refuse_normalizer(owner: str, tensors: Iterable[str], names: Iterable[str], refusing: list[str]) -> None:
    """Raise an error that names the parts of a sum that are not means over elements."""
    given = ", ".join(tensors)
    apart = " + ".join(f"{name}({given}{'' if name in refusing else ', normalizer=...'})" for name in names)
    raise TypeError(
        f"{owner}: normalizer= replaces the number of elements that a mean divides by, and {' and '.join(refusing)} "
        f"{'are no means' if len(refusing) > 1 else 'is no mean'} of elements. Give each part its own: call the parts "
        f"one by one, {apart}."
    )
