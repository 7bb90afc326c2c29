"""Detectors and poses: regression of boxes, classes of anchors with mined negatives, rotations as quaternions."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from losskit.checker.references.formulas.numbers import PAIR, errors
from losskit.checker.references.reference import Given, Option, Pick, real, reference, whole


@reference(
    "the balanced L1 loss",
    r"balanced (smooth )?l1|libra",
    {**PAIR, "w": r"weights?|w|(box|bbox)_weights?"},
    errors,
    lambda s: {"x": 2 * real(s, 4, 4), "y": real(s + 1, 4, 4)},
    options=[
        Option("alpha", r"alpha", 0.6, (0.5,), True),
        Option("gamma", r"gamma", 1.3, (1.5,), True),
        Option("beta", r"beta", 0.7, (1.0,), True),
    ],
    optional=("w",),
    trained=("x",),
    unless=r"cross ?entropy|focal|dice",
)
def balanced_l1(g: Given, pick: Pick) -> Any:
    b = math.exp(g.gamma / g.alpha) - 1
    d = (g.x - g.y).abs()
    held = pick(g.beta, 1.0)
    inside = g.alpha / b * (b * d + held) * (b * d / g.beta + 1).log() - g.alpha * d
    return torch.where(d < g.beta, inside, g.gamma * d + g.gamma / b * held - g.alpha * g.beta).mean()


def anchors(seed: int) -> dict[str, Any]:
    y = torch.zeros(2, 9, dtype=torch.int64)
    y[0, :2], y[1, 3:6] = whole(seed, 2, 2) + 1, torch.tensor([1, 2, 1])
    return {"x": 2 * real(seed, 2, 9, 3), "y": y}


def located(seed: int) -> dict[str, Any]:
    made = anchors(seed)
    return {**made, "p": 2 * real(seed + 1, 2, 9, 4), "q": real(seed + 2, 2, 9, 4)}


MULTIBOX = {
    "x": r"conf\w*|cls_?(logits?|preds?|scores?)|class_\w+|scores?|logits?|pred\w*_(cls|conf|scores?)|x|preds?|plabel",
    "y": r"labels?|targets?|gt_?(labels?|cls|class\w*)|true_classes|y|cls_targets?|conf_t|glabel",
}
RATIO = Option("ratio", r"\w*ratio\w*|neg_?pos\w*", 2, (3,), True)


def mined(g: Given, pick: Pick) -> Tensor:
    """Cross entropies of the positives and of the hardest negatives, over a number of anchors."""
    each = F.cross_entropy(g.x.flatten(0, 1), g.y.flatten(), reduction="none").view(g.y.shape)
    plus = g.y > 0
    hardness = each.detach().masked_fill(plus, -torch.inf)
    kept = plus.clone()
    if pick(True, False):
        for n in range(len(g.y)):
            count = min(int(g.ratio * plus[n].sum()), int((~plus[n]).sum()))
            kept[n, hardness[n].argsort(descending=True)[:count]] = True
    else:
        count = min(int(g.ratio * plus.sum()), int((~plus).sum()))
        kept.view(-1)[hardness.view(-1).argsort(descending=True)[:count]] = True
    if pick(True, False):
        found: Tensor = each[kept].sum() / pick(plus.sum(), kept.sum(), 1)
        return found
    per_image: Tensor = ((each * kept).sum(1) / plus.sum(1)).mean()
    return per_image


NAMED = r"multi ?box( (conf|cls|class)\w*)?|\bssd\b|hard negative mining|\bhnm\b"
OTHERS = r"focal|triplet|contrastive|embedding|dice|binary"


@reference(
    "the loss of classes with hard negatives", NAMED, MULTIBOX, anchors, options=[RATIO], trained=("x",), unless=OTHERS
)
def mined_classes(g: Given, pick: Pick) -> Any:
    return mined(g, pick)


@reference(
    "the loss of a single-shot detector",
    NAMED,
    {
        **MULTIBOX,
        "p": r"(pred\w*_)?(loc\w*|box\w*|bbox\w*|offsets?|reg\w*)(_?(preds?|p|data))?|ploc",
        "q": r"(gt|target|true)_?(loc\w*|box\w*|bbox\w*|offsets?|reg\w*)|"
        r"(loc\w*|box\w*|bbox\w*|reg\w*)_?(t|targets?|gt)|gloc",
    },
    located,
    options=[RATIO],
    trained=("x", "p"),
    unless=OTHERS,
    by_name=True,
    free=True,
)
def single_shot(g: Given, pick: Pick) -> Any:
    plus = g.y > 0
    classes = mined(g, pick)
    boxes = F.smooth_l1_loss(g.p[plus], g.q[plus], reduction="sum") / plus.sum()
    return pick((classes, boxes), (boxes,), (classes,))


@reference(
    "the distance of quaternions",
    r"quaternion|\bquat\b",
    {
        "x": PAIR["x"] + r"|q_?(1|a|pred|hat|est)|q|quat\w*_?(pred|1|a)?|pred_q\w*|r_pred",
        "y": PAIR["y"] + r"|q_?(2|b|gt|true|target)|p|quat\w*_?(gt|true|2|b|target)|gt_q\w*|r_gt",
    },
    lambda s: {"x": real(s, 5, 4), "y": real(s + 1, 5, 4)},
    lambda s: {"x": F.normalize(real(s, 5, 4), dim=1), "y": F.normalize(real(s + 1, 5, 4), dim=1)},
    trained=("x",),
    unless=r"translation|6d|dual|matri|norm penalty|unit norm|velocity",
    free=True,
)
def quaternions(g: Given, pick: Pick) -> Any:
    x, y = pick((F.normalize(g.x, dim=1), F.normalize(g.y, dim=1)), (F.normalize(g.x, dim=1), g.y), (g.x, g.y))
    kind = pick("square", "length", "l1", "dot", "squared dot", "angle", "mean square")
    if kind in ("square", "length", "l1", "mean square"):
        gaps = [x - y, x + y]
        sizes = [
            gap.abs().sum(1) if kind == "l1" else gap.square().sum(1) if "square" in kind else gap.norm(dim=1)
            for gap in gaps
        ]
        return torch.minimum(*sizes).mean()
    dot = (x * y).sum(1)
    if kind == "angle":
        near = dot.abs().clamp(max=1 - pick(0.0, 1e-7, 1e-6))
        angle = 2 * near.acos()
        return pick(angle, angle.square()).mean()
    return -(dot.abs() if kind == "dot" else dot.square()).mean()
