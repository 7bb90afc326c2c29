"""Points of masks: sampling where predictions are uncertain, and interpolation at points."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor

from losskit.core.contract import check_floating, check_real, shape
from losskit.ops.inputs import computing_dtype


def sample_points(tensor: Tensor, points: Tensor) -> Tensor:
    """Values of `tensor` (M, *) at `points` (M, P, D), by linear interpolation: (M, P).

    D is the number of spatial dimensions; coordinates are in [0, 1] over the whole extent, the last dimension first
    (x, y). Values outside are 0, so values fade within half a pixel of the border: this is
    `grid_sample(align_corners=False)`, with derivatives of every order.
    """
    check_real("sample_points", "tensor", tensor)
    check_floating("sample_points", "points", points)
    spatial = tensor.shape[1:]
    if points.dim() != 3 or points.shape[0] != tensor.shape[0] or points.shape[2] != len(spatial) or not spatial:
        raise ValueError(
            f"sample_points: points must have shape (M, P, {max(len(spatial), 1)}), one coordinate for each spatial "
            f"dimension of tensor {shape(tensor)}; got {shape(points)}."
        )
    dtype = computing_dtype(tensor) if tensor.is_floating_point() else torch.float32
    places = points.to(dtype).flip(-1) * torch.tensor(spatial, dtype=dtype, device=points.device) - 0.5  # (M, P, D)
    corner = places.detach().floor()
    beyond = places - corner  # offset of each point from its corner
    values = tensor.flatten(1)
    result = torch.zeros(points.shape[:2], dtype=dtype, device=tensor.device)
    for step in itertools.product(*[(0, 1)] * len(spatial)):
        index = torch.zeros(points.shape[:2], dtype=torch.long, device=tensor.device)
        inside = torch.ones(points.shape[:2], dtype=torch.bool, device=tensor.device)
        share = torch.ones(points.shape[:2], dtype=dtype, device=tensor.device)
        for d, (size, one) in enumerate(zip(spatial, step, strict=True)):
            at = corner[..., d].long() + one
            inside = inside & (at >= 0) & (at < size)
            share = share * (beyond[..., d] if one else 1 - beyond[..., d])
            index = index * size + at.clamp(0, max(size - 1, 0))
        result = result + torch.where(inside, values.gather(1, index).to(dtype) * share, 0.0)
    return result


@torch.no_grad()
def uncertain_points(
    logits: Tensor,
    num_points: int,
    oversample_ratio: float = 3.0,
    importance_sample_ratio: float = 0.75,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Sample points (M, num_points, D) of masks (M, *), most of them where the logits are closest to 0.

    Of `oversample_ratio * num_points` random points, the most uncertain `importance_sample_ratio * num_points` are
    kept; the rest are new random points. Source: Kirillov, Wu, He, Girshick 2020, PointRend, arXiv:1912.08193.
    """
    check_floating("uncertain_points", "logits", logits)
    if logits.dim() < 2:
        raise ValueError(
            f"uncertain_points: logits must have shape (M, *), with spatial dimensions; got {shape(logits)}."
        )
    if num_points < 1 or oversample_ratio < 1 or not 0 <= importance_sample_ratio <= 1:
        raise ValueError(
            "uncertain_points: num_points is at least 1, oversample_ratio at least 1 and importance_sample_ratio in "
            f"[0, 1]; got {num_points}, {oversample_ratio} and {importance_sample_ratio}."
        )
    masks, dims = logits.shape[0], logits.dim() - 1

    def draw(count: int) -> Tensor:
        return torch.rand(masks, count, dims, generator=generator, device=logits.device, dtype=computing_dtype(logits))

    kept = int(importance_sample_ratio * num_points)
    candidates = draw(int(oversample_ratio * num_points))
    nearest = sample_points(logits, candidates).abs().topk(kept, dim=1, largest=False, sorted=False).indices
    chosen = candidates.gather(1, nearest.unsqueeze(-1).expand(-1, -1, dims))
    return torch.cat([chosen, draw(num_points - kept)], 1)
