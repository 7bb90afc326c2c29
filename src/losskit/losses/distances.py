"""Distance-based losses of segmentation borders, and the signed distance map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import torch
import torch.nn.functional as F
from annotated_types import Ge
from torch import Tensor

from losskit.core.contract import check_real
from losskit.core.domains import NonNegative, Positive
from losskit.core.options import Configured, option
from losskit.losses.spatial import Regions, SpatialLoss
from losskit.ops.distances import distances as distances_inside
from losskit.ops.inputs import computing_dtype
from losskit.ops.maths import safe_power


def signed_distance(mask: Tensor, spacing: float | Sequence[float] | None = None) -> Tensor:
    """The signed Euclidean distance to the border of a mask: above 0 outside, 0 at the border, below 0 inside.

    `mask` is (N, C, *), bool, or numbers of which those above 1/2 are inside; each sample and channel is a separate
    mask. Outside, the value is the distance d to the nearest inside position. Inside, it is step - d, with d the
    distance to the nearest outside position: the outermost inside positions have 0. `spacing` is the distance of
    neighbouring positions, one number or one per spatial dimension, and the step is its smallest value. An empty or
    full mask has no border: all its distances are 0.

    The distances are exact and carry no gradient; they are float64 for a float64 mask and float32 for others. The
    function needs only the mask, so data-loading workers can call it, and the losses accept its result as
    `distances=`; for class indices: `signed_distance(F.one_hot(target, C).movedim(-1, 1))`.

    Source: Kervadec et al. 2019, arXiv:1812.07032, whose code subtracts 1 inside for any spacing.
    """
    check_real("signed_distance", "mask", mask)
    if mask.dim() < 3:
        raise ValueError(
            f"signed_distance: mask must have shape (N, C, *), with at least one spatial dimension; got "
            f"{tuple(mask.shape)}. For a single mask pass mask[None, None]."
        )
    inside = mask > 0.5 if mask.is_floating_point() else mask != 0
    dtype = computing_dtype(mask) if mask.is_floating_point() else torch.float32
    return _signed(inside, steps_of("signed_distance", spacing, inside.dim() - 2)).to(dtype)


def _signed(inside: Tensor, spacing: list[float]) -> Tensor:
    away, within = distances_inside(~inside, spacing), distances_inside(inside, spacing)
    return torch.where(inside & (within > 0), min(spacing) - within, away)


def steps_of(owner: str, spacing: float | Sequence[float] | None, dims: int) -> list[float]:
    """One number per spatial dimension."""
    if spacing is None or not isinstance(spacing, Sequence):
        found = [1.0 if spacing is None else float(spacing)] * dims
    else:
        found = [float(step) for step in spacing]
    if len(found) != dims:
        raise ValueError(
            f"{owner}: spacing has {len(found)} numbers for {dims} spatial dimensions. Give one number for all, or one "
            "each."
        )
    if not all(step > 0 for step in found):
        raise ValueError(f"{owner}: spacing takes numbers > 0, the distance of neighbours; got {spacing!r}.")
    return found


class SpacingOptions(Configured):
    """The option of distance-based losses."""

    spacing: Positive | Sequence[Positive] = option(
        default=1.0, doc="distance of neighbouring positions, one number or one per spatial dimension"
    )


class DistanceLoss(SpacingOptions, SpatialLoss):
    """A loss of the distances to the target's border, computed or passed at the call as `distances=`."""

    abstract = True
    beside = ("distances",)

    def signed(self, regions: Regions, given: tuple[Tensor, ...], inside: Tensor) -> Tensor:
        """The signed distances: those passed, or computed from the inside positions."""
        if given:
            return given[0]
        return regions.select(_signed(inside, self.steps(regions)).to(regions.p.dtype))

    def steps(self, regions: Regions) -> list[float]:
        return steps_of(self.name, self.spacing, len(regions.space))


class BoundaryLoss(DistanceLoss):
    r"""Boundary loss: the mean of the predicted probabilities times the signed distance to the target's border.

    .. math:: \frac{1}{|\Omega|} \sum_i p_i\,\varphi_i

    with :math:`\varphi` the signed distance of the target (`losskit.signed_distance`), below 0 inside, and the mean
    over the positions of each class of each sample. Add it to a region loss with a weight that grows in training:
    alone, it has a trivial minimum where the foreground is small. `distances=` at the call takes precomputed signed
    distances. If a class fills the image there is no border: its loss is 0, with a zero gradient.

    Source: Kervadec et al. 2019, arXiv:1812.07032.

    Elsewhere: mmsegmentation's BoundaryLoss is a class-balanced cross-entropy of an edge head.

    Example:
        >>> loss = losskit.DiceLoss() + 0.1 * losskit.BoundaryLoss()
        >>> target = torch.zeros(1, 1, 6, 6)  # a mask (N, 1, H, W)
        >>> target[..., 2:5, 2:5] = 1
        >>> input = 8 * target.roll(1, -1) - 4  # logits, one pixel to the right
        >>> loss(input, target)
        tensor(0.3584)
    """

    authority = "monai.losses.BoundaryLoss and its formula in mpmath"
    short_name = "boundary"
    also_called = ("kervadec", "surface", "surface_loss")
    hard = True

    def per_region(self, regions: Regions, *beside: Tensor) -> Tensor:
        return regions.mean(regions.p * self.signed(regions, beside, regions.t > 0.5))


class HausdorffLoss(DistanceLoss):
    r"""Hausdorff distance loss: squared errors weighted by their distances to both borders; far errors dominate.

    .. math:: \frac{1}{|\Omega|} \sum_i (p_i - t_i)^2 \left(d_{p,i}^{\,\alpha} + d_{t,i}^{\,\alpha}\right)

    the mean over the positions of each class of each sample. The distances of each position are to the border of the
    prediction, :math:`p > 1/2`, and of the target, :math:`t > 1/2`: to the nearest position on the other side. They
    carry no gradient. `log=True` returns :math:`\log(1 + \ell)` of each class of each sample. `distances=` at the call
    takes signed distances of the target, precomputed by `losskit.signed_distance`. An empty or full map has no border:
    its distances are 0.

    Source: Karimi and Salcudean 2019, arXiv:1904.10030.

    Elsewhere: MONAI's HausdorffDTLoss excludes class 0 by default, and its LogHausdorffDTLoss takes the logarithm of
    the mean; ErosionHausdorffLoss estimates the distances by erosions.

    Example:
        >>> loss = losskit.HausdorffLoss(alpha=2.0)
        >>> target = torch.zeros(1, 1, 6, 6)  # a mask (N, 1, H, W)
        >>> target[..., 2:5, 2:5] = 1
        >>> input = 8 * target.roll(1, -1) - 4  # logits, one pixel to the right
        >>> loss(input, target)
        tensor(0.4036)
    """

    authority = "monai.losses.HausdorffDTLoss, monai.losses.LogHausdorffDTLoss and its formula in mpmath"
    short_name = "hausdorff"
    also_called = ("hd", "hausdorff_dt", "hd_dt", "log_hausdorff")

    alpha: Positive = option(default=2.0, doc="exponent of the distances")
    log: bool = option(default=False, doc="return log(1 + loss) of each class of each sample")

    def per_region(self, regions: Regions, *beside: Tensor) -> Tensor:
        of_target = self._unsigned(regions, regions.t > 0.5, beside)
        of_prediction = self._unsigned(regions, regions.p.detach() > 0.5, ())
        loss = regions.mean(regions.error**2 * (of_target + of_prediction))
        return loss.log1p() if self.log else loss

    def _unsigned(self, regions: Regions, inside: Tensor, given: tuple[Tensor, ...]) -> Tensor:
        """The distance to the nearest position on the other side, raised to the power alpha; 0 without a border."""
        step = min(self.steps(regions))
        signed = self.signed(regions, given, inside)
        mixed = inside.any(regions.space, keepdim=True) & ~inside.all(regions.space, keepdim=True)
        return safe_power(torch.where(mixed, torch.where(inside, step - signed, signed), 0.0), self.alpha)


class ErosionHausdorffLoss(SpatialLoss):
    r"""Hausdorff loss by erosion: errors weighted by the number of erosions they survive; thick errors dominate.

    .. math:: \frac{1}{|\Omega|} \sum_i \sum_{k=1}^{K} k^{\alpha}\,e_{k,i}, \qquad
        e_k = \mathrm{norm}\left[\left(B * e_{k-1} - \tfrac{1}{2}\right)_+\right], \quad e_0 = (p - t)^2

    the mean over the positions of each class of each sample. B is the mean over a position and its neighbours along
    each dimension, padded with 0, and norm rescales each map linearly to [0, 1]; a constant map is unchanged. If
    nothing survives the first erosion, the loss and its gradient are 0.

    Source: Karimi and Salcudean 2019, arXiv:1904.10030.

    Elsewhere: kornia calls it HausdorffERLoss and takes probabilities; erosions have no unit, so there is no spacing.

    Example:
        >>> loss = losskit.ErosionHausdorffLoss(alpha=2.0, iterations=3)
        >>> target = torch.zeros(1, 1, 6, 6)  # a mask (N, 1, H, W)
        >>> target[..., 2:5, 2:5] = 1
        >>> input = 8 * target.roll(1, -1) - 4  # logits, one pixel to the right
        >>> loss(input, target)
        tensor(0.0555)
    """

    authority = "its formula in mpmath and values worked by hand"
    short_name = "hausdorff_er"
    also_called = ("hd_er", "erosion_hausdorff", "HausdorffERLoss")

    alpha: NonNegative = option(default=2.0, doc="exponent of the number of survived erosions")
    iterations: Annotated[int, Ge(1)] = option(default=10, doc="number of erosions, K in the formula")

    def per_region(self, regions: Regions, *beside: Tensor) -> Tensor:
        bound = regions.error**2
        value = torch.zeros_like(bound)
        for k in range(1, self.iterations + 1):
            bound = self._stretched(regions, (_mean_of_cross(bound, regions.space) - 0.5).clamp_min(0))
            value = value + k**self.alpha * bound
        return regions.mean(value)

    def _stretched(self, regions: Regions, map: Tensor) -> Tensor:
        """Each map, linearly rescaled to [0, 1]."""
        least = torch.where(regions.counts, map, torch.inf).amin(regions.space, keepdim=True)
        most = torch.where(regions.counts, map, -torch.inf).amax(regions.space, keepdim=True)
        flat = (most <= least) | most.isinf()
        stretched = (map - torch.where(flat, 0.0, least)) / torch.where(flat, 1.0, most - least)
        return regions.select(stretched)


def _mean_of_cross(map: Tensor, space: tuple[int, ...]) -> Tensor:
    """The mean over each position and its neighbours along each dimension, padded with 0."""
    total = map
    for dim in space:
        outer = [0, 0] * (map.dim() - 1 - dim)
        padded = F.pad(map, [*outer, 1, 1])
        total = total + padded.narrow(dim, 0, map.shape[dim]) + padded.narrow(dim, 2, map.shape[dim])
    return total / (2 * len(space) + 1)
