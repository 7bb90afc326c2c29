"""Sets of points of several lengths in one batch, padded or masked."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from losskit.checker.references.reference import Given, Pick, real, reference

ONE = r"x|p_?1|pred\w*|a|src|source|xyz_?1|pc_?1|points_?1|input|x_?1|cloud_?1"
OTHER = r"y|p_?2|target\w*|b|gt|tgt|xyz_?2|pc_?2|points_?2|x_?2|cloud_?2"
OF_ONE = r"(x|p1|pred|a|src|source|xyz1|pc1|x1)"
OF_OTHER = r"(y|p2|target|b|gt|tgt|xyz2|pc2|x2)"
SIZES = ((4, 2, 3), (5, 3, 2))
_LENGTHS = r"(len(gth)?s?|num|n|size|count)"


def clouds(seed: int) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for n, (cloud, lengths) in enumerate((("a", "la"), ("b", "lb"))):
        size = torch.tensor(SIZES[n])
        inside = torch.arange(max(SIZES[n]))[None] < size[:, None]
        made[cloud] = real(seed + n, 3, max(SIZES[n]), 3) * inside[..., None]
        made[lengths] = size
    return made


def masked(kind: torch.dtype) -> Any:
    """The same with masks of the points instead of lengths."""

    def drawn(seed: int) -> dict[str, Any]:
        made = clouds(seed)
        masks = {f"m{n}": (torch.arange(made[n].shape[1])[None] < made[f"l{n}"][:, None]).to(kind) for n in "ab"}
        return {"a": made["a"], "b": made["b"], **masks}

    return drawn


def nearest(distances: Tensor, inside: Tensor, others: Tensor, kind: str) -> Tensor:
    """The mean over the points of one side of the distance to the nearest of the other."""
    low = distances.masked_fill(~others[:, None], torch.inf).amin(2) * inside
    if kind == "per cloud":
        return (low.sum(1) / inside.sum(1)).mean()
    return low.sum() / inside.sum() if kind == "all" else low.sum()


def chamfer(g: Given, pick: Pick, a: Tensor, b: Tensor) -> Any:
    square = (g.a[:, :, None] - g.b[:, None]).square().sum(3)
    d = pick("square", "root", "l1")
    if d != "square":
        square = (square + 1e-12).sqrt() if d == "root" else (g.a[:, :, None] - g.b[:, None]).abs().sum(3)
    kind = pick("per cloud", "all", "sum")
    return nearest(square, a, b, kind), nearest(square.mT, b, a, kind)


@reference(
    "the Chamfer distance of padded clouds",
    r"chamfer",
    {
        "a": ONE,
        "b": OTHER,
        "la": rf"{OF_ONE}_?{_LENGTHS}|{_LENGTHS}_?{OF_ONE}",
        "lb": rf"{OF_OTHER}_?{_LENGTHS}|{_LENGTHS}_?{OF_OTHER}",
    },
    clouds,
    trained=("a", "b"),
    unless=r"density|one.?sided|normal",
    by_name=True,
)
def by_lengths(g: Given, pick: Pick) -> Any:
    inside = [torch.arange(x.shape[1])[None] < sizes[:, None] for x, sizes in ((g.a, g.la), (g.b, g.lb))]
    return chamfer(g, pick, *inside)


@reference(
    "the Chamfer distance of masked clouds",
    r"chamfer",
    {
        "a": ONE,
        "b": OTHER,
        "ma": rf"{OF_ONE}_?(mask|valid)|(mask|valid)_?{OF_ONE}",
        "mb": rf"{OF_OTHER}_?(mask|valid)|(mask|valid)_?{OF_OTHER}",
    },
    masked(torch.bool),
    masked(torch.float64),
    trained=("a", "b"),
    unless=r"density|one.?sided|normal",
    by_name=True,
)
def by_masks(g: Given, pick: Pick) -> Any:
    return chamfer(g, pick, g.ma > 0.5, g.mb > 0.5)
