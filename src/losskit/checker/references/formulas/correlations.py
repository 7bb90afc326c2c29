"""Dependence and correlation: the Hilbert-Schmidt criterion, and correlations of two images within windows."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from losskit.checker.references.formulas.numbers import PAIR
from losskit.checker.references.reference import Given, Option, Pick, real, reference, share

TWO = {
    "x": PAIR["x"] + r"|a|z|f\w*|feat\w*|emb\w*|x_?1|z_?1|h\w*",
    "y": PAIR["y"] + r"|b|s|sens\w*|group\w*|domain\w*|y_?1|x_?2|z_?2|z_?y",
}


def gaps_of(x: Tensor) -> Tensor:
    return (x[:, None] - x[None]).square().sum(2)


@reference(
    "the Hilbert-Schmidt criterion",
    r"\bhsic\b|hilbert schmidt",
    TWO,
    lambda s: {"x": real(s, 6, 3), "y": real(s + 1, 6, 2)},
    lambda s: {"x": real(s, 6, 3), "y": real(s + 1, 6, 3)},
    options=[
        Option("s", r"sigma\w*|bandwidth\w*|s|bw|s_?(x|y)|width|gamma", 1.3, (1.0, 5.0, 0.5, 2.0), True),
    ],
    unless=r"bottleneck|\bcka\b|alignment|conditional",
)
def hsic(g: Given, pick: Pick) -> Any:
    kind = pick("2 s2", "s2", "s", "gamma", "dimension", "linear", "linear of y")

    def kernel(x: Tensor, linear: bool) -> Tensor:
        if linear:
            return x @ x.T
        scale = {"2 s2": 2 * g.s**2, "s2": g.s**2, "s": g.s, "gamma": 1 / g.s}.get(kind, 2 * g.s**2)
        found: Tensor = (-gaps_of(x) / scale / (x.shape[1] if kind == "dimension" else 1)).exp()
        return found

    k, other = kernel(g.x, kind == "linear"), kernel(g.y, kind.startswith("linear"))
    n = len(k)
    center = torch.eye(n, dtype=k.dtype) - 1 / n

    def biased(a: Tensor, b: Tensor) -> Tensor:
        found: Tensor = (center @ a @ center * b).sum()
        return found

    form = pick("biased", "normalized", "root", "unbiased")
    if form == "unbiased":
        k, other = (each * (1 - torch.eye(n, dtype=k.dtype)) for each in (k, other))
        cross = (k @ other).sum()
        return (k * other).sum() + k.sum() * other.sum() / ((n - 1) * (n - 2)) - 2 * cross / (n - 2)
    value = biased(k, other)
    if form == "normalized":
        return value / (biased(k, k) * biased(other, other)).sqrt()
    return value.sqrt() if form == "root" else value


IMAGES = {
    "x": PAIR["x"] + r"|i|moving|moved|warped\w*|a|im\w*_?1|fixed_pred",
    "y": PAIR["y"] + r"|j|fixed\w*|b|im\w*_?2|reference",
}


def alike(seed: int, *size: int) -> dict[str, Any]:
    x = share(seed, *size)
    return {"x": x, "y": (x + 2 * share(seed + 1, *size)) / 3}


@reference(
    "the normalized cross correlation",
    r"\b[lg]?ncc\b|normali[sz]ed cross ?correlation|local cross ?correlation",
    IMAGES,
    lambda s: alike(s, 2, 1, 12, 12),
    lambda s: alike(s, 1, 1, 10, 10, 10),
    options=[
        Option("size", r"win\w*|kernel_?size|window\w*|k|n|size", 3, (9, 3, 5, 7, 11), True),
        Option("eps", r"eps\w*|smooth\w*", 1e-5, (1e-5,)),
    ],
    lists=r"win\w*|kernel_?size",
    trained=("x",),
    unless=r"gradient field|multi ?scale|gauss|mask|entropy",
    free=True,
)
def cross_correlation(g: Given, pick: Pick) -> Any:
    x, y = g.x, g.y
    axes = tuple(range(2, x.dim()))
    form = pick("squared", "plain", "global", "global of all", "padded squared", "padded plain")
    if form.startswith("global"):
        axes = axes if form == "global" else tuple(range(x.dim()))
        a, b = (each - each.mean(axes, keepdim=True) for each in (x, y))
        value = (a * b).mean(axes) / (a.square().mean(axes) * b.square().mean(axes)).sqrt()
        return -pick(value, value.square()).mean()
    size = int(g.listed[0]) if g.listed else int(g.size)
    if size % 2 == 0 or size < 3:
        return x.sum() * torch.nan
    weight = torch.ones(1, 1, *[size] * len(axes), dtype=x.dtype)
    conv = F.conv2d if len(axes) == 2 else F.conv3d

    def mean(each: Tensor) -> Tensor:
        return conv(each, weight / weight.numel(), padding=size // 2 if form.startswith("padded") else 0)

    mx, my = mean(x), mean(y)
    cross = mean(x * y) - mx * my
    both = (mean(x * x) - mx * mx) * (mean(y * y) - my * my)
    if form.endswith("squared"):
        return -(cross.square() / (both + g.eps)).mean()
    return -(cross / (both.clamp(min=0) + pick(1e-5, 1e-10)).sqrt()).mean()
