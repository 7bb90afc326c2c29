"""The base class of named sums of losses."""

from __future__ import annotations

from typing import Any, ClassVar

from torch import Tensor

from losskit.core.algebra import WeightedSum
from losskit.core.domains import CompositeReduction
from losskit.core.labels import LABEL_SHAPES, LabelOptions
from losskit.core.loss import Loss
from losskit.core.options import Configured, option
from losskit.core.summable import Summable


class CombinedLoss(WeightedSum, LabelOptions):
    """A named sum whose parts share the options declared on it."""

    abstract: ClassVar[bool] = True
    components: ClassVar[tuple[tuple[str, type[Loss]], ...]] = ()
    shapes: ClassVar[str] = f"{LABEL_SHAPES}; the value is one number."
    without: ClassVar[tuple[str, ...]] = ()
    tensors: ClassVar[tuple[str, ...]] = ("input", "target")

    reduction: CompositeReduction = option(
        default="mean", doc="of every part: the weighted mean over counted elements, or its numerator"
    )

    __init__ = Configured.__init__
    forward = Summable.forward  # type: ignore[assignment]

    def __post_init__(self) -> None:
        super().__post_init__()
        self.set_terms(
            [(self.weight_of(n), self.component(n, cls)) for n, cls in self.components], [n for n, _ in self.components]
        )

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if name in self.options and "losses" in self._modules:
            self.__post_init__()  # an option of the parts changed

    def weight_of(self, component: str) -> float:
        weight: float = getattr(self, f"{component}_weight")
        return weight

    def component(self, name: str, cls: type[Loss]) -> Loss:
        return cls(**{o: getattr(self, o) for o in cls.options if o in self.options})

    def set_option(self, name: str, value: Any) -> None:
        if isinstance(value, Tensor):  # stored in the parts only, so that it is moved and saved once
            object.__setattr__(self, name, value)
        else:
            super().set_option(name, value)

    def extra_repr(self) -> str:
        return Configured.extra_repr(self)
