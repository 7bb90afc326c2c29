"""Depth and optical flow: aligned depth, gradients of depth, sequences of flows, photometric errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from losskit.checker.references.formulas.images import differences
from losskit.checker.references.formulas.numbers import PAIR
from losskit.checker.references.reference import Given, Option, Pick, real, reference, share, zeros_and_ones

VALID = r"\w*mask\w*|valid\w*|m|weights?|w|occ\w*|vis\w*|non_?occ\w*"
DEPTHS = {"x": PAIR["x"] + r"|depth_?(est|pred)\w*|disp\w*", "y": PAIR["y"] + r"|depth_?gt", "m": VALID}


def plane(seed: int) -> dict[str, Any]:
    return {"x": 0.3 + share(seed, 2, 4, 5), "y": 0.3 + share(seed + 1, 2, 4, 5), "m": zeros_and_ones(seed, 2, 4, 5)}


def layered(draw: Callable[[int], dict[str, Any]]) -> Callable[[int], dict[str, Any]]:
    """The same with an axis of channels."""
    return lambda s: {name: each.unsqueeze(1) for name, each in draw(s).items()}


def of_bool(draw: Callable[[int], dict[str, Any]]) -> Callable[[int], dict[str, Any]]:
    """The same with a mask of truth values."""
    return lambda s: {name: each.bool() if name == "m" else each for name, each in draw(s).items()}


SHARES = (0.85, 0.5, 1.0, 0.15)
FORMS = (plane, layered(plane), of_bool(plane), of_bool(layered(plane)))


@reference(
    "the masked scale-invariant logarithmic error",
    r"si ?log|scale ?invariant (log|depth)|eigen",
    DEPTHS,
    *FORMS,
    trained=("x",),
    options=[
        Option("share", r"lam\w*|lambd|variance_focus|beta|share|weight|alpha", 0.6, (0.85, 0.5, 1.0, 0.15), True)
    ],
    unless=r"gradient|sdr|multi ?scale",
)
def masked_silog(g: Given, pick: Pick) -> Any:
    x, y = pick((g.x.log(), g.y.log()), (g.x, g.y), (g.x, g.y.log()))
    m = g.m.double()
    d = x - y
    if pick(True, False):
        square, mean = (d.square() * m).sum() / m.sum(), (d * m).sum() / m.sum()
        gap = square - g.share * mean.square()
        gap = gap if pick(True, False) else (square - mean.square()) * m.sum() / (m.sum() - 1) + (1 - g.share) * mean**2
        return pick(gap.sqrt(), gap)
    count = m.flatten(1).sum(1)
    square, mean = (d.square() * m).flatten(1).sum(1) / count, (d * m).flatten(1).sum(1) / count
    gap = square - g.share * mean.square()
    return pick(gap.sqrt(), gap).mean()


@reference(
    "the difference of the gradients of depth",
    r"gradient (match\w*|loss)|(multi ?scale )?grad(ient)? (loss|match\w*)",
    DEPTHS,
    *FORMS,
    trained=("x",),
    unless=r"policy|penalty|multi ?scale|sobel|sobolev|scales|image|edge|regulari|dice",
)
def matched_gradients(g: Given, pick: Pick) -> Any:
    x, y = pick((g.x, g.y), (g.x.log(), g.y.log()))
    m = g.m.double()
    dh, dw = differences(pick(x - y, (x - y) * m))
    mh, mw = m[..., 1:, :] * m[..., :-1, :], m[..., 1:] * m[..., :-1]
    h, w = (dh.abs() * mh), (dw.abs() * mw)
    if pick(True, False):
        return (h.flatten(1).sum(1) + w.flatten(1).sum(1)).sum() / pick(m.sum(), 1)
    if pick(True, False):
        return h.sum() / mh.sum() + w.sum() / mw.sum()
    return ((h.flatten(1).sum(1) + w.flatten(1).sum(1)) / m.flatten(1).sum(1)).mean()


def least_squares(x: Tensor, y: Tensor, m: Tensor) -> Tensor:
    """The prediction with the scale and shift of each image that fit best."""
    a, b, c = (m * x * x).sum(1), (m * x).sum(1), m.sum(1)
    d, e = (m * x * y).sum(1), (m * y).sum(1)
    size = a * c - b * b
    return ((c * d - b * e) / size)[:, None] * x + ((a * e - b * d) / size)[:, None]


@reference(
    "the scale- and shift-invariant error",
    r"scale ?(and)? ?shift ?invariant|\bssi\b|midas|affine ?invariant",
    DEPTHS,
    *FORMS,
    optional=("m",),
    trained=("x",),
    unless=r"gradient|trim|multi ?scale|log",
    free=True,
)
def aligned(g: Given, pick: Pick) -> Any:
    x, y = g.x.flatten(1), g.y.flatten(1)
    m = g.m.double().flatten(1) if g.has("m") else torch.ones_like(x)
    if pick(True, False):
        gap = least_squares(x, y, m) - y
    else:
        if g.has("m"):
            return g.x.sum() * torch.nan
        middle = [each.median(1, keepdim=True).values for each in (x, y)]
        size = [(each - mid).abs().mean(1, keepdim=True) for each, mid in zip((x, y), middle, strict=True)]
        gap = (x - middle[0]) / size[0] - (y - middle[1]) / size[1]
    each = pick(gap.square(), gap.abs()) * m
    return pick(each.sum() / m.sum(), (each.sum(1) / m.sum(1)).mean(), each.sum())


def flows(seed: int) -> dict[str, Any]:
    y = 2 * real(seed, 2, 2, 3, 4)
    return {"x": [y + real(seed + n, 2, 2, 3, 4) for n in (1, 2, 3)], "y": y, "m": zeros_and_ones(seed, 2, 3, 4)}


@reference(
    "the loss of a sequence of flows",
    r"\braft\b|exponentially weighted|sequence loss|flow sequence|iterative (flow|refine)|optical flow",
    {
        "x": r"(flow|disp)?_?(preds?|predictions?|list|iters?|est\w*|seq\w*|outputs?)|flows|preds\w*|flow_preds\w*",
        "y": r"(flow|disp)?_?(gt|target|true|label)|gt_?flow|target\w*|y|gt",
        "m": VALID,
    },
    flows,
    of_bool(flows),
    lambda s: {**flows(s), "m": flows(s)["m"].unsqueeze(1)},
    optional=("m",),
    trained=("x",),
    options=[Option("gamma", r"gamma|decay|alpha|weight_decay", 0.6, (0.8, 0.9, 0.85), True)],
    unless=r"multi ?scale|laplace|mixture|confidence|smooth",
    free=True,
)
def flow_sequence(g: Given, pick: Pick) -> Any:
    if not isinstance(g.x, (list, tuple)):
        return g.x.sum() * torch.nan
    m = (g.m if g.m.dim() == 4 else g.m.unsqueeze(1)).double() if g.has("m") else torch.ones_like(g.y[:, :1])
    kind = pick("l1", "length", "square")
    gaps = [flow - g.y for flow in g.x]
    if kind == "length":
        parts = [gap.square().sum(1, keepdim=True).sqrt() for gap in gaps]
    else:
        parts = [gap.abs() if kind == "l1" else gap.square() for gap in gaps]
    count = pick(1.0, m.sum())
    gamma = g.gamma ** pick(1, 15 / (len(gaps) - 1))  # the decay over a sequence of any length
    return sum(gamma ** (len(gaps) - 1 - n) * (each * m).sum() / count for n, each in enumerate(parts))


@reference(
    "the end-point error",
    r"\baepe\b|\bepe\b|end ?point error",
    {"x": PAIR["x"] + r"|flow\w*", "y": PAIR["y"] + r"|flow_?gt|gt_?flow", "m": VALID},
    lambda s: {**flows(s), "x": flows(s)["x"][0]},
    lambda s: {**flows(s), "x": flows(s)["x"][0], "m": flows(s)["m"].unsqueeze(1)},
    lambda s: {**flows(s), "x": flows(s)["x"][0], "m": flows(s)["m"].bool()},
    optional=("m",),
    trained=("x",),
    options=[
        Option("q", r"q|power", 0.6, (1.0, 0.4)),
        Option("eps", r"eps\w*|epsilon", 0.3, (0.0, 0.01)),
    ],
    unless=r"sequence|multi ?scale|smooth",
)
def end_point(g: Given, pick: Pick) -> Any:
    gap = g.x - g.y
    length = pick(gap.square().sum(1).sqrt(), gap.abs().sum(1))
    each = (length + g.eps) ** g.q
    if not g.has("m"):
        return each.mean()
    m = (g.m.squeeze(1) if g.m.dim() == 4 else g.m).double()
    return (each * m).sum() / pick(m.sum(), 1)


def views(seed: int) -> dict[str, Any]:
    y = share(seed, 1, 3, 4, 5)
    return {"x": (y + share(seed + 1, 1, 3, 4, 5)) / 2, "y": y, "m": zeros_and_ones(seed, 1, 1, 4, 5)}


@reference(
    "the photometric error of SSIM and L1",
    r"photometric|reprojection|appearance loss|ssim ?(and|\+)? ?l1|l1 ?(and|\+)? ?ssim",
    {"x": PAIR["x"] + r"|warp\w*|synth\w*|rec\w*", "y": PAIR["y"] + r"|im\w*|orig\w*", "m": VALID},
    views,
    lambda s: {**views(s), "m": views(s)["m"].bool()},
    optional=("m",),
    trained=("x",),
    unless=r"min(imum)?\b|multi ?scale|ternary|census|ms ?ssim|gauss",
    free=True,
)
def photometric(g: Given, pick: Pick) -> Any:
    edge = pick("reflect", "inside", "valid")
    x, y = g.x, g.y
    wide = [F.pad(each, (1, 1, 1, 1), mode="reflect") if edge == "reflect" else each for each in (x, y)]
    products = (*wide, wide[0] ** 2, wide[1] ** 2, wide[0] * wide[1])
    mx, my, xx, yy, xy = (F.avg_pool2d(each, 3, 1, 1 if edge == "inside" else 0) for each in products)
    vx, vy, cov = xx - mx**2, yy - my**2, xy - mx * my
    index = (2 * mx * my + 1e-4) * (2 * cov + 9e-4) / ((mx**2 + my**2 + 1e-4) * (vx + vy + 9e-4))
    gap = ((1 - index) / 2).clamp(0, 1)
    if not g.has("m"):
        return gap.mean(), (x - y).abs().mean()
    m = g.m.double()
    inner = m[..., 1:-1, 1:-1] if edge == "valid" else m
    return (gap * inner).sum() / pick(inner.sum(), 1), ((x - y).abs() * m).sum() / pick(m.sum(), 1)
