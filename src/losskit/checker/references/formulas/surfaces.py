"""Surfaces: smoothness of a pyramid of disparities, normals beside the edges of an image."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from losskit.checker.references.formulas.images import differences
from losskit.checker.references.reference import Given, Option, Pick, reference, share

SMOOTHNESS = r"edge ?aware|smoothness"
STRENGTH = Option("k", r"alpha|gamma|beta|edge_w\w*|edge_constant|lam\w*|k", 1.5, (1.0, 10.0, 150.0), True)


def pyramid(seed: int) -> dict[str, Any]:
    sizes = ((4, 6), (3, 4))
    return {
        "x": [0.5 + share(seed + n, 2, 1, *size) for n, size in enumerate(sizes)],
        "y": [share(seed + 5 + n, 2, 3, *size) for n, size in enumerate(sizes)],
    }


def halved(seed: int) -> dict[str, Any]:
    """Disparities of two sizes, and the image of the larger."""
    sizes = ((6, 8), (3, 4))
    return {"x": [0.5 + share(seed + n, 2, 1, *size) for n, size in enumerate(sizes)], "y": share(seed + 5, 2, 3, 6, 8)}


def roughness(x: Tensor, image: Tensor, g: Given, way: tuple[bool, bool]) -> Tensor:
    relative, meant = way
    x = x / (x.mean((2, 3), keepdim=True) + 1e-7) if relative else x
    edges = [each.abs().mean(1, keepdim=True) for each in differences(image)]
    parts: list[Tensor] = [d.abs() * (-g.k * e).exp() for d, e in zip(differences(x), edges, strict=True)]
    return parts[0].mean() + parts[1].mean() if meant else parts[0].sum() + parts[1].sum()


@reference(
    "the edge-aware smoothness of several scales",
    SMOOTHNESS,
    {
        "x": r"(pred_?)?(disp\w*|depth\w*|flows?)|x|pred\w*|pyramid",
        "y": r"im\w*|rgbs?|guide\w*|y|left\w*|pyr\w*",
    },
    pyramid,
    halved,
    trained=("x",),
    options=[STRENGTH],
    lists=r"\w*weights?\w*|scales?|lambdas?",
    unless=r"second|2nd|\bnormals?\b",
    free=True,
)
def of_scales(g: Given, pick: Pick) -> Any:
    way = pick(False, True), pick(True, False)
    if isinstance(g.y, (list, tuple)):
        images = list(g.y)
    else:
        mode = pick("bilinear", "area", "corners")
        more = {"mode": "bilinear", "align_corners": True} if mode == "corners" else {"mode": mode}
        images = [F.interpolate(g.y, x.shape[2:], **more) for x in g.x]
    return tuple(roughness(x, image, g, way) for x, image in zip(g.x, images, strict=True))


@reference(
    "the second-order edge-aware smoothness",
    r"second.?order.*smooth|smooth\w*.*(second.?order|2nd)|2nd.*smooth",
    {"x": r"disp\w*|depth\w*|flow|x|pred\w*", "y": r"im\w*|rgb|img|guide\w*|y"},
    lambda s: {"x": 0.5 + share(s, 2, 1, 5, 6), "y": share(s + 1, 2, 3, 5, 6)},
    trained=("x",),
    options=[STRENGTH],
    free=True,
)
def second_order(g: Given, pick: Pick) -> Any:
    total = torch.zeros((), dtype=g.x.dtype)
    kind = pick("second of image", "inner", "leading", "trailing")
    for axis in (-2, -1):
        bent = g.x.diff(dim=axis).diff(dim=axis).abs()
        edges = g.y.diff(dim=axis)
        n = edges.shape[axis]
        if kind == "second of image":
            edges = edges.diff(dim=axis)
        elif kind == "inner":
            edges = (edges.narrow(axis, 0, n - 1) + edges.narrow(axis, 1, n - 1)) / 2
        else:
            edges = edges.narrow(axis, 1 if kind == "trailing" else 0, n - 1)
        total = total + (bent * (-g.k * edges.abs().mean(1, keepdim=True)).exp()).mean()
    return total


@reference(
    "the difference of normals away from edges",
    r"edge ?aware normals?\b|\bnormals? (consistency|loss).*edge|edge\w*.*\bnormals?\b",
    {
        "x": r"(render\w*_|pred\w*_)?normals?|x|pred\w*",
        "n": r"(depth|surf|gt|target)_?normals?|normals?_?(from_)?(depth|surf|gt|target)|y|target",
        "y": r"im\w*|rgb|img|gt_?im\w*",
    },
    lambda s: {"x": 2 * share(s, 2, 3, 5, 6) - 1, "n": 2 * share(s + 1, 2, 3, 5, 6) - 1, "y": share(s + 2, 2, 3, 5, 6)},
    trained=("x", "n"),
    free=True,
)
def normals(g: Given, pick: Pick) -> Any:
    gray = F.pad(g.y.mean(1, keepdim=True), (1, 1, 1, 1), mode="replicate")
    across = (gray[:, :, 1:-1, 2:] - gray[:, :, 1:-1, :-2]).abs()
    along = (gray[:, :, 2:, 1:-1] - gray[:, :, :-2, 1:-1]).abs()
    edge = pick(torch.maximum(across, along), across + along, (across + along) / 2)
    low, high = edge.amin(), edge.amax()
    edge = edge if pick(True, False) else (edge - low) / (high - low)
    weight = (1 - edge).clamp(0, 1) ** pick(2, 1, 5) if pick(True, False) else (-pick(1, 10) * edge).exp()
    gap = pick((g.x - g.n).abs().sum(1, keepdim=True), 1 - (g.x * g.n).sum(1, keepdim=True))
    return (weight * gap).mean()
