"""Erosion, dilation and skeletons of maps of any number of spatial dimensions, and connected components."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce

import torch
import torch.nn.functional as F
from torch import Tensor


def along(map: Tensor, dim: int, pool: Callable[[Tensor], Tensor]) -> Tensor:
    """Max pooling of (rows, size, columns) along the middle dimension, for a map of any shape."""
    rows = map.reshape(1, map.shape[:dim].numel(), map.shape[dim], map.shape[dim + 1 :].numel())
    pooled = pool(rows)
    return pooled.reshape(*map.shape[:dim], pooled.shape[2], *map.shape[dim + 1 :])


def _largest_of_three(rows: Tensor) -> Tensor:
    return F.max_pool2d(rows, (3, 1), 1, (1, 0))


def dilated(map: Tensor, space: Sequence[int]) -> Tensor:
    """The maximum over the cube of side 3 around each position."""
    if len(space) > 1:  # the last two dimensions at once
        plane = map.reshape(1, map.shape[:-2].numel(), *map.shape[-2:])
        map, space = F.max_pool2d(plane, 3, 1, 1).reshape(map.shape), space[:-2]
    for dim in space:
        map = along(map, dim, _largest_of_three)
    return map


def spread(map: Tensor, space: Sequence[int]) -> Tensor:
    """The maximum over each position and its neighbours along each dimension."""
    most: list[Tensor] = []
    if len(space) > 1:  # the last two dimensions without a copy
        plane = map.reshape(1, map.shape[:-2].numel(), *map.shape[-2:])
        pooled = torch.maximum(F.max_pool2d(plane, (3, 1), 1, (1, 0)), F.max_pool2d(plane, (1, 3), 1, (0, 1)))
        most, space = [pooled.reshape(map.shape)], space[:-2]
    most += [along(map, dim, _largest_of_three) for dim in space]
    return reduce(torch.maximum, most) if most else map


def soft_skeleton(map: Tensor, space: Sequence[int], iterations: int) -> Tensor:
    """Soft skeleton: what openings remove from a map of values in [0, 1] and from its erosions."""
    skeleton = torch.zeros_like(map)
    negative = -map
    for step in range(iterations + 1):
        negative = spread(negative, space)
        smaller = -negative
        taken = torch.relu(map - dilated(smaller, space))
        skeleton = taken if step == 0 else skeleton + torch.relu(taken - skeleton * taken)
        map = smaller
    return skeleton


def tube(mask: Tensor, space: Sequence[int], width: int) -> Tensor:
    """The positions of a bool mask within `width` steps along the dimensions of its skeleton.

    The skeleton is the morphological one: what an opening by a position and its neighbours removes from the mask and
    from each of its erosions, with background beyond the border of the image. Equivalently, it is the local maxima of
    the step distance to the outside.
    """
    away = _steps(F.pad(mask, [1, 1] * len(space)), space)
    skeleton = spread(away, space) <= away
    for dim in space:
        skeleton = skeleton.narrow(dim, 1, mask.shape[dim])
    return (_steps(~(skeleton & mask), space) <= width) & mask


def _steps(mask: Tensor, space: Sequence[int]) -> Tensor:
    """The number of steps along the dimensions from each position to the nearest one outside the mask."""
    steps = torch.where(mask, 1e6, 0.0)
    for dim in space:
        shape = [1] * mask.dim()
        shape[dim] = mask.shape[dim]
        places = torch.arange(mask.shape[dim], device=mask.device, dtype=steps.dtype).view(shape)
        before = (steps - places).cummin(dim).values + places
        after = (steps + places).flip(dim).cummin(dim).values.flip(dim) - places
        steps = torch.minimum(before, after)
    return steps


@torch.no_grad()
def components(mask: Tensor, dims: int) -> Tensor:
    """Labels connected components of each bool mask: one positive number per component, 0 outside.

    Positions are connected along dimensions and diagonals, to all others in their cube of side 3.
    """
    space = range(mask.dim() - dims, mask.dim())
    shape = mask.shape[mask.dim() - dims :]
    size = shape.numel()
    labels = torch.where(mask, torch.arange(1.0, size + 1, device=mask.device, dtype=torch.float64).view(shape), 0.0)
    while labels.numel():
        largest = torch.where(mask, dilated(labels, space), 0.0).reshape(-1, size)
        known = F.pad(largest, [1, 0])  # maps 0 to 0
        followed = known.gather(1, largest.long()).reshape(mask.shape)  # the label that this label points to
        if torch.equal(followed, labels):
            break
        labels = followed
    return labels.long()
