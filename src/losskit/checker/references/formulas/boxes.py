"""Boxes: overlaps of two boxes, and what is added to them."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from losskit.checker.references.formulas.numbers import PAIR
from losskit.checker.references.reference import Formula, Given, Pick, reference, share


def boxes(seed: int) -> dict[str, Any]:
    made = {}
    for n, name in enumerate("xy"):
        at, size = 2 * share(seed + n, 6, 2), 0.6 + 2 * share(seed + 7 + n, 6, 2)
        made[name] = torch.cat([at, at + size], 1)
    return made


def by_center(seed: int) -> dict[str, Any]:
    return {name: torch.cat([(b[:, :2] + b[:, 2:]) / 2, b[:, 2:] - b[:, :2]], 1) for name, b in boxes(seed).items()}


def weighted(seed: int) -> dict[str, Any]:
    return {**boxes(seed), "w": share(seed + 5, 6)}


def weighted_by_center(seed: int) -> dict[str, Any]:
    return {**by_center(seed), "w": share(seed + 5, 6)}


SIDES = r"ltrb|left\W{1,5}top|distances? (to|from)"


def format_of(g: Given, pick: Pick) -> str:
    """How the numbers of a box are read, as documented; otherwise either way."""
    if g.text.says(SIDES) or re.search(r"_left\b|\bleft\b", g.text.code):
        return "sides"
    by_middle, by_corners = g.text.says(r"cx|centre|center|xywh"), g.text.says(r"xyxy|x1|corner")
    if by_middle == by_corners:
        return pick("corners", "center")  # type: ignore[no-any-return]
    return "center" if by_middle else "corners"


def corners(box: Tensor, kind: str) -> Tensor:
    if kind == "sides":  # distances of a point from the sides
        return torch.cat([-box[:, :2], box[:, 2:]], 1)
    if kind == "center":
        return torch.cat([box[:, :2] - box[:, 2:] / 2, box[:, :2] + box[:, 2:] / 2], 1)
    return box


def overlap(g: Given, pick: Pick) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """The overlap, the union, the smallest box around both, and the boxes as corners."""
    kind = format_of(g, pick)
    x, y = corners(g.x, kind), corners(g.y, kind)
    if re.search(r"\[:, ?None", g.text.code) and pick(False, True):  # all pairs
        x, y = x.repeat_interleave(len(y), 0), y.repeat(len(x), 1)
    if not all((b[:, 2:] > b[:, :2]).all() for b in (x, y)):
        x = x * torch.nan  # these are no boxes of that format
    inter = (torch.minimum(x[:, 2:], y[:, 2:]) - torch.maximum(x[:, :2], y[:, :2])).clamp(min=0).prod(1)
    union = (x[:, 2:] - x[:, :2]).prod(1) + (y[:, 2:] - y[:, :2]).prod(1) - inter
    hull = torch.maximum(x[:, 2:], y[:, 2:]) - torch.minimum(x[:, :2], y[:, :2])
    return inter, union, hull, x, y


BOXES = {
    "x": PAIR["x"] + r"|b(ox(es)?)?_?1|boxes_?1|pred_box\w*|p|bbox\w*|\w*_pred|bboxes1",
    "y": PAIR["y"] + r"|b(ox(es)?)?_?2|boxes_?2|target_box\w*|gt_box\w*|g|\w*_gt|bboxes2|gt\w*",
}
WEIGHTED = {**BOXES, "w": r"(box_?|loss_?)?weights?|w|sample_weights?"}


def averaged(each: Tensor, g: Given, pick: Pick) -> Tensor:
    """A mean over the boxes, by their weights if they are given."""
    return pick.mean(each, g.w) if g.has("w") else each.mean()


def of_boxes(said: str, named: str, unless: str) -> Callable[[Formula], Formula]:
    return reference(
        said,
        named,
        WEIGHTED,
        boxes,
        by_center,
        weighted,
        weighted_by_center,
        optional=("w",),
        trained=("x",),
        unless=rf"mask|seg|pixel|(task|un) ?aligned|{unless}",
    )


def distance_of_centers(x: Tensor, y: Tensor, hull: Tensor) -> Tensor:
    """Squared, relative to the diagonal of the smallest box around both."""
    return ((x[:, :2] + x[:, 2:] - y[:, :2] - y[:, 2:]) / 2).square().sum(1) / hull.square().sum(1)


def index_of(kind: str, g: Given, pick: Pick) -> Tensor:
    """The overlap relative to the union, less what a kind of it subtracts."""
    inter, union, hull, x, y = overlap(g, pick)
    added = pick(0.0, 1.0) if re.search(r"_left\b", g.text.code) else 0.0  # to both, in the first code of that format
    index = (inter + added) / (union + added)
    if kind == "giou":
        area = hull.prod(1)
        return index - (area - union) / area
    if kind == "diou":
        return index - distance_of_centers(x, y, hull)
    if kind == "ciou":
        angles = [torch.atan((b[:, 2] - b[:, 0]) / (b[:, 3] - b[:, 1])) for b in (x, y)]
        v = 4 / math.pi**2 * (angles[1] - angles[0]).square()
        alpha = v / (1 - index + v)
        return index - distance_of_centers(x, y, hull) - (alpha.detach() if pick(True, False) else alpha) * v
    return index


@of_boxes(
    "the IoU loss",
    r"\biou\b",
    r"giou|diou|ciou|eiou|siou|lovasz|soft|jaccard|generali[sz]ed|g iou|d iou|c iou|complete iou|distance iou|aware|"
    r"quality|family|focal",
)
def iou(g: Given, pick: Pick) -> Any:
    further = [kind for kind in ("giou", "diou", "ciou") if kind in g.text.code.lower()]  # that an option may choose
    kind = pick("iou", *further)
    index = index_of(kind, g, pick)
    if kind != "iou":
        return -averaged(index, g, pick)
    if pick(True, False):
        return -averaged(pick(index, index.square()), g, pick)
    return -averaged(index.clamp(min=pick(1e-6, 1e-7, 1e-8)).log(), g, pick)


@of_boxes("the GIoU loss", r"\bg ?iou|generali[sz]ed (intersection|iou|box iou)", r"family|dice|mask")
def giou(g: Given, pick: Pick) -> Any:
    return -averaged(index_of("giou", g, pick), g, pick)


@of_boxes("the DIoU loss", r"\bd ?iou|distance (intersection|iou|box iou)", r"family|\b3d\b")
def diou(g: Given, pick: Pick) -> Any:
    return -averaged(index_of("diou", g, pick), g, pick)


@of_boxes("the CIoU loss", r"\bc ?iou|complete (intersection|iou|box iou)", r"family")
def ciou(g: Given, pick: Pick) -> Any:
    return -averaged(index_of("ciou", g, pick), g, pick)
