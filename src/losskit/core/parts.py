"""The components of a composite's value, by name, for logging."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor


class Parts(dict[str, "Part"]):
    """The components by name."""

    def numbers(self) -> dict[str, Tensor]:
        """The weighted values by name, 0-dim tensors without gradient, as `log_dict` takes them.

        The values of nested parts follow under dotted names, such as `deep_supervision.0.dice`.
        """
        found: dict[str, Tensor] = {}
        for name, part in self.items():
            found[name] = part.weighted
            found.update({f"{name}.{inner}": value for inner, value in part.parts.numbers().items()})
        return found

    def times(self, weight: float | Tensor) -> Parts:
        """The same components, their weighted values multiplied by `weight`."""
        return Parts({n: Part(p.raw, (weight * p.weighted).detach(), p.parts.times(weight)) for n, p in self.items()})


@dataclass(frozen=True, eq=False)
class Part:
    """One component of a composite, without gradient: its value, and its weighted contribution."""

    raw: Tensor
    weighted: Tensor
    parts: Parts = field(default_factory=Parts)  # its own components

    def __float__(self) -> float:
        return float(self.weighted)
