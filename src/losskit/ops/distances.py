"""Exact Euclidean distances to the border of a mask: `losskit::distances`, without derivatives.

On the CPU, C computes the lower envelope of parabolas along each dimension. On other devices, plain PyTorch takes the
minimum over all squares along each line, which suits a GPU.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch._decomp import register_decomposition

from losskit.ops import native
from losskit.ops.inputs import summing_dtype

_AT_ONCE = 1 << 24  # squares per minimum operation


@torch.library.custom_op("losskit::distances", mutates_args=())
def distances(mask: Tensor, spacing: Sequence[float]) -> Tensor:
    """The distance from each position of a bool mask to the nearest position outside, in float64; 0 outside.

    The last `len(spacing)` dimensions are spatial. If no position is outside, all distances are 0.
    """
    if native.AVAILABLE and mask.device.type == "cpu":
        return native.distances(mask.detach().contiguous(), spacing)
    return reference(mask, spacing)


@distances.register_fake
def _(mask: Tensor, spacing: Sequence[float]) -> Tensor:  # noqa: ARG001
    return mask.new_empty(mask.shape, dtype=summing_dtype(mask))


@distances.register_vmap
def _(_: Any, in_dims: tuple[Any, ...], mask: Tensor, spacing: Sequence[float]) -> tuple[Tensor, int]:
    return distances(mask.movedim(in_dims[0], 0), spacing), 0


def reference(mask: Tensor, spacing: Sequence[float]) -> Tensor:
    """The distances in plain PyTorch: along each dimension, the minimum of offset^2 + distance^2."""
    squares = torch.where(mask, torch.inf, 0.0).to(summing_dtype(mask))
    for dim, step in enumerate(spacing, mask.dim() - len(spacing)):
        size = mask.shape[dim]
        places = torch.arange(size, dtype=squares.dtype, device=mask.device) * step
        apart = (places.unsqueeze(0) - places.unsqueeze(1)) ** 2
        lines = squares.movedim(dim, -1)
        rows = torch.split(lines.reshape(-1, 1, size), max(1, _AT_ONCE // max(size * size, 1)))
        least = torch.cat([(row + apart).amin(-1) for row in rows]) if squares.numel() else lines
        squares = least.reshape(lines.shape).movedim(-1, dim)
    return torch.where(squares.isinf(), 0.0, squares.sqrt()).contiguous()


register_decomposition(torch.ops.losskit.distances.default)(reference)
