"""RegressionLoss: a formula on `(input, target)`, element by element."""

from __future__ import annotations

from torch import Tensor

from losskit.core.contract import elementwise
from losskit.core.mean import ElementLoss
from losskit.core.sums import Sums
from losskit.ops import differences
from losskit.ops.columns import Difference


class RegressionLoss(ElementLoss):
    """A formula on each element's input and target: define `per_element(input, target)`.

    It is given the elements that count and zeros elsewhere, in float32 or better, so that a NaN target under a mask
    reaches neither the value nor the gradient.
    """

    def difference(self) -> Difference | None:
        """The formula as numbers, where it is one that the fused operators know."""
        return None

    def per_element(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss of each element, in the shape of the input."""
        difference = self.difference()
        if difference is None:
            raise TypeError(f"{self.name} must define per_element(input, target).")
        return difference(input, target)

    def totals(self, *tensors: Tensor, weight: Tensor | None = None, mask: Tensor | None = None) -> Sums:
        overridden = type(self).per_element is not RegressionLoss.per_element
        difference = None if overridden else self.difference()
        if difference is None or len(tensors) != 2:
            return super().totals(*tensors, weight=weight, mask=mask)
        self.check(*tensors)
        input, target = tensors
        weight = elementwise(self.name, "weight", weight, input.shape)
        mask = elementwise(self.name, "mask", mask, input.shape)
        mean = self.reduction == "mean"
        sums = differences.totals(self.name, input, target, weight, mask, difference, mean=mean)
        if sums is None:
            return super().totals(*tensors, weight=weight, mask=mask)
        return Sums(numerator=sums[0], denominator=sums[1])
