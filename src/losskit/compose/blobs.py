"""BlobLoss: a loss computed on each connected component of the target separately."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor

from losskit.core.contract import InputSpec
from losskit.core.means import MeanLoss
from losskit.core.operands import Wrapped, as_loss
from losskit.core.options import Configured
from losskit.core.summable import Summable
from losskit.ops.inputs import summing_dtype
from losskit.ops.morphology import components
from losskit.ops.reference import Elements


class BlobLoss(MeanLoss):
    r"""Blob loss: a criterion averaged over the target's connected components, so that small objects count equally.

    .. math:: \frac{1}{N} \sum_n \frac{1}{K_n} \sum_k \ell(x_n, B_{n,k})

    with the K blobs (connected components) of each image that has any, and :math:`\ell` the criterion: any loss of
    binary masks that takes a mask, by which the positions of the other blobs are excluded. Blobs are connected along
    the dimensions and diagonals; those of several channels are averaged together. `blobs=` at the call passes a custom
    labelling: an integer map of the target's shape, 0 outside blobs. The loss sees only the false positives that the
    criterion sees, so add it to a loss of the whole image: `DiceLoss() + 0.5 * BlobLoss(DiceLoss())`.

    The number of blobs is read from the target, so call this loss outside compiled code and transforms.

    Source: Kofler et al. 2022, arXiv:2205.08209.

    Elsewhere: the released code multiplies the prediction by the mask instead of excluding positions.

    Example:
        >>> loss = losskit.DiceLoss() + 0.5 * losskit.BlobLoss(losskit.DiceLoss())
        >>> target = torch.tensor([[[1, 1, 1, 1, 0, 0, 1]]])  # a large and a small object (N, 1, *)
        >>> input = torch.tensor([[[4.0, 4.0, 4.0, 4.0, -4.0, -4.0, -4.0]]])  # logits, the small one missed
        >>> loss(input, target)
        tensor(0.3662)
    """

    shapes: ClassVar[str] = (
        "input (N, C, *), target and blobs of the same shape, with one channel also (N, *); weight and mask of that "
        "shape, with size 1 where they repeat; values (N,)."
    )
    authority: ClassVar[str] = "values worked out by hand"
    tensors: ClassVar[tuple[str, ...]] = ("input", "target")
    beside: ClassVar[tuple[str, ...]] = ("blobs",)
    counts_elements: ClassVar[bool] = False  # the denominator counts images

    denominator = Summable.denominator

    def __init__(self, criterion: Any, **options: Any) -> None:
        Configured.__init__(self, **options)
        self.criterion = as_loss(criterion)
        if isinstance(self.criterion, Wrapped) and "mask" not in self.criterion.takes:
            raise TypeError(
                f"{self.name}: {self.criterion.name} takes no mask, but the other blobs are excluded by a mask. Pass a "
                "loss that takes one, such as DiceLoss()."
            )

    def weighed(
        self, *tensors: Tensor, weight: Tensor | None = None, mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        input, target, *given = tensors
        ignored = getattr(self.criterion, "ignore_index", -100)
        inputs = InputSpec("sigmoid", ignore_index=ignored).parse(self.name, input, target, weight, mask)
        elements = Elements(inputs)
        shape = inputs.input.shape
        counts = torch.ones(shape, dtype=torch.bool, device=input.device)
        counts = counts if elements.counts is None else elements.counts.expand(shape)
        if given and given[0].numel() != inputs.target.numel():
            raise ValueError(
                f"{self.name}: blobs has shape {tuple(given[0].shape)}, but it takes a number for each element of "
                f"target, {tuple(target.shape)}."
            )
        labels = given[0].reshape(shape) if given else components((elements.target > 0.5) & counts, len(shape) - 2)
        values, found = [], []
        for n in range(shape[0]):
            each = [
                self._of_blob(inputs.input, labels, inputs.weight, counts, n, c, number)
                for c in range(shape[1])
                for number in torch.unique(labels[n, c][counts[n, c]]).tolist()
                if number != 0
            ]
            nothing = torch.where(torch.zeros_like(counts[n]), inputs.input[n], 0.0).sum(dtype=summing_dtype(input))
            values.append(torch.stack(each).mean() if each else nothing)
            found.append(float(bool(each)))
        if not values:
            return inputs.input.sum((0, 1)).sum().reshape(1)[:0], counts.new_zeros(0, dtype=summing_dtype(input))
        return torch.stack(values), torch.tensor(found, dtype=values[0].dtype, device=input.device)

    def _of_blob(
        self, input: Tensor, labels: Tensor, weight: Tensor | None, counts: Tensor, n: int, c: int, number: float
    ) -> Tensor:
        """The criterion of one blob; the positions of other blobs are masked out."""
        label = labels[n : n + 1, c : c + 1]
        kept = counts[n : n + 1, c : c + 1] & ((label == 0) | (label == number))
        given = None if weight is None else weight.expand(input.shape)[n : n + 1, c : c + 1]
        value: Tensor = self.criterion(input[n : n + 1, c : c + 1], label == number, weight=given, mask=kept)
        return value.to(summing_dtype(input))

    @property
    def label(self) -> str:
        return f"blob_{self.criterion.label}"
