"""RegressionLoss: a formula on `(input, target)`, element by element."""

from __future__ import annotations

from torch import Tensor

from losskit.core.contract import read_pair
from losskit.core.loss import Additive, returned
from losskit.core.reduction import total, weighted
from losskit.core.sums import Sums
from losskit.ops.reading import computing_dtype


class RegressionLoss(Additive):
    """A formula on each element's input and target: define `per_element(input, target)`.

    It is given the elements that count and zeros elsewhere, in float32 or better, so that a NaN target under a mask
    reaches neither the value nor the gradient.
    """

    def per_element(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss of each element, in the shape of the input."""
        raise NotImplementedError

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
        return self.reduced(input, target, weight=weight, mask=mask, normalizer=normalizer, whole=whole)

    def totals(self, *tensors: Tensor, weight: Tensor | None = None, mask: Tensor | None = None) -> Sums:
        value, share = self._weighted(*tensors, weight=weight, mask=mask)
        return Sums(numerator=total(value), denominator=total(share))

    def conclude(self, sums: Sums) -> tuple[Tensor, Tensor | None]:
        return sums["numerator"], sums["denominator"]

    def elements(self, *tensors: Tensor, weight: Tensor | None = None, mask: Tensor | None = None) -> Tensor:
        return self._weighted(*tensors, weight=weight, mask=mask)[0]

    def _weighted(self, *tensors: Tensor, weight: Tensor | None, mask: Tensor | None) -> tuple[Tensor, Tensor]:
        input, target, *others = tensors
        weight, mask = read_pair(self.name, input, target, weight, mask)
        dtype = computing_dtype(input)
        elements = [t.to(dtype) for t in (input, target, *others)]
        if mask is not None:
            elements = [t.where(mask, self.neutral(i)) for i, t in enumerate(elements)]
        value = returned(self.name, "per_element(input, target)", self.per_element(*elements), tuple(input.shape))
        return weighted(value, weight, mask)

    def neutral(self, position: int) -> float:
        """What stands in for the argument at this position where an element does not count."""
        return 0.0
