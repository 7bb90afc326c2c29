"""Images and boxes: smoothness, gradients, structural similarity, overlaps of boxes, heatmaps."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from losskit.checker.references.formulas.numbers import PAIR
from losskit.checker.references.reference import (
    Given,
    Option,
    Pick,
    reference,
    share,
    zeros_and_ones,
)

ONE = {"x": r"x|im\w*|inputs?|pred\w*|out\w*|y|disp\w*|flow|depth|batch|img|y_?hat"}


def picture(seed: int) -> dict[str, Any]:
    return {"x": share(seed, 2, 3, 4, 6)}


def pictures(seed: int) -> dict[str, Any]:
    return {"x": share(seed, 2, 1, 4, 6), "y": share(seed + 1, 2, 1, 4, 6)}


def differences(x: Tensor) -> tuple[Tensor, Tensor]:
    """Along the height and along the width."""
    return x.diff(dim=-2), x.diff(dim=-1)


@reference(
    "the total variation",
    r"\btv\b|total ?variation",
    ONE,
    picture,
    options=[Option("eps", r"eps\w*", 1e-6, (0.0, 1e-6, 1e-8))],
    unless=r"mask|weight map|3d|huber",
    free=True,
)
def total_variation(g: Given, pick: Pick) -> Any:
    dh, dw = differences(g.x)
    kind = pick("square", "abs", "root", "cropped", "separate")
    if kind in ("root", "cropped"):
        h, w = (dh[..., :-1], dw[..., :-1, :]) if kind == "cropped" else (F.pad(dh, (0, 0, 0, 1)), F.pad(dw, (0, 1)))
        return (h.square() + w.square() + g.eps).sqrt().sum()
    dh, dw = (dh.abs(), dw.abs()) if kind == "abs" else (dh.square(), dw.square())
    if pick(False, True):  # a sum per sample
        each = dh.flatten(1).sum(1) + dw.flatten(1).sum(1)
        return each.sqrt().sum()
    if kind == "separate":
        return dh.mean().sqrt() + dw.mean().sqrt() if pick(True, False) else dh.sum().sqrt() + dw.sum().sqrt()
    return dh.mean() + dw.mean() if pick(True, False) else dh.sum() + dw.sum()


@reference(
    "the edge-aware smoothness",
    r"edge ?aware|smoothness",
    {"x": r"disp\w*|depth\w*|flow|x|pred\w*", "y": r"im\w*|rgb|img|guide\w*|y"},
    lambda s: {"x": 0.5 + share(s, 2, 1, 3, 4), "y": share(s + 1, 2, 3, 3, 4)},
    trained=("x",),
    unless=r"second|2nd",
    options=[Option("k", r"alpha|gamma|beta|edge_w\w*|edge_constant|lam\w*|weight|k", 1.5, (1.0, 10.0, 150.0), True)],
    free=True,
)
def edge_aware(g: Given, pick: Pick) -> Any:
    x = pick(g.x, g.x / g.x.mean((2, 3), keepdim=True))
    edges = [d.abs().mean(1, keepdim=True) for d in differences(g.y)]
    each = [d.abs() * (-g.k * e).exp() for d, e in zip(differences(x), edges, strict=True)]
    each = [each[0][..., :-1], each[1][..., :-1, :]] if pick(False, True) else each
    return (each[0].mean() + each[1].mean()) if pick(True, False) else each[0].sum() + each[1].sum()


@reference(
    "the difference of image gradients",
    r"(image )?gradient (difference|loss|l1)|\bgdl\b|\bgrad(ient)? loss",
    PAIR,
    pictures,
    trained=("x",),
    unless=r"3d|penalty|sobel|policy|dice|multi ?scale|scharr|laplac|direction|edge",
    free=True,
)
def image_gradients(g: Given, pick: Pick) -> Any:
    (xh, xw), (yh, yw) = differences(g.x), differences(g.y)
    kind = pick("plain", "magnitudes")
    gaps = (xh - yh, xw - yw) if kind == "plain" else (xh.abs() - yh.abs(), xw.abs() - yw.abs())
    power = pick(1, 2)
    return (
        sum(each.abs().pow(power).mean() for each in gaps)
        if pick(True, False)
        else sum(each.abs().pow(power).sum() for each in gaps)
    )


def _window(kind: str) -> Tensor:
    size = int(kind.removeprefix("gauss"))
    at = torch.arange(size, dtype=torch.float64)
    round_ = kind.startswith("gauss")
    w = torch.exp(-((at - size // 2) ** 2) / 4.5) if round_ else torch.ones(size, dtype=torch.float64)
    return torch.outer(w, w) / w.sum() ** 2


@reference(
    "structural similarity",
    r"\bd?ssim\b|structural similarity",
    {"x": PAIR["x"] + r"|a|img_?a", "y": PAIR["y"] + r"|b|img_?b"},
    lambda s: {"x": share(s, 1, 1, 13, 13), "y": (share(s, 1, 1, 13, 13) + share(s + 1, 1, 1, 13, 13)) / 2},
    lambda s: {"x": share(s, 1, 3, 13, 13), "y": (share(s, 1, 3, 13, 13) + share(s + 1, 1, 3, 13, 13)) / 2},
    trained=("x",),
    options=[
        Option("range", r"data_range|val_range|dynamic_range|max_val(ue)?|drange|l|pixel_range", 2.0, (1.0,)),
    ],
    unless=r"\bms\b|multi ?scale|3d|l1|photometric|mix",
)
def ssim(g: Given, pick: Pick) -> Any:
    kind = pick("gauss11", "3", "5", "7", "8", "9", "11", "gauss3", "gauss5", "gauss7", "gauss9")
    w = _window(kind)[None, None]
    inside = len(w[0, 0]) // 2
    x, y = (each.flatten(0, 1).unsqueeze(1) for each in (g.x, g.y))  # each channel on its own
    pad = pick("valid", "zeros", "reflect")
    if pad == "reflect":
        x, y = (F.pad(each, (inside,) * 4, mode="reflect") for each in (x, y))

    def blur(each: Tensor) -> Tensor:
        return F.conv2d(each, w, padding=inside if pad == "zeros" else 0)

    mx, my = blur(x), blur(y)
    biased = pick(1.0, w.shape[2] ** 2 / (w.shape[2] ** 2 - 1))
    vx, vy, cov = ((blur(a * b) - m) * biased for a, b, m in ((x, x, mx * mx), (y, y, my * my), (x, y, mx * my)))
    c1, c2 = (0.01 * g.range) ** 2, (0.03 * g.range) ** 2
    value = (2 * mx * my + c1) * (2 * cov + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))
    if pick(False, True):
        return ((1 - value) / 2).clamp(0, 1).mean()
    return -value.mean()


@reference("PSNR", r"\bpsnr\b", PAIR, pictures, trained=("x",))
def psnr(g: Given, pick: Pick) -> Any:
    square = (g.x - g.y).square()
    return square.mean().log10() if pick(True, False) else square.mean((1, 2, 3)).log10().mean()


@reference(
    "the difference of spectra",
    r"\bfft\b|frequency|fourier",
    PAIR,
    pictures,
    trained=("x",),
    unless=r"focal|stft|charbonnier|phase|amplitude",
)
def spectra(g: Given, pick: Pick) -> Any:
    spectrum = pick(torch.fft.fft2, torch.fft.rfft2)
    a, b = spectrum(g.x), spectrum(g.y)
    gap = pick((a - b).abs(), torch.view_as_real(a - b).abs(), a.abs() - b.abs())
    return pick(gap.abs().mean(), gap.square().mean())


@reference(
    "the spectral convergence",
    r"spectral convergence",
    PAIR,
    lambda s: {"x": share(s, 2, 3, 4), "y": share(s + 1, 2, 3, 4)},
    trained=("x",),
)
def convergence(g: Given, pick: Pick) -> Any:
    x, y = pick((g.x, g.y), (torch.fft.rfft(g.x).abs(), torch.fft.rfft(g.y).abs()))
    d = y - x
    return d.norm() / y.norm() if pick(True, False) else (d.flatten(1).norm(dim=1) / y.flatten(1).norm(dim=1)).mean()


@reference(
    "the Laplacian loss",
    r"laplacian (loss|edge)|\blaplac\w*",
    PAIR,
    pictures,
    trained=("x",),
    unless=r"nll|likelihood|pyramid|mesh|gauss|distribution",
    free=True,
)
def laplacian(g: Given, pick: Pick) -> Any:
    kernel = torch.tensor(pick([[0, 1, 0], [1, -4, 1], [0, 1, 0]], [[1, 1, 1], [1, -8, 1], [1, 1, 1]]))[
        None, None
    ].double()
    gap = F.conv2d(g.x - g.y, kernel, padding=pick(0, 1))
    return pick(gap.abs().mean(), gap.square().mean())


@reference("the Sobel edge loss", r"sobel", PAIR, pictures, trained=("x",), unless=r"direction|cosine", free=True)
def sobel(g: Given, pick: Pick) -> Any:
    kernel = torch.tensor([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])[None, None].double()
    both = torch.cat([kernel, kernel.mT])
    edge = pick("", "constant", "replicate", "reflect")
    x, y = (F.pad(each, (1, 1, 1, 1), mode=edge) if edge else each for each in (g.x, g.y))
    x, y = (F.conv2d(each, both) for each in (x, y))
    kind = pick("plain", "length", "sum")
    if kind == "length":
        x, y = (each.square().sum(1).sqrt() for each in (x, y))
    if kind == "sum":
        x, y = (each.abs().sum(1) for each in (x, y))
    return pick((x - y).abs().mean(), (x - y).square().mean())


@reference(
    "the focal loss of heatmaps",
    r"heat ?map focal|penalty.reduced|modified focal loss(?=.*(corner|heat))|center ?net|focal heat ?map|"
    r"gaussian focal|corner ?net",
    {"x": PAIR["x"] + "|hm", "y": PAIR["y"] + "|heatmap\\w*"},
    lambda s: {
        "x": share(s, 2, 2, 3, 3),
        "y": torch.where(
            zeros_and_ones(s, 2, 2, 3, 3) * zeros_and_ones(s + 3, 2, 2, 3, 3) > 0, 1.0, 0.9 * share(s + 1, 2, 2, 3, 3)
        ),
    },
    options=[Option("a", "alpha|a|gamma", 1.5, (2.0,)), Option("b", "beta|b", 3.0, (4.0,))],
    trained=("x",),
)
def heatmap(g: Given, pick: Pick) -> Any:
    p = pick(g.x, g.x.sigmoid())
    peak = (g.y == 1).double()
    each = peak * (1 - p) ** g.a * p.log() + (1 - peak) * (1 - g.y) ** g.b * p**g.a * (1 - p).log()
    return -each.sum() / pick(peak.sum(), 1)
