"""Closed forms of losses of vectors, and of the Gaussian likelihood: see losskit.ops.closed_forms."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from losskit.ops.closed_forms import Found, finite

_TINY = 1e-30  # least length to divide by: 0 / _TINY is 0


def are_alike(*tensors: Tensor) -> bool:
    """Whether all have the shape and dtype of the first."""
    first = tensors[0]
    return all(tensor.shape == first.shape and tensor.dtype == first.dtype for tensor in tensors)


def cosine_embedding(a: Tensor, b: Tensor, target: Tensor, margin: float, eps: float, derive: bool) -> Found | None:
    """`CosineEmbeddingLoss` of vectors (N, D) and targets (N,) of 1 and -1; `eps` is added to squared lengths."""
    like = (target == 1).unsqueeze(1)
    if not bool((like.squeeze(1) | (target == -1)).all()):
        return None
    lengths = (torch.linalg.vector_norm(x, 2.0, dim=1, keepdim=True) for x in (a, b))
    square_a, square_b = (length.square_().add_(eps) for length in lengths)
    scale = 1 / (square_a.sqrt() * square_b.sqrt())
    cosine = (a * b).sum(1, keepdim=True) * scale
    beyond = cosine - margin
    value = torch.where(like, 1 - cosine, beyond.clamp_min(0)).mean(dtype=torch.float64)
    if not derive:
        return finite(value, None)
    slope = torch.where(like, -1.0, (beyond >= 0).to(a.dtype)).div_(like.numel())
    along, across = slope * cosine, slope * scale
    gradients = [
        torch.addcmul(other * across, own, along / square, value=-1) if own.requires_grad else None
        for own, other, square in ((a, b, square_a), (b, a, square_b))
    ]
    return finite(value, *gradients)


def triplet_margin(
    anchor: Tensor, positive: Tensor, negative: Tensor, margin: float, eps: float, derive: bool
) -> Found | None:
    """`TripletMarginLoss` of vectors (*, D), by the Euclidean distance."""
    near, far = (anchor - positive).add_(eps), (anchor - negative).add_(eps)
    near_by, far_by = (torch.linalg.vector_norm(x, 2.0, dim=-1, keepdim=True) for x in (near, far))
    violation = margin + near_by - far_by
    value = violation.clamp_min(0).mean(dtype=torch.float64)
    if not derive:
        return finite(value, None)
    slope = (violation >= 0).to(anchor.dtype).div_(violation.numel())
    for apart, size in ((near, near_by), (far, far_by)):
        apart.mul_(slope / size.clamp_min(_TINY))
    of_anchor = near - far if anchor.requires_grad else None
    return finite(
        value,
        of_anchor,
        near.neg_() if positive.requires_grad else None,
        far if negative.requires_grad else None,
    )


def gaussian_nll(input: Tensor, target: Tensor, var: Tensor, eps: float, full: bool, derive: bool) -> Found | None:
    """`GaussianNLLLoss` of tensors of one shape."""
    if not var.amin().item() >= 0:
        return None
    floored, error = var.clamp_min(eps), input - target
    ratio = error / floored
    square = error.mul_(ratio)
    value = torch.log(floored).add_(square).mean(dtype=torch.float64) / 2
    if full:
        value = value + math.log(2 * math.pi) / 2
    if not derive:
        return finite(value, None)
    count = input.numel()
    of_var = torch.sub(1, square).div_(floored.mul_(2 * count)) if var.requires_grad else None
    of_target = ratio / -count if target.requires_grad else None
    return finite(value, ratio.div_(count) if input.requires_grad else None, of_target, of_var)
