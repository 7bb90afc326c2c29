"""Examples of places: boxes, heatmaps and images."""

from __future__ import annotations

import torch
from torch import Tensor

from losskit.checker.draws import Draw, Tensors


def _corners(centre: Tensor, size: Tensor) -> Tensor:
    return torch.cat([centre - size / 2, centre + size / 2], 1)


def boxes(draw: Draw) -> Tensors:
    """Boxes that overlap their targets for small scales, and lie apart from them if the prediction is wrong."""
    centre, size = 3 * draw.normal(draw.samples, 2), draw.normal(draw.samples, 2).abs() + 1.0
    target = _corners(centre, size)
    if draw.correct:
        return target.clone(), target
    away = draw.normal(draw.samples, 2)
    if draw.correct is False:
        away = away + 4 * torch.where(away < 0, -1.0, 1.0).to(away)
    moved = _corners(centre + 0.5 * draw.scale * away, size * (0.3 * draw.normal(draw.samples, 2)).exp())
    return moved, target


def centred_boxes(draw: Draw) -> Tensors:
    """The same boxes as centre, width and height."""

    def centred(boxes: Tensor) -> Tensor:
        return torch.cat([(boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]], 1)

    input, target = map(centred, boxes(draw))
    return input, target


def heatmaps(draw: Draw) -> Tensors:
    """Probabilities, and heatmaps that fall from 1 at one place of every channel."""
    height, width = draw.spatial if len(draw.spatial) == 2 else (6, 7)
    count = draw.samples * draw.classes
    rows = torch.randint(height, (count, 1, 1), generator=draw.generator)
    columns = torch.randint(width, (count, 1, 1), generator=draw.generator)
    away = (torch.arange(height).reshape(-1, 1) - rows) ** 2 + (torch.arange(width) - columns) ** 2
    target = torch.exp(-away.double() / 3).reshape(draw.samples, draw.classes, height, width)
    noise = draw.scale * draw.normal(*target.shape)
    if draw.correct is None:
        return noise.sigmoid(), target
    side = draw.scale * torch.where((target == 1) == draw.correct, 2.0, -2.0).double()
    return side.sigmoid(), target


def heatmaps_of_logits(draw: Draw) -> Tensors:
    input, target = heatmaps(draw)
    return input.logit(), target


def images(draw: Draw) -> Tensors:
    """Images that differ from place to place, away from 0 and 1."""
    size = (draw.samples, 3, *(draw.spatial or (16, 18)))
    target = (0.25 + 0.5 * torch.rand(size, generator=draw.generator, dtype=torch.float64)).round(decimals=4)
    other = (0.25 + 0.5 * torch.rand(size, generator=draw.generator, dtype=torch.float64)).round(decimals=4)
    share = {None: 0.5, True: 0.0, False: 1.0}[draw.correct]
    return (1 - share) * target + share * other, target
