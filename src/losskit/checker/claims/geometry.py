"""Geometry of pairs of boxes: overlaps, the formats that boxes are given in, and the losses made of an IoU."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Overlap:
    """The parts of the loss of boxes with corners (N, 4)."""

    inter: Tensor
    union: Tensor
    hull: Tensor  # area of the smallest enclosing box
    diagonal: Tensor  # its squared diagonal
    centres: Tensor  # squared distance of the centres
    angles: Tensor  # difference of the arc tangents of the aspects
    within: tuple[Tensor, Tensor]  # signed sides of the intersection

    @property
    def iou(self) -> Tensor:
        return self.inter / self.union

    @property
    def aspect(self) -> Tensor:
        return 4 / math.pi**2 * self.angles**2


def overlap_of(a: Tensor, b: Tensor, clamp: bool = True, minus: bool = True) -> Overlap:
    low, high = torch.maximum(a[:, :2], b[:, :2]), torch.minimum(a[:, 2:], b[:, 2:])
    sides = (high - low).clamp_min(0) if clamp else high - low
    sizes = [each[:, 2:] - each[:, :2] for each in (a, b)]
    inter = sides.prod(1)
    union = sizes[0].prod(1) + sizes[1].prod(1) - (inter if minus else 0)
    around = torch.maximum(a[:, 2:], b[:, 2:]) - torch.minimum(a[:, :2], b[:, :2])
    middles = [(each[:, 2:] + each[:, :2]) / 2 for each in (a, b)]
    angles = torch.atan(sizes[0][:, 0] / sizes[0][:, 1]) - torch.atan(sizes[1][:, 0] / sizes[1][:, 1])
    centres = (middles[0] - middles[1]).square().sum(1)
    within = (high - low)[:, 0], (high - low)[:, 1]
    return Overlap(inter, union, around.prod(1), around.square().sum(1), centres, angles, within)


FORMATS = ("corners", "centres", "sizes")


def laid_out(boxes: Tensor, form: str) -> Tensor:
    """Boxes given by their corners, in another format."""
    size = boxes[:, 2:] - boxes[:, :2]
    if form == "corners":
        return boxes
    return torch.cat([(boxes[:, :2] + boxes[:, 2:]) / 2 if form == "centres" else boxes[:, :2], size], 1)


def corners_of(boxes: Tensor, form: str) -> Tensor:
    """The corners of boxes of a format."""
    if form == "corners":
        return boxes
    low = boxes[:, :2] - boxes[:, 2:] / 2 if form == "centres" else boxes[:, :2]
    return torch.cat([low, low + boxes[:, 2:]], 1)


def losses_of(iou: Tensor, penalty: Tensor) -> Iterator[Tensor]:
    """The losses made of an IoU and a penalty."""
    yield 1 - iou + penalty
    yield 1 - iou.clamp_min(0).square() + penalty
    yield 1 - iou.square() + penalty
    yield -iou.clamp_min(1e-7).log() + penalty
    yield -iou.clamp_min(1e-6).log() + penalty
