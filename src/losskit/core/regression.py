"""RegressionLoss: a formula on `(input, target)`, element by element."""

from __future__ import annotations

from torch import Tensor

from losskit.core.mean import ElementLoss


class RegressionLoss(ElementLoss):
    """A formula on each element's input and target: define `per_element(input, target)`.

    It is given the elements that count and zeros elsewhere, in float32 or better, so that a NaN target under a mask
    reaches neither the value nor the gradient.
    """

    def per_element(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss of each element, in the shape of the input."""
        raise TypeError(f"{self.name} must define per_element(input, target).")
