"""CombinedLoss: a sum of two losses by one name, with the options of both."""

from __future__ import annotations

from typing import Any, ClassVar

from torch import Tensor

from losskit.core.algebra import WeightedSum
from losskit.core.domains import Fraction
from losskit.core.labels import LABEL_SHAPES, LabelOptions
from losskit.core.loss import Loss
from losskit.core.options import Configured, option
from losskit.core.sums import Sums


class SmoothingOptions(Configured):
    """Label smoothing, of the part that scores elements."""

    label_smoothing: Fraction = option(
        default=0.0,
        doc="the share of the target spread evenly over classes, or yes and no; Dice is not smoothed",
    )


class CombinedLoss(WeightedSum, LabelOptions):
    """A sum whose parts share the options declared once on it."""

    components: ClassVar[tuple[tuple[str, type[Loss]], ...]] = ()
    shapes: ClassVar[str] = f"{LABEL_SHAPES}; the value is one number."
    without: ClassVar[tuple[str, ...]] = ()

    __init__ = Configured.__init__

    def __post_init__(self) -> None:
        super().__post_init__()
        self.set_terms(
            [(self.weight_of(n), self.component(n, cls)) for n, cls in self.components], [n for n, _ in self.components]
        )

    def weight_of(self, component: str) -> float:
        weight: float = getattr(self, f"{component}_weight")
        return weight

    def component(self, name: str, cls: type[Loss]) -> Loss:
        return cls(**{o: getattr(self, o) for o in cls.options if o in self.options})

    def set_option(self, name: str, value: Any) -> None:
        if isinstance(value, Tensor):  # the parts hold it, so that it moves and is saved once
            object.__setattr__(self, name, value)
        else:
            super().set_option(name, value)

    def forward(  # type: ignore[override]
        self,
        input: Tensor,
        target: Tensor,
        weight: Tensor | None = None,
        mask: Tensor | None = None,
        *,
        normalizer: float | Tensor | None = None,
        whole: Sums | None = None,
    ) -> Tensor:
        return super().forward(input, target, weight=weight, mask=mask, normalizer=normalizer, whole=whole)

    def extra_repr(self) -> str:
        return Configured.extra_repr(self)
