"""Keypoints, and heads of anchor-free detectors: heatmaps of joints, similarities of keypoints, bins, centerness."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from losskit.checker.references.formulas.classification import BOTH
from losskit.checker.references.formulas.numbers import PAIR
from losskit.checker.references.reference import Given, Option, Pick, real, reference, share, zeros_and_ones

MAPS = {
    "x": r"out\w*|pred\w*|\w*_pred|heat\w*|x|input\w*|logits?|hm",
    "y": r"target(?!_?w)\w*|gt\w*|y|labels?|\w*_gt|true\w*",
    "w": r"\w*weight\w*|w|vis\w*|\w*mask\w*|valid\w*|joints_vis",
}


def maps(seed: int) -> dict[str, Any]:
    weights = 0.5 * torch.ones(2, 3, 1, dtype=torch.float64) * zeros_and_ones(seed + 2, 2, 3, 1)
    return {"x": share(seed, 2, 3, 2, 2), "y": share(seed + 1, 2, 3, 2, 2), "w": 2 * weights}


def flat_weights(seed: int) -> dict[str, Any]:
    made = maps(seed)
    return {**made, "w": made["w"].squeeze(2)}


JOINTS = (
    r"joints? ?\w* ?(mse|loss|heat ?map|l2|ohkm)|heat ?map ?\w* ?(mse|loss|l2|regression)|"
    r"key ?points? ?(mse|heat ?map)|\bohkm|"
    r"weighted by (the )?(visib|joint|target)\w*"
)
OF_JOINTS = (
    r"focal|center ?net|corner|adaptive ?wing|awing|\bkl\b|softmax|argmax|oks|\bjs\b|gaussian nll|coord|diffusion"
)


@reference(
    "the squared error of heatmaps of joints",
    JOINTS,
    MAPS,
    maps,
    flat_weights,
    options=[Option("k", r"top_?k\w*", 2, ())],
    optional=("w",),
    trained=("x",),
    unless=OF_JOINTS,
)
def joints(g: Given, pick: Pick) -> Any:
    w = g.w.reshape(2, 3) if g.has("w") else torch.ones(2, 3, dtype=torch.float64)
    w = w if pick(True, False) or g.text.says(r"weight\w* by|visib") else torch.ones_like(w)
    each = (g.x - g.y).square().flatten(2).mean(2) * w
    if g.bound("k"):
        return each.topk(int(g.k), dim=1).values.mean()
    return each.sum() / pick(1, w.sum())


@reference(
    "the focal loss of heatmaps of joints",
    r"heat ?map.*focal|focal.*heat ?map|gaussian focal|penalty.reduced",
    {"x": MAPS["x"], "y": MAPS["y"], "w": MAPS["w"]},
    lambda s: {
        "x": real(s, 2, 3, 3, 3),
        "y": torch.where(share(s + 1, 2, 3, 3, 3) > 0.8, 1.0, 0.9 * share(s + 2, 2, 3, 3, 3)),
        "w": zeros_and_ones(s + 3, 2, 3),
    },
    options=[Option("a", "alpha|a|gamma", 1.5, (2.0,)), Option("b", "beta|b", 3.0, (4.0,))],
    trained=("x",),
    free=True,
)
def focal_of_joints(g: Given, pick: Pick) -> Any:
    if not g.called("w", "weight|mask|vis|valid|^w$"):
        return g.x.sum() * torch.nan
    p, w, peak = g.x.sigmoid(), g.w[:, :, None, None], (g.y == 1).double()
    near = peak * (1 - p) ** g.a * p.log()
    each = near + (1 - peak) * (1 - g.y) ** g.b * p**g.a * (1 - p).log()
    return -(each * w).sum() / pick((peak * w).sum().clamp(min=1), peak.sum(), 1)


WING = [
    Option("omega", "omega|w", 3.0, (14.0,)),
    Option("theta", "theta", 0.4, (0.5,)),
    Option("eps", r"eps\w*", 0.8, (1.0,)),
    Option("alpha", "alpha", 2.3, (2.1,)),
]


@reference(
    "the adaptive wing loss",
    r"adaptive ?wing|\bawing",
    PAIR,
    lambda s: {"x": share(s, 2, 4) * 1.5, "y": share(s + 1, 2, 4)},
    lambda s: {"x": share(s, 2, 3, 2, 2) * 1.5, "y": share(s + 1, 2, 3, 2, 2)},
    options=WING,
    trained=("x",),
)
def adaptive_wing(g: Given, pick: Pick) -> Any:
    return adaptive_wings(g).mean()


def adaptive_wings(g: Given) -> Tensor:
    error, power = (g.x - g.y).abs(), g.alpha - g.y
    bound = g.theta / g.eps
    slope = g.omega / (1 + bound**power) * power * bound ** (power - 1) / g.eps
    constant = g.theta * slope - g.omega * (1 + bound**power).log()
    return torch.where(error < g.theta, g.omega * (1 + (error / g.eps) ** power).log(), slope * error - constant)


def with_weights(seed: int) -> dict[str, Any]:
    """Weights of joints that are neither 0 nor 1."""
    return {**maps(seed), "x": 1.5 * share(seed, 2, 3, 2, 2), "w": share(seed + 2, 2, 3)}


@reference(
    "the adaptive wing loss of weighted joints",
    r"adaptive ?wing|\bawing",
    MAPS,
    with_weights,
    lambda s: {**with_weights(s), "w": with_weights(s)["w"].unsqueeze(2)},
    lambda s: {**with_weights(s), "w": (1 + share(s + 2, 2, 3, 2, 2)).round()},
    options=WING,
    trained=("x",),
)
def weighted_wing(g: Given, pick: Pick) -> Any:
    if not g.called("w", "weight|mask|vis|valid|^w$"):
        return g.x.sum() * torch.nan
    w = g.w if g.w.dim() == 4 else g.w.reshape(2, 3, 1, 1)
    if g.w.dim() == 4 and pick(True, False):  # a mask of 0 and 1, by which the error is raised
        w = 1 + 10 * (w - 1)
    each = adaptive_wings(g)
    return pick((each * w).mean(), (each * w).sum() / w.expand_as(each).sum(), each.mean())


_OF_PEOPLE = (0.26, 0.25, 0.25, 0.35, 0.35, 0.79, 0.79, 0.72, 0.72, 0.62, 0.62, 1.07, 1.07, 0.87, 0.87, 0.89, 0.89)


def keypoints(seed: int, number: int = 3) -> dict[str, Any]:
    visible = zeros_and_ones(seed + 2, 2, number)
    visible[:, 0] = 1
    return {
        "x": 0.2 * real(seed, 2, number, 2),
        "y": 0.2 * real(seed + 1, 2, number, 2),
        "m": visible,
        "a": 0.5 + share(seed + 3, 2, 1),
    }


@reference(
    "the loss of the similarity of keypoints",
    r"\boks\b|key ?points? ?(similarity|loss)",
    {
        "x": r"pred\w*|x|kpts?|out\w*|\w*_pred",
        "y": r"gt\w*|target\w*|y|\w*_gt|true\w*",
        "m": r"\w*mask\w*|vis\w*|v|valid\w*|\w*_vis",
        "a": r"area\w*|a|scales?|s|bbox_area",
    },
    keypoints,
    lambda s: {**keypoints(s), "a": keypoints(s)["a"].squeeze(1)},
    lambda s: keypoints(s, 17),
    lambda s: {**keypoints(s, 17), "a": keypoints(s)["a"].squeeze(1)},
    options=[
        Option("count", r"num_(kpts?|key_?points|joints?|points)|n_?(kpts?|key_?points|joints?)", 3),
        Option("sigma", r"sigmas?", 0.1, (0.1,)),
    ],
    lists=r"\w*sigmas?\w*|k|kpt_\w+",
    trained=("x",),
    unless=r"heat ?map",
)
def similarity(g: Given, pick: Pick) -> Any:
    n = g.x.shape[1]
    usual = [each / 10 for each in _OF_PEOPLE] if n == 17 else [g.sigma] * n
    sigmas = torch.tensor(g.listed or usual, dtype=torch.float64)
    if not g.called("m", "mask|vis|^[vm]$|valid") or len(sigmas) != n:
        return g.x.sum() * torch.nan
    area = g.a.reshape(2, 1)
    square = (g.x - g.y).square().sum(2)
    k = pick(2 * sigmas, sigmas)
    exponent = square / (2 * k.square() * (area if g.called("a", "area") else pick(area, area.square())))
    near = (-exponent).exp()
    visible = g.m.sum(1, keepdim=True)
    kind = pick("per sample", "all", "sum")
    if kind == "per sample":
        index = ((near * g.m).sum(1) / visible.squeeze(1)).clamp(min=1e-9)
        return pick(-index, -index.log()).mean()
    total = ((1 - near) * g.m).sum()
    return total / g.m.sum() if kind == "all" else total


def sides(seed: int) -> Tensor:
    return 0.2 + 2 * share(seed, 6, 4)


@reference(
    "the loss of the centerness",
    r"center ?ness|centre ?ness",
    {
        "x": r"(?!ltrb)(pred\w*|logits?|x|out\w*|cent\w*|input\w*)",
        "y": r"ltrb|target\w*|reg\w*|y|dist\w*|gt\w*|offsets?",
    },
    lambda s: {"x": real(s, 6), "y": sides(s + 1)},
    lambda s: {"x": real(s, 6), "y": share(s + 1, 6)},
    lambda s: {"x": real(s, 6, 1), "y": sides(s + 1)},
    trained=("x",),
    unless=r"iou|total|\bfcos loss|all",
)
def centerness(g: Given, pick: Pick) -> Any:
    y = g.y
    if y.dim() == 2:
        across, along = y[:, [0, 2]], y[:, [1, 3]]
        y = (across.amin(1) / across.amax(1) * along.amin(1) / along.amax(1)).sqrt()
    x = g.x.reshape(6)
    return F.binary_cross_entropy_with_logits(x, y)


@reference(
    "the distribution focal loss",
    r"distribution focal|\bdfl\b|\bdf loss",
    {"x": BOTH["x"] + r"|\w*dist\w*", "y": BOTH["y"]},
    lambda s: {"x": 2 * real(s, 6, 4), "y": 2.9 * share(s + 1, 6)},
    options=[Option("bins", r"reg_max|bins?|n_?bins", 4, (4,))],
    trained=("x",),
    unless=r"iou|total",
)
def bins(g: Given, pick: Pick) -> Any:
    low = g.y.long()
    share_of = g.y - low
    nll = [F.cross_entropy(g.x, low + n, reduction="none") for n in (0, 1)]
    return (nll[0] * (1 - share_of) + nll[1] * share_of).mean()
