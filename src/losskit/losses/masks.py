"""Losses of sets of masks, as mask transformers match them."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from losskit.core.domains import NonNegative, Positive
from losskit.core.masks import MaskLoss
from losskit.core.options import option
from losskit.ops.columns import Column, TermColumn


class MaskDiceLoss(MaskLoss):
    r"""Measures the overlap of each predicted mask with its target, one Dice a mask of the set.

    .. math:: \frac{1}{M} \sum_m 1 - \frac{2\,TP_m / k + s + \epsilon}{(P_m + T_m) / k + s + \epsilon}

    with k the scale; M is `num_masks`. A mask in which nothing is there and nothing predicted costs nothing.

    Source: Cheng, Schwing, Kirillov 2021, MaskFormer, arXiv:2107.06278 (smooth 1); Dice itself Milletari, Navab,
    Ahmadi 2016, arXiv:1606.04797.

    Elsewhere: MaskFormer and Mask2Former add 1 to both sides (`smooth=1`); copies of it in tutorials divide by 1000 and
    add 1e-6 (`scale=1000, eps=1e-6`); DiceLoss reads dimension 1 as channels and takes the mean over samples and
    classes.
    """

    authority = "the formula of MaskFormer and Mask2Former, written independently"

    smooth: NonNegative = option(default=0.0, doc="added to the numerator and the denominator, in units of the scale")
    eps: NonNegative = option(default=0.0, doc="added besides, under the name it has elsewhere")
    scale: Positive = option(default=1.0, doc="divides the sums")

    columns: ClassVar[list[Column]] = ["tp", "pred", "target", "count"]

    def per_mask(self, totals: Tensor) -> Tensor:
        tp, pred, truth, _ = totals.unbind(-1)
        size = (pred + truth) / self.scale + self.smooth + self.eps
        nothing = size == 0
        score = (2 * tp / self.scale + self.smooth + self.eps) / torch.where(nothing, 1.0, size)
        return torch.where(nothing, 0.0, 1 - score)


def _minus(log_p: Tensor) -> Tensor:
    return -log_p


class MaskBCELoss(MaskLoss):
    r"""Asks of each pixel of each mask whether it belongs: the mean cross-entropy of a mask, one a mask of the set.

    .. math:: -\frac{1}{M} \sum_m \frac{1}{|m|} \sum_i t_i \log p_i + (1 - t_i) \log(1 - p_i)

    M is `num_masks`.

    Source: Cheng, Schwing, Kirillov 2021, MaskFormer, arXiv:2107.06278; at points Cheng et al. 2022, Mask2Former,
    arXiv:2112.01527, sampled as in Kirillov, Wu, He, Girshick 2020, PointRend, arXiv:1912.08193.

    Elsewhere: BCEWithLogitsLoss takes one mean over all elements, the same where masks are of one size and all count.
    """

    authority = "the formula of MaskFormer and Mask2Former, written independently"
    short_name = "mask_bce"

    columns: ClassVar[list[Column]] = [TermColumn(_minus, "truth", 0), TermColumn(_minus, "truth", 1), "count"]

    def per_mask(self, totals: Tensor) -> Tensor:
        yes, no, count = totals.unbind(-1)
        return (yes + no) / count
