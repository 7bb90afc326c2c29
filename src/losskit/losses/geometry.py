"""Boxes as pairs of corners, and the base class of box losses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal, NamedTuple

import torch
from torch import Tensor

from losskit.core.contract import check_equal, check_floating, check_real, shape, weight_and_mask
from losskit.core.means import MeanLoss
from losskit.core.options import option
from losskit.core.sums import weighted
from losskit.losses.shortcuts import ClosedForm
from losskit.ops.closed_boxes import overlap
from losskit.ops.closed_forms import Found
from losskit.ops.inputs import computing_dtype
from losskit.ops.values import mark

Format = Literal["xyxy", "xywh", "cxcywh"]


class Boxes(NamedTuple):
    """Boxes as corners, (N, D) each. Without properties, which torch 2.6 does not compile in a named tuple."""

    low: Tensor
    high: Tensor

    def size(self) -> Tensor:
        return self.high - self.low

    def middle(self) -> Tensor:
        return (self.low + self.high) / 2

    def volume(self) -> Tensor:
        return product(self.size())


def product(sides: Tensor) -> Tensor:
    """The product of each row."""
    found = sides[:, 0]
    for side in sides.unbind(1)[1:]:
        found = found * side
    return found


def ratio(a: Tensor, b: Tensor) -> Tensor:
    """a / b, and 0 with derivatives of 0 where b is 0."""
    some = b != 0
    return torch.where(some, a / torch.where(some, b, 1.0), 0.0)


def root(square: Tensor) -> Tensor:
    """The square root, with derivatives of 0 at 0."""
    some = square != 0
    return torch.where(some, torch.where(some, square, 1.0).sqrt(), 0.0)


class Pair(NamedTuple):
    """Predicted and true boxes."""

    input: Boxes
    target: Boxes

    def overlap(self) -> tuple[Tensor, Tensor]:
        """The volumes of intersection and union, (N,)."""
        sides = torch.minimum(self.input.high, self.target.high) - torch.maximum(self.input.low, self.target.low)
        shared = product(sides.clamp_min(0))
        return shared, self.input.volume() + self.target.volume() - shared

    def iou(self) -> Tensor:
        return ratio(*self.overlap())

    def hull(self) -> Tensor:
        """The sides of the smallest enclosing box, (N, D)."""
        return torch.maximum(self.input.high, self.target.high) - torch.minimum(self.input.low, self.target.low)

    def between(self) -> Tensor:
        """The vector from one centre to the other, (N, D)."""
        return self.input.middle() - self.target.middle()

    def distance(self) -> Tensor:
        """The squared distance of the centres divided by the squared diagonal of the hull, (N,)."""
        return ratio((self.between() ** 2).sum(1), (self.hull() ** 2).sum(1))


class BoxLoss(ClosedForm, MeanLoss):
    """A loss with one value per pair of boxes: define `per_box(pair)`."""

    abstract = True
    shapes = "input and target (N, 4), boxes as `format` says; weight and mask (N,), one value per box."
    dimensions: ClassVar[tuple[int, ...]] = (2,)  # spatial dimensions
    overlap_kind: ClassVar[Literal["giou", "diou", "ciou"] | None] = None  # the closed form of corners

    format: Format = option(default="xyxy", doc="two corners, first corner and sizes, or centre and sizes")

    def per_box(self, pair: Pair) -> Tensor:
        """The loss of each pair of boxes, (N,)."""
        raise NotImplementedError

    def closed_form(self, input: Tensor, target: Tensor, *, derive: bool) -> Found | None:
        kind = self.overlap_kind
        if kind is None or self.format != "xyxy" or input.dim() != 2 or input.shape[1] != 4:
            return None
        same = input.shape == target.shape and input.dtype == target.dtype
        return overlap(input, target, kind, derive) if same else None

    def weighed(
        self, *tensors: Tensor, weight: Tensor | None = None, mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        input, target = rows(self.name, tensors, tuple(2 * d for d in self.dimensions))
        weight, mask = weight_and_mask(self.name, weight, mask, input.shape[:1])
        if mask is not None:
            input, target = (t.where(mask.unsqueeze(1), 0.0) for t in (input, target))
        value = self.per_box(Pair(self.corners(input), self.corners(target)))
        for name, boxes in (("input", input), ("target", target)):
            value = self.checked(value, name, boxes)
        return weighted(value, weight, mask)

    def corners(self, boxes: Tensor) -> Boxes:
        first, last = boxes.chunk(2, 1)
        if self.format == "xyxy":
            return Boxes(first, last)
        return Boxes(first, first + last) if self.format == "xywh" else Boxes(first - last / 2, first + last / 2)

    def checked(self, value: Tensor, name: str, boxes: Tensor) -> Tensor:
        """The value, marked as an error where a box ends before it begins."""
        first, last = boxes.chunk(2, 1)
        bad = ((last < first) if self.format == "xyxy" else (last < 0)).any(1)
        corners = self.format == "xyxy"
        what = "x2 < x1 or y2 < y1" if corners else "a size below 0"
        repair = "as sorted corners" if corners else "with sizes made positive"
        return mark(
            value,
            bad,
            torch.arange(len(boxes), device=boxes.device),
            f"{self.name}: {name} box {{value}} has {what}. Pass boxes {repair}, or state their layout by "
            "format='xyxy', 'xywh' or 'cxcywh'.",
        )

    def values_shape(self, target: Tensor) -> torch.Size:
        return target.shape[:1]


def rows(owner: str, tensors: Sequence[Tensor], sizes: tuple[int, ...]) -> list[Tensor]:
    """Input and target as rows in the precision of the computation."""
    input, target = tensors
    check_floating(owner, "input", input)
    check_real(owner, "target", target)
    check_equal(owner, {"input": input, "target": target})
    if input.dim() != 2 or input.shape[1] not in sizes:
        wanted = " or ".join(f"(N, {size})" for size in sizes)
        raise ValueError(
            f"{owner}: input must have shape {wanted}, one box a row; got {shape(input)}. Pass "
            f"input.reshape(-1, {sizes[0]}) and the target's likewise."
        )
    return [t.to(computing_dtype(input)) for t in tensors]
