"""Closed forms of losses of boxes (N, 4) as corners: see losskit.ops.closed_forms.

Where two coordinates are equal, the gradient of their maximum is split evenly, as in PyTorch.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from losskit.ops.closed_forms import Found, finite


def overlap(input: Tensor, target: Tensor, kind: str, derive: bool) -> Found | None:
    """`GIoULoss`, `DIoULoss` or `CIoULoss`, selected by `kind`; None if a box has no area."""
    low, high = input.chunk(2, 1)
    low_t, high_t = target.chunk(2, 1)
    size, size_t = high - low, high_t - low_t
    if not min(size.amin().item(), size_t.amin().item()) > 0:
        return None
    sides = torch.minimum(high, high_t).sub_(torch.maximum(low, low_t))
    inside = (sides >= 0).to(input.dtype)
    sides.clamp_min_(0)
    hull = torch.maximum(high, high_t).sub_(torch.minimum(low, low_t))
    shared, volume, volume_t = (x[:, :1] * x[:, 1:] for x in (sides, size, size_t))
    union = volume + volume_t - shared
    iou = shared / union
    each = 1 - iou
    of_shared, of_volume = -(1 / union) * (1 + iou), iou / union  # union = volume + volume_t - shared
    if kind == "giou":
        whole = hull[:, :1] * hull[:, 1:]
        each = each + 1 - union / whole
        of_shared, of_volume = of_shared + 1 / whole, of_volume - 1 / whole
        of_hull = union / whole**2 * hull.flip(1)
        of_middle = None
    else:
        between = (low + high - low_t - high_t) / 2
        diagonal = hull.square().sum(1, keepdim=True)
        away = between.square().sum(1, keepdim=True) / diagonal
        each = each + away
        of_middle, of_hull = between / diagonal, -2 * away / diagonal * hull
    if kind == "ciou":
        angle = torch.atan2(size_t[:, :1], size_t[:, 1:]) - torch.atan2(size[:, :1], size[:, 1:])
        v = 4 / math.pi**2 * angle**2
        lacking = 1 - iou + v
        factor = torch.where(lacking == 0, 0.0, v / torch.where(lacking == 0, 1.0, lacking))
        each = each + factor * v
        turned = -8 / math.pi**2 * factor * angle / size.square().sum(1, keepdim=True)
    value = each.mean(dtype=torch.float64)
    if not derive:
        return finite(value, None)
    of_sides = of_shared * sides.flip(1) * inside
    of_size = of_volume * size.flip(1)
    if kind == "ciou":  # by width and height
        of_size = of_size + torch.cat([turned * size[:, 1:], -turned * size[:, :1]], 1)
    of_high, of_low = of_size + of_sides * _below(high, high_t), -of_size - of_sides * _below(low_t, low)
    of_high, of_low = of_high + of_hull * _below(high_t, high), of_low - of_hull * _below(low, low_t)
    if of_middle is not None:
        of_high, of_low = of_high + of_middle, of_low + of_middle
    return finite(value, torch.cat([of_low, of_high], 1).div_(len(input)))


def _below(a: Tensor, b: Tensor) -> Tensor:
    """1 where a is below b, 1/2 where they are equal, else 0."""
    return (b - a).sign_().add_(1).div_(2)
