"""Losses of the structure of regions: edges, contours and neighbouring positions."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Annotated, ClassVar

import torch
import torch.nn.functional as F
from annotated_types import Ge, Interval
from torch import Tensor

from losskit.core.contract import Always, InputSpec
from losskit.core.domains import Fraction, NonNegative, Positive
from losskit.core.labels import LABEL_SHAPES, ModeOptions, labels_of
from losskit.core.means import MeanLoss
from losskit.core.options import option
from losskit.core.summable import Summable
from losskit.core.sums import check_size
from losskit.losses.distances import SpacingOptions, steps_of
from losskit.losses.spatial import Regions, SpatialLoss, check_space
from losskit.ops import values
from losskit.ops.distances import distances
from losskit.ops.inputs import summing_dtype
from losskit.ops.morphology import along, dilated
from losskit.ops.reference import Elements, sized

_LEAST = -100.0  # clamp of log-probabilities, as in binary cross-entropy
_NO_CHANGE = 1e-5  # divergences up to it are no border, as in the paper's code


class StructureLoss(SpatialLoss):
    r"""Structure loss (F3Net): cross-entropy plus Jaccard, with weights that grow to 6 at the target's edges.

    .. math:: \frac{\sum_i w_i\,\mathrm{BCE}_i}{\sum_i w_i} + 1 - \frac{\sum_i w_i\,p_i t_i + 1}{\sum_i w_i\,(p_i + t_i
        - p_i t_i) + 1}, \quad w_i = 1 + 5\,\lvert \bar t_i - t_i \rvert

    for each class of each sample, with :math:`\bar t` the mean of the target over the cube of `kernel` positions per
    side, padded with 0. The formula has a value for an empty target, so absent classes are scored by it.

    Source: Wei, Wang, Huang 2020, F3Net, arXiv:1911.11445.

    Elsewhere: released copies pass `reduce='none'`, which PyTorch reads as the mean: their cross-entropy has no
    weights.

    Example:
        >>> loss = losskit.StructureLoss(kernel=3)
        >>> target = torch.zeros(1, 1, 6, 6)  # a mask (N, 1, H, W)
        >>> target[..., 2:5, 2:5] = 1
        >>> input = 8 * target.roll(1, -1) - 4  # logits, one pixel to the right
        >>> loss(input, target)
        tensor(1.4795)
    """

    authority = "its formula in mpmath"
    short_name = "structure"
    also_called = ("ppa", "pixel_position_aware", "f3net")
    always: ClassVar[Always | None] = "sigmoid"
    without = ("pool", "overlap", "mode")
    shapes = (
        "input (N, C, *) with at least one spatial dimension, target of the same shape in [0, 1], with one channel "
        "also (N, *); weight and mask of that shape, with size 1 where they repeat; values (N, C)."
    )
    absent = "formula"

    kernel: Annotated[int, Ge(1)] = option(default=31, doc="side of the cube over which the target is averaged")

    def per_region(self, regions: Regions, *beside: Tensor) -> Tensor:
        t = regions.t
        edge = 1 + 5 * (_box_mean(t, regions.space, self.kernel) - t).abs()
        e = regions.elements
        yes, no = torch.where(t == 0, 0.0, -t * e.log_p), torch.where(t == 1, 0.0, (t - 1) * e.log_q)
        entropy = regions.total(edge * regions.select(yes + no)) / _not_zero(regions.total(edge))
        shared = regions.total(edge * regions.p * t)
        union = regions.total(edge * (regions.p + t)) - shared
        return entropy + 1 - (shared + 1) / (union + 1)


class ActiveContourLoss(SpatialLoss):
    r"""Active contour loss: the total variation of the prediction plus the area of errors.

    .. math:: \frac{1}{|\Omega|} \sum_i \lVert \nabla p_i \rVert + \lambda\,\frac{1}{|\Omega|} \sum_i p_i\,(1 - t_i)^2
        + (1 - p_i)\,t_i^2

    the means over the positions of each class of each sample, with differences of each position and the next one along
    each dimension, and 0 where there is none or it does not count. If all differences of a position are 0, the gradient
    of their norm is 0.

    Source: Chen et al. 2019, "Learning Active Contour Models for Medical Image Segmentation", CVPR.

    Elsewhere: the paper sums; its code takes means, adds 1e-8 under the root, omits two rows and columns, and combines
    differences of different positions.

    Example:
        >>> loss = losskit.ActiveContourLoss()
        >>> target = torch.zeros(1, 1, 6, 6)  # a mask (N, 1, H, W)
        >>> target[..., 2:5, 2:5] = 1
        >>> input = 8 * target.roll(1, -1) - 4  # logits, one pixel to the right
        >>> loss(input, target)
        tensor(0.4197)
    """

    authority = "its formula in mpmath"
    short_name = "active_contour"
    also_called = ("ac", "chan_vese")

    region_weight: NonNegative = option(default=1.0, doc="weight of the area of errors, lambda in the formula")

    def per_region(self, regions: Regions, *beside: Tensor) -> Tensor:
        p, t = regions.p, regions.t
        squares = torch.zeros_like(p)
        for dim in regions.space:
            size = p.shape[dim] - 1
            both = regions.counts.narrow(dim, 0, size) & regions.counts.narrow(dim, 1, size)
            squares = squares + _behind(torch.where(both, p.diff(dim=dim), 0.0) ** 2, dim, 1)
        flat = squares == 0
        length = torch.where(flat, 0.0, torch.where(flat, 1.0, squares).sqrt())
        area = p * (1 - t) ** 2 + regions.select(regions.elements.q) * t**2
        return regions.mean(length) + self.region_weight * regions.mean(area)


class RMILoss(SpatialLoss):
    r"""Region mutual information (RMI) loss: maximizes the mutual information of patches of prediction and target.

    .. math:: \frac{1}{2d} \log\det\left(\Sigma_{tt} - \Sigma_{tp} (\Sigma_{pp} + \alpha I)^{-1} \Sigma_{tp}^T
        + \alpha I\right)

    for each class of each sample: a bound of the mutual information, up to terms that do not depend on the prediction.
    Both maps are max-pooled over `stride` positions per side; each patch of `radius` positions per side is then a
    vector of d numbers, the :math:`\Sigma` are the sums of the products of their deviations from the mean, and
    :math:`\alpha = 5 \cdot 10^{-4}` regularizes them. If the image is shorter than a patch, the patch is as long as the
    image. Constant maps have covariances of 0, so the minimum, where nothing of the target is left to explain, is
    :math:`\tfrac{1}{2} \log \alpha = -3.8`. Add it to cross-entropy, each with the weight 1/2.

    Source: Zhao, Wang, Yang, Cai 2019, arXiv:1910.12037.

    Elsewhere: the paper's code includes the cross-entropy, sums over classes, and applies the sigmoid to every class.

    Example:
        >>> loss = 0.5 * losskit.BCEWithLogitsLoss() + 0.5 * losskit.RMILoss()
        >>> target = torch.zeros(1, 1, 16, 16)  # a mask (N, 1, H, W)
        >>> target[..., 4:12, 4:12] = 1
        >>> input = 8 * target.roll(1, -1) - 4  # logits, one pixel to the right
        >>> loss(input, target)
        tensor(-1.3023)
    """

    authority = "its formula in mpmath"
    function_name = "rmi_loss"
    short_name = "rmi"
    also_called = ("region_mutual_information",)
    weighs = False

    radius: Annotated[int, Ge(1)] = option(default=3, doc="side of the patches, in positions")
    stride: Annotated[int, Ge(1)] = option(default=3, doc="side of the max-pooling window, in positions")

    _alpha = 5e-4  # as in the paper's code

    def per_region(self, regions: Regions, *beside: Tensor) -> Tensor:
        p, t = (self._patches(map.to(summing_dtype(map)), regions) for map in (regions.p, regions.t))
        regular = self._alpha * torch.eye(p.shape[-2], dtype=p.dtype, device=p.device)
        across = t @ p.mT
        explained = across @ torch.linalg.solve(p @ p.mT + regular, across.mT)
        rest = t @ t.mT - explained
        root: Tensor = torch.linalg.cholesky_ex((rest + rest.mT) / 2 + regular).L
        return root.diagonal(dim1=-2, dim2=-1).log().mean(-1)

    def _pooled(self, rows: Tensor) -> Tensor:
        return F.max_pool2d(rows, (self.stride, 1), (self.stride, 1), (self.stride // 2, 0))

    def _patches(self, map: Tensor, regions: Regions) -> Tensor:
        """Each number of a patch minus its mean over all patches, (N, C, numbers, patches)."""
        for dim in regions.space:
            map = along(map, dim, self._pooled)
        sides = [min(self.radius, map.shape[dim]) for dim in regions.space]
        parts = []
        for corner in itertools.product(*(range(side) for side in sides)):
            part = map
            for dim, side, start in zip(regions.space, sides, corner, strict=True):
                part = part.narrow(dim, start, map.shape[dim] - side + 1)
            parts.append(part.flatten(2))
        vectors = torch.stack(parts, 2)
        return vectors - vectors.mean(-1, keepdim=True)


class ActiveBoundaryLoss(SpacingOptions, ModeOptions, MeanLoss):
    r"""Active boundary loss (ABL): moves the predicted boundary towards the target's, each position by one step.

    .. math:: \frac{1}{|B|} \sum_{i \in B} \min\left(1, \frac{d_i}{\theta}\right) \mathrm{CE}\left(
        \left[\mathrm{KL}(p_j \,\Vert\, p_i)\right]_{j \in N_i},\; \mathrm{argmin}_{j \in N_i} d_j\right)

    for each sample, with d the distance to the nearest border of the target, :math:`N_i` the cube of neighbours of a
    position, and CE the cross-entropy of a softmax over them, with label smoothing. B contains the positions whose
    distributions differ most from those of the next ones along each dimension, a fraction of the image, and their cubes
    of neighbours, without the positions that are closer to the border than all their neighbours. Only :math:`p_i` has a
    gradient: not the neighbours, nor the choice of positions. A position of the target is on the border if the next one
    along a dimension has another class. Without a border in the target or in the prediction, the loss is 0.

    Under the sigmoid each channel is a map of two classes, and a sample's loss is the mean over channels. The loss
    refines existing predictions, so add it to cross-entropy.

    Source: Wang et al. 2022, arXiv:2102.02696.

    Elsewhere: the paper's code raises its threshold by steps, over the batch together; replicates neighbours beyond the
    image; and treats ignored positions as a border.

    Example:
        >>> loss = losskit.CrossEntropyLoss() + losskit.ActiveBoundaryLoss()
        >>> target = torch.zeros(1, 8, 8, dtype=torch.long)  # class indices (N, H, W)
        >>> target[:, 2:6, 2:6] = 1
        >>> input = 4.0 * torch.nn.functional.one_hot(target.roll(1, -1)).movedim(-1, 1)  # logits (N, C, H, W)
        >>> loss(input, target)
        tensor(0.6291)
    """

    authority = "its formula in mpmath"
    short_name = "active_boundary"
    also_called = ("abl",)
    counts_elements = False  # the denominator counts samples
    tensors: ClassVar[tuple[str, ...]] = ("input", "target")
    shapes = f"{LABEL_SHAPES}, with at least one spatial dimension; values (N,)."

    share: Annotated[float, Interval(gt=0, le=1)] = option(
        default=0.01, doc="fraction of positions on the predicted border, at least one"
    )
    max_distance: Positive = option(default=20.0, doc="distance from which the weight is 1, theta in the formula")
    label_smoothing: Fraction = option(default=0.2, doc="the share of the target spread evenly over the neighbours")
    ignore_index: int | Sequence[int] | None = option(
        default=-100, doc="the label, or labels, of elements to leave out, as if they were not there; None for no label"
    )
    from_logits: bool = option(default=True, doc="False when the input holds probabilities in [0, 1]")

    denominator = Summable.denominator

    def weighed(
        self, *tensors: Tensor, weight: Tensor | None = None, mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        spec = InputSpec(None, self.mode, labels_of(self.ignore_index), self.from_logits)
        inputs = spec.parse(self.name, tensors[0], tensors[1], weight, mask)
        check_space(self.name, inputs)
        bad = values.check(inputs) + values.check_hard(inputs)
        e = Elements(inputs)
        if inputs.link == "softmax":
            log_p, truth = e.log_p.unsqueeze(1), e.target.unsqueeze(1) > 0.5  # (N, G, K, *)
        else:
            log_p, truth = torch.stack([e.log_q, e.log_p], 2), (e.target > 0.5).unsqueeze(2)
        maps = (log_p.shape[0], log_p.shape[1], *log_p.shape[3:])  # (N, G, *)
        counts = torch.ones(maps, dtype=torch.bool, device=log_p.device) if e.counts is None else e.counts.expand(maps)
        size = sized(e.selected_weight.expand(maps).sum(tuple(range(1, len(maps)))), inputs.weight, e.selected_weight)
        check_size(size, self.name)
        share = (size != 0).to(summing_dtype(log_p)) + 0 * size
        if not log_p.numel():
            return log_p.sum(tuple(range(1, log_p.dim()))), share
        value = self._value(log_p.clamp_min(_LEAST), truth, counts, e.selected_weight.expand(maps)).mean(1)
        value = value + 0 * log_p.detach().clamp_min(_LEAST).sum(tuple(range(1, log_p.dim())))  # propagates NaN
        for found in bad:
            value = value + found
        return torch.where(share != 0, value, 0.0), share

    def _value(self, log_p: Tensor, truth: Tensor, counts: Tensor, weight: Tensor) -> Tensor:
        """The loss of each map, (N, G)."""
        space = range(2, counts.dim())
        border = torch.zeros_like(counts)
        change = torch.zeros_like(weight)
        p = log_p.detach()
        for dim in space:
            both = _ahead(counts, dim) & counts
            border = border | (both & (_ahead(truth, dim + 1) != truth).any(2))
            apart = (p.exp() * (p - _ahead(p, dim + 1))).sum(2)
            change = change + torch.where(both, apart, 0.0)
        away = distances(~border, steps_of(self.name, self.spacing, len(space))).to(weight.dtype)
        moves = dilated(self._largest(change, counts).to(weight.dtype), space) > 0
        inside = counts & border.any(tuple(space), keepdim=True)
        nearest, best, kls = away.new_full(away.shape, torch.inf), torch.zeros_like(away), []
        # the nearest neighbour: the first of several, and none if no neighbour is closer than the position itself
        for number, offset in enumerate(o for o in itertools.product(*[(-1, 0, 1)] * len(space)) if any(o)):
            there = _shifted(inside, offset, 2, False)
            distance = torch.where(there, _shifted(away, offset, 2, 0.0), torch.inf)
            nearer = distance < nearest
            nearest, best = torch.where(nearer, distance, nearest), torch.where(nearer, number, best)
            beside = _shifted(p, offset, 3, 0.0)
            kl = (beside.exp() * (beside - log_p)).sum(2)
            kls.append(torch.where(there, kl, -torch.inf))
        scores = torch.stack(kls, 2)  # (N, G, neighbours, *)
        kept = moves & inside & (nearest <= away)
        entropy = self._entropy(scores, best.long(), kept) * (away / self.max_distance).clamp_max(1.0)
        total = (torch.where(kept, entropy, 0.0) * weight).sum(tuple(space), dtype=summing_dtype(weight))
        whole = torch.where(kept, weight, 0.0).sum(tuple(space), dtype=summing_dtype(weight))
        return total / torch.where(whole == 0, 1.0, whole)

    def _largest(self, change: Tensor, counts: Tensor) -> Tensor:
        """The positions with the largest changes, a fraction of those that count, at least one."""
        space = tuple(range(2, counts.dim()))
        number = (counts.sum(space) * self.share * (1 + 1e-9)).long().clamp_min(1).unsqueeze(-1)
        ordered = change.flatten(2).sort(-1, descending=True).values
        last = ordered.gather(-1, (number - 1).clamp_max(ordered.shape[-1] - 1))
        return (change >= last.reshape(*last.shape[:2], *(1,) * len(space))) & (change > _NO_CHANGE)

    def _entropy(self, scores: Tensor, best: Tensor, kept: Tensor) -> Tensor:
        """The smoothed cross-entropy over the neighbours that count."""
        there = ~scores.isinf()
        scores = torch.where(kept.unsqueeze(2), scores, 0.0)
        log_p = scores - scores.logsumexp(2, keepdim=True)
        spread = torch.where(there, log_p, 0.0).sum(2) / there.sum(2).clamp_min(1)
        of_best = log_p.gather(2, best.unsqueeze(2)).squeeze(2)
        return -(1 - self.label_smoothing) * of_best - self.label_smoothing * spread


def _not_zero(tensor: Tensor) -> Tensor:
    return torch.where(tensor == 0, 1.0, tensor)


def _box_mean(map: Tensor, space: Sequence[int], size: int) -> Tensor:
    """The mean over the cube of `size` positions per side, padded with 0."""

    def mean(rows: Tensor) -> Tensor:
        padded = F.pad(rows, [0, 0, size // 2, size - 1 - size // 2])
        return F.avg_pool2d(padded, (size, 1), 1)

    for dim in space:
        map = along(map, dim, mean)
    return map


def _behind(between: Tensor, dim: int, after: int) -> Tensor:
    """The map, padded with 0 at the end of a dimension."""
    return F.pad(between, [*[0, 0] * (between.dim() - 1 - dim), 0, after])


def _ahead(map: Tensor, dim: int) -> Tensor:
    """The next position along a dimension; at the end, the last one itself."""
    last = map.narrow(dim, map.shape[dim] - 1, 1)
    return torch.cat([map.narrow(dim, 1, map.shape[dim] - 1), last], dim)


def _shifted(map: Tensor, offset: Sequence[int], first: int, beyond: float) -> Tensor:
    """The numbers at an offset of at most 1 in each dimension, starting at `first`."""
    padded = F.pad(map, [1, 1] * len(offset), value=beyond)
    for dim, by in enumerate(offset, first):
        padded = padded.narrow(dim, 1 + by, map.shape[dim])
    return padded
