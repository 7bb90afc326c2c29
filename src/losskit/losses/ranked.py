"""Losses that sort elements by their error."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

import torch
from torch import Tensor

from losskit.core.labels import LABEL_SHAPES, LabelOptions, ModeOptions
from losskit.core.options import option
from losskit.core.summable import Summable
from losskit.core.sums import Sums
from losskit.ops import ranks
from losskit.ops.inputs import Inputs


class LovaszLoss(ModeOptions, LabelOptions, Summable):
    r"""Lovász hinge and Lovász-softmax losses: the convex Lovász extension of the Jaccard loss.

    .. math:: \sum_i e_{(i)}\,\left(J_i - J_{i-1}\right)

    with the errors in descending order and :math:`J_i` the Jaccard loss of misclassifying the first i. For one channel
    and multi-label the errors are hinges, :math:`[1 - x\,(2t - 1)]_+`; for several classes :math:`|t_c - p_c|`,
    averaged over the classes present in the image.

    Source: Berman, Triki, Blaschko 2018, arXiv:1705.08790; the hinge also Yu and Blaschko 2015, arXiv:1512.07797.

    Elsewhere: segmentation_models_pytorch and pytorch_toolbelt pool the batch by default; kornia averages over all
    classes, including absent ones; toolbelt's multi-class form takes probabilities.

    Example:
        >>> loss = losskit.LovaszLoss()
        >>> input = torch.tensor([[[2.0, 1.0, -1.0, -2.0]]])  # logits (N, 1, *)
        >>> target = torch.tensor([[[1, 1, 1, 0]]])  # a mask (N, 1, *)
        >>> loss(input, target)
        tensor(0.6667)
    """

    authority = "kornia.losses.LovaszHingeLoss, kornia.losses.LovaszSoftmaxLoss and its formula in mpmath"
    short_name = "lovasz"
    shapes = f"{LABEL_SHAPES}, but no weight; values (N,), or one number with pool='batch'."
    counts_elements = False  # the denominator counts images
    across_ranks: ClassVar[str] = (
        "exact with pool='sample'; with pool='batch' every process ranks the elements of its own batch."
    )

    pool: Literal["sample", "batch"] = option(
        default="sample", doc="rank the elements of each sample, or of the whole batch"
    )
    classes: Literal["present", "all"] | Sequence[int] = option(
        default="present", doc="classes averaged in multi-class: those in the image, all, or a list"
    )

    @property
    def summable(self) -> bool:
        return self.pool == "sample"

    @property
    def is_mean(self) -> bool:
        return self.pool == "sample"

    def totals(self, *tensors: Tensor, weight: Tensor | None = None, mask: Tensor | None = None) -> Sums:
        value, share = self.weighed(*tensors, weight=weight, mask=mask)
        return Sums(numerator=value.sum(), denominator=share.sum())

    def weighed(self, *tensors: Tensor, weight: Tensor | None, mask: Tensor | None) -> tuple[Tensor, Tensor]:
        value, share = self._images(tensors[0], tensors[1], weight=weight, mask=mask)
        return (value.squeeze(0), share.squeeze(0)) if self.pool == "batch" else (value, share)

    def _images(
        self, input: Tensor, target: Tensor, *, weight: Tensor | None, mask: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """The loss of each image (N,), and 1 where any of its elements counts."""
        if weight is not None:
            raise TypeError(
                f"{self.name}: elements are ranked, so they have no weight. Pass mask= to leave elements out, or "
                "class_weight= to weigh classes."
            )
        inputs = self.read(self.name, input, target, None, mask)
        sums = ranks.totals(inputs, pooled=self.pool == "batch")  # (N, C, 3)
        value, positives, count = sums.unbind(-1)
        scored = self._scored(positives, count, inputs)
        scored = self.by_class(scored)
        total = scored.sum(1)
        value = torch.where(scored > 0, value * scored, 0.0).sum(1) / torch.where(total > 0, total, 1.0)
        value = value + 0 * count.detach().sum(1)  # propagates NaN from invalid labels
        return value, (total > 0).to(value.dtype)

    def _scored(self, positives: Tensor, count: Tensor, inputs: Inputs) -> Tensor:
        """Which classes of each image are averaged, (N, C) float64."""
        scored = count > 0
        if inputs.link == "softmax":
            if self.classes == "present":
                scored = scored & (positives > 0)
            elif self.classes != "all":
                each = torch.arange(inputs.num_classes, device=scored.device)
                chosen = each < 0
                for c in self.classes:  # a copy of a list to a device would wait for it
                    chosen = chosen | (each == c)
                scored = scored & chosen
        return scored.to(torch.float64)
