"""MeanLoss: a weighted mean of values, each of which depends on its own element or sample alone."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor

from losskit.core.contract import check_equal, check_floating, check_tensor, elementwise
from losskit.core.loss import Summable, check_returned
from losskit.core.reduction import total, weighted
from losskit.core.sums import Counts, Sums
from losskit.ops.inputs import computing_dtype, summing_dtype


class MeanLoss(Summable):
    """A weighted mean of values, each of its own element or sample: define `weighed(...)`.

    Its sums are the weighted values and their weights, so it adds over ranks and micro-batches.
    """

    across_ranks: ClassVar[str] = "exact after losskit.distributed.sync."

    def totals(self, *tensors: Tensor, weight: Tensor | None = None, mask: Tensor | None = None) -> Sums:
        value, share = self.weighed(*tensors, weight=weight, mask=mask)
        return Sums(numerator=total(value), denominator=self.size(share))

    def size(self, share: Tensor) -> Tensor:
        """The denominator of the mean, from the weights of what counts."""
        return total(share)

    def counts(
        self,
        target: Tensor,
        weight: Tensor | None = None,
        mask: Tensor | None = None,
        *,
        num_classes: int | None = None,
    ) -> Counts:
        values = torch.zeros((), dtype=summing_dtype(target), device=target.device).expand(self.values_shape(target))
        weight = elementwise(self.name, "weight", weight, values.shape)
        mask = elementwise(self.name, "mask", mask, values.shape)
        with torch.no_grad():
            return Counts(denominator=self.size(weighted(values, weight, mask)[1]))

    def values_shape(self, target: Tensor) -> torch.Size:
        """The shape of reduction="none", from the target."""
        return target.shape


class ElementLoss(MeanLoss):
    """A formula on each element of tensors of one shape: define `per_element(*tensors)`.

    It is given the elements that count and neutral values elsewhere, in float32 or better, so that a NaN target under
    a mask reaches neither the value nor the gradient.
    """

    shapes: ClassVar[str] = (
        "the tensors of one shape; weight and mask of it too, with size 1 where they repeat; values of that shape."
    )

    def per_element(self, *tensors: Any, **_: Any) -> Tensor:
        """The loss of each element, in the shape of the first tensor."""
        raise TypeError(f"{self.name} must define per_element({', '.join(self.tensor_names())}).")

    def neutral(self, position: int) -> float:
        """What stands in for the argument at this position where an element does not count."""
        return 0.0

    def check(self, *tensors: Tensor) -> None:
        """The first tensor is floating point and the others have its shape."""
        names = self.tensor_names()
        check_floating(self.name, names[0], tensors[0])
        for name, tensor in zip(names[1:], tensors[1:], strict=True):
            check_tensor(self.name, name, tensor)
            check_equal(self.name, {names[0]: tensors[0], name: tensor})

    def weighed(
        self, *tensors: Tensor, weight: Tensor | None = None, mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        self.check(*tensors)
        shape = tensors[0].shape
        weight = elementwise(self.name, "weight", weight, shape)
        mask = elementwise(self.name, "mask", mask, shape)
        dtype = computing_dtype(tensors[0])
        elements = [t.to(dtype) for t in tensors]
        if mask is not None:
            elements = [t.where(mask, self.neutral(i)) for i, t in enumerate(elements)]
        method = f"per_element({', '.join(self.tensor_names())})"
        value = check_returned(self.name, method, self.per_element(*elements), tuple(shape))
        return weighted(value, weight, mask)
