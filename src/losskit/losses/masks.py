"""Losses of sets of masks, as matched by mask transformers, over all pixels or at sampled points."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch
from annotated_types import Ge
from torch import Tensor

from losskit import ops
from losskit.core.contract import InputSpec, check_equal, check_floating, check_real, shape, weight_and_mask
from losskit.core.domains import Fraction, NonNegative, Positive
from losskit.core.means import MeanLoss
from losskit.core.options import Configured, option
from losskit.core.summable import answering
from losskit.core.sums import Sums, check_size
from losskit.losses.points import sample_points, uncertain_points
from losskit.ops.columns import Column, Formula, TermColumn
from losskit.ops.inputs import Inputs, can_hold


class MaskOptions(Configured):
    """The options of every mask loss."""

    ignore_index: int = option(default=-100, doc="the label of pixels to leave out, as if they were not there")
    from_logits: bool = option(default=True, doc="False when the input holds probabilities in [0, 1]")
    num_points: Annotated[int, Ge(1)] | None = option(
        default=None, doc="number of points of each mask to compare instead of all pixels, most of them uncertain"
    )
    oversample_ratio: Annotated[float, Ge(1)] = option(
        default=3.0, doc="oversampling factor of the candidates for uncertain points"
    )
    importance_sample_ratio: Fraction = option(default=0.75, doc="fraction of points selected by uncertainty")


class MaskLoss(MaskOptions, MeanLoss):
    """One loss per mask (M, *), summed over masks and divided by `num_masks`: define `columns` and `per_mask(totals)`.

    `num_masks` at the call is a number, by default the number of masks that count: mask transformers pass the average
    over processes, at least 1. `points` at the call, (M, P, D) from `losskit.uncertain_points`, can be shared by
    several losses; with points, input and target may differ in resolution. `generator` seeds points drawn here.
    """

    shapes: ClassVar[str] = (
        "input and target (M, *), M masks without a channel dimension, target in [0, 1]; weight and mask as the target."
    )
    abstract: ClassVar[bool] = True
    columns: ClassVar[list[Column]]

    def per_mask(self, totals: Tensor) -> Tensor:
        """The loss of each mask, (M,), from the totals of `columns`, (M, K)."""
        raise NotImplementedError

    @answering
    def forward(
        self,
        input: Tensor,
        target: Tensor,
        weight: Tensor | None = None,
        mask: Tensor | None = None,
        *,
        num_masks: float | Tensor | None = None,
        points: Tensor | None = None,
        generator: torch.Generator | None = None,
        normalizer: float | Tensor | None = None,
        whole: Sums | None = None,
    ) -> Tensor:
        if num_masks is not None and normalizer is not None:
            raise TypeError(f"{self.name}: num_masks and normalizer both are the denominator; pass one of them.")
        points = self.points(input, generator) if points is None else points
        tensors = (input, target) if points is None else (input, target, points)
        divisor = normalizer if num_masks is None else num_masks
        return self.reduced(*tensors, weight=weight, mask=mask, normalizer=divisor, whole=whole)

    def points(self, input: Tensor, generator: torch.Generator | None = None) -> Tensor | None:
        """Points of each mask, most of them where the input is uncertain; None without `num_points`."""
        if self.num_points is None:
            return None
        check_floating(self.name, "input", input)
        logits = input if self.from_logits else input - 0.5
        return uncertain_points(logits, self.num_points, self.oversample_ratio, self.importance_sample_ratio, generator)

    def weighed(
        self, *tensors: Tensor, weight: Tensor | None = None, mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        input, target, *given = tensors
        points = given[0] if given else self.points(input)
        totals = torch.cat(ops.totals(self.read(input, target, points, weight, mask), self.columns), 1)  # (M, K)
        size = totals[:, self.columns.index("count")]
        check_size(size, self.name)
        counts = size != 0
        value = self.per_mask(torch.where(counts.unsqueeze(1), totals, 1.0))
        return torch.where(counts, value, 0.0), counts.to(totals.dtype)

    def denominator(self, target: Tensor, weight: Tensor | None, mask: Tensor | None, classes: int | None) -> Tensor:
        input = torch.zeros((), device=target.device).expand(target.shape)
        (count,) = ops.totals(self.read(input, target, None, weight, mask), ["count"])
        return (count != 0).sum(dtype=count.dtype)

    def read(
        self, input: Tensor, target: Tensor, points: Tensor | None, weight: Tensor | None, mask: Tensor | None
    ) -> Inputs:
        check_floating(self.name, "input", input)
        check_real(self.name, "target", target)
        if input.dim() < 2:
            raise ValueError(
                f"{self.name}: input must have shape (M, *), masks with their pixels; got {shape(input)}. For a single "
                "mask pass input.unsqueeze(0)."
            )
        if points is None:
            check_equal(self.name, {"input": input, "target": target})
        elif target.dim() != input.dim() or target.shape[0] != input.shape[0]:
            raise ValueError(
                f"{self.name}: input has shape {shape(input)} and target {shape(target)}; at points their resolution "
                "may differ, but not the number of masks or of dimensions."
            )
        weight, mask = weight_and_mask(self.name, weight, mask, target.shape)
        if points is not None:
            input, target, weight, mask = self._at(points, input, target, weight, mask)
        weight, mask = (None if t is None else t.unsqueeze(1) for t in (weight, mask))
        spec = InputSpec("sigmoid", ignore_index=self.ignore_index, from_logits=self.from_logits)
        return spec.parse(self.name, input.unsqueeze(1), target.unsqueeze(1), weight, mask)

    def _at(
        self, points: Tensor, input: Tensor, target: Tensor, weight: Tensor | None, mask: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor | None, Tensor | None]:
        """All tensors at the points, (M, P); a point counts if all positions it is interpolated from count."""
        counts = None if mask is None else mask.expand(target.shape)
        if can_hold(target, self.ignore_index):
            kept = target != self.ignore_index
            counts = kept if counts is None else counts & kept
        if counts is not None:
            target = target.where(counts, torch.zeros((), dtype=target.dtype, device=target.device))
            if input.shape == target.shape:
                input = input.where(counts, 0.0 if self.from_logits else 0.5)
            counts = sample_points(counts, points) > sample_points(torch.ones_like(counts), points) - 1e-4
        weight = None if weight is None else sample_points(weight.expand(target.shape), points)
        return sample_points(input, points), sample_points(target, points), weight, counts


class MaskDiceLoss(MaskLoss):
    r"""Dice loss of each mask of a set, as in mask transformers.

    .. math:: \frac{1}{M} \sum_m 1 - \frac{2\,TP_m / k + s + \epsilon}{(P_m + T_m) / k + s + \epsilon}

    with k the scale; M is `num_masks`. A mask that is empty in prediction and target has loss 0.

    Source: Cheng, Schwing, Kirillov 2021, MaskFormer, arXiv:2107.06278 (smooth 1); Dice itself Milletari, Navab,
    Ahmadi 2016, arXiv:1606.04797.

    Elsewhere: MaskFormer and Mask2Former add 1 to both sides (`smooth=1`); copies of it in tutorials divide by 1000 and
    add 1e-6 (`scale=1000, eps=1e-6`); DiceLoss treats dimension 1 as channels and averages over samples and classes.

    Example:
        >>> loss = losskit.MaskDiceLoss()
        >>> input = torch.tensor([[2.0, 1.0, -1.0, -2.0], [-2.0, -2.0, 2.0, 2.0]])  # logits of masks (M, *)
        >>> target = torch.tensor([[1, 1, 1, 0], [0, 0, 1, 1]])
        >>> loss(input, target)
        tensor(0.1834)
    """

    authority = "its formula in mpmath"

    smooth: NonNegative = option(default=0.0, doc="added to the numerator and the denominator, in units of the scale")
    eps: NonNegative = option(default=0.0, doc="the same as smooth, under its other usual name; both are added")
    scale: Positive = option(default=1.0, doc="divisor of the sums")

    columns: ClassVar[list[Column]] = ["tp", "pred", "target", "count"]

    def per_mask(self, totals: Tensor) -> Tensor:
        tp, pred, truth, _ = totals.unbind(-1)
        size = (pred + truth) / self.scale + self.smooth + self.eps
        nothing = size == 0
        score = (2 * tp / self.scale + self.smooth + self.eps) / torch.where(nothing, 1.0, size)
        return torch.where(nothing, 0.0, 1 - score)


class MaskBCELoss(MaskLoss):
    r"""Binary cross-entropy of each mask of a set, averaged over the pixels of the mask.

    .. math:: -\frac{1}{M} \sum_m \frac{1}{|m|} \sum_i t_i \log p_i + (1 - t_i) \log(1 - p_i)

    M is `num_masks`.

    Source: Cheng, Schwing, Kirillov 2021, MaskFormer, arXiv:2107.06278; at points Cheng et al. 2022, Mask2Former,
    arXiv:2112.01527, sampled as in Kirillov, Wu, He, Girshick 2020, PointRend, arXiv:1912.08193.

    Elsewhere: BCEWithLogitsLoss takes one mean over all elements, which is equal if masks have one size and all count.

    Example:
        >>> loss = losskit.MaskBCELoss()
        >>> input = torch.tensor([[2.0, 1.0, -1.0, -2.0], [-2.0, -2.0, 2.0, 2.0]])  # logits of masks (M, *)
        >>> target = torch.tensor([[1, 1, 1, 0], [0, 0, 1, 1]])
        >>> loss(input, target)
        tensor(0.2985)
    """

    authority = "its formula in mpmath"
    short_name = "mask_bce"

    columns: ClassVar[list[Column]] = [TermColumn(Formula(), "truth", 0), TermColumn(Formula(), "truth", 1), "count"]

    def per_mask(self, totals: Tensor) -> Tensor:
        yes, no, count = totals.unbind(-1)
        return (yes + no) / count
