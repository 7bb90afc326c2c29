"""Denoising: what a network of a diffusion predicts, and scores; tasks whose weights are given."""

from __future__ import annotations

import re
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from losskit.checker.references.formulas.numbers import PAIR
from losskit.checker.references.reference import Given, Pick, real, reference, share

PREDICTED = r"v_?pred\w*|v_?hat|v|pred\w*|model_\w+|out\w*|x|(x0|eps|noise)_?(pred\w*|hat)"


def noised(seed: int, *size: int) -> dict[str, Any]:
    made = {"out": real(seed, 4, *size), "x0": real(seed + 1, 4, *size), "noise": real(seed + 2, 4, *size)}
    return {**made, "kept": share(seed + 3, 4)}


def of_steps(seed: int, *size: int) -> dict[str, Any]:
    return {**noised(seed, *size), "kept": torch.tensor([12, 28, 41, 5])}


def kept_share(g: Given) -> Tensor:
    """The cumulative product of the alphas at each sample: as given, or by what the loss stores."""
    if g.kept.is_floating_point():
        return g.kept  # type: ignore[no-any-return]
    for name, each in g.buffers.items():
        if re.search(r"alphas?_?(cum\w*|bar|hat)|a_?bar|^abar|^ac$", name) and "sqrt" not in name:
            return each.double()[g.kept]  # type: ignore[no-any-return]
    raise ValueError("no schedule")


@reference(
    "the error of a predicted velocity",
    r"\bv ?pred\w*|velocity (pred\w*|loss)",
    {
        "out": PREDICTED,
        "x0": r"x_?0|x_?start|clean|latents?|x|sample\w*|images?",
        "noise": r"noise|eps\w*",
        "kept": r"alphas?_?(bar|cum\w*|hat)\w*|a_?bar\w*|abar|t|time_?steps?",
    },
    lambda s: noised(s, 3),
    lambda s: noised(s, 2, 2, 2),
    lambda s: of_steps(s, 3),
    lambda s: of_steps(s, 2, 2, 2),
    trained=("out",),
    unless=r"min ?snr|weight|flow",
)
def velocity(g: Given, pick: Pick) -> Any:
    kept = kept_share(g).reshape(-1, *(1 for _ in g.x0.shape[1:]))
    aim = kept.sqrt() * g.noise - (1 - kept).sqrt() * g.x0
    each = pick((g.out - aim).square(), (g.out - aim).abs(), F.smooth_l1_loss(g.out, aim, reduction="none"))
    weight = (kept / (1 - kept)).clamp(max=5) * (1 - kept)
    return pick(each.mean(), (each * weight).mean())


@reference(
    "the error of a denoised score",
    r"score ?match\w*|\bdsm\b",
    {
        "x": r"scores?|pred\w*|out\w*|model_\w+|s|x|score_\w+",
        "noise": r"noise|eps\w*|z|epsilon",
        "sigma": r"sigmas?|std|stds?|used_sigmas|noise_level|s",
    },
    lambda s: {"x": real(s, 4, 3), "noise": real(s + 1, 4, 3), "sigma": 0.3 + share(s + 2, 4)},
    lambda s: {"x": real(s, 4, 2, 2, 2), "noise": real(s + 1, 4, 2, 2, 2), "sigma": 0.3 + share(s + 2, 4)},
    lambda s: {"x": real(s, 4, 3), "noise": real(s + 1, 4, 3), "sigma": 0.3 + share(s + 2, 4, 1)},
    trained=("x",),
    unless=r"sliced|implicit|hyvarinen",
)
def denoised_score(g: Given, pick: Pick) -> Any:
    sigma = g.sigma.reshape(-1, *(1 for _ in g.x.shape[1:]))
    noise = pick(g.noise, g.noise / sigma)  # a standard normal, or the noise as it was added
    gap = (g.x + noise / sigma).square()
    return (gap * pick(sigma.square(), 1.0)).mean()


@reference(
    "the relativistic loss of pairs",
    r"relativistic|\brp ?gan|\br3 ?gan",
    {
        "real": r"(\w*_)?real(_\w+)?|r_\w+|\w+_r|d_?real\w*|real\w*|c_?r|y_pred",
        "fake": r"(\w*_)?(fake|gen\w*)(_\w+)?|f_\w+|\w+_f|d_?fake\w*|fake\w*|c_?f|y_pred_fake",
    },
    lambda s: {"real": real(s, 6), "fake": real(s + 1, 6)},
    lambda s: {"real": real(s, 6, 1), "fake": real(s + 1, 6, 1)},
    unless=r"average|\bra ?(gan|d|g|ls|hinge)|penalty|mean",
)
def relativistic_pairs(g: Given, pick: Pick) -> Any:
    gap = pick(1, -1) * (g.real - g.fake)
    return pick(F.softplus(-gap), (gap - 1).square(), F.relu(1 - gap)).mean()


@reference(
    "the loss of tasks with given variances",
    r"uncertainty (weight|loss|sum)|homoscedastic|kendall|multi ?task uncertainty",
    {"x": r"loss\w*|\w*losses|task\w*", "s": r"log_?(vars?|sigmas?|variances?)\w*|s"},
    lambda s: {"x": 2 * share(s, 3), "s": real(s + 1, 3)},
    lambda s: {"x": list((2 * share(s, 3)).unbind()), "s": real(s + 1, 3)},
    trained=("x", "s"),
)
def given_variances(g: Given, pick: Pick) -> Any:
    x = torch.stack(list(g.x)) if isinstance(g.x, (list, tuple)) else g.x
    s = 2 * g.s if g.called("s", "sigma") else g.s
    return (pick(1, 0.5, 2) * (-s).exp() * x + s).sum()


@reference(
    "the contrast of multi-scale structural similarity",
    r"\bms ?ssim\b|multi ?scale (ssim|structural)",
    {"x": PAIR["x"] + r"|a|img_?a", "y": PAIR["y"] + r"|b|img_?b"},
    lambda s: {"x": share(s, 2, 1, 48, 48), "y": (share(s, 2, 1, 48, 48) + share(s + 1, 2, 1, 48, 48)) / 5},
    trained=("x",),
    lists=r"\w*weights?|betas?|power\w*",
    unless=r"l1|mix|3d|hybrid",
)
def multi_scale(g: Given, pick: Pick) -> Any:
    if not g.listed and "ssim" in g.text.code.lower():
        raise ValueError("no weights")
    weights = g.listed or (0.3, 0.3, 0.4)
    size = int(g.settings.get("window_size", g.settings.get("win_size", 11)))
    spread = float(g.settings.get("sigma", g.settings.get("win_sigma", 1.5)))
    flat = pick(0, 3, 5, 7, 8, 11)
    at = torch.arange(flat or size, dtype=torch.float64) - size // 2
    line = torch.ones(flat, dtype=torch.float64) if flat else torch.exp(-(at**2) / (2 * spread**2))
    window = (torch.outer(line, line) / line.sum() ** 2)[None, None]
    padding, axes = pick(0, len(at) // 2), pick((1, 2, 3), (0, 1, 2, 3))
    x, y = g.x, g.y
    value = torch.ones(len(x), dtype=torch.float64)
    for n, weight in enumerate(weights):
        mx, my, xx, yy, xy = (F.conv2d(t, window, padding=padding) for t in (x, y, x * x, y * y, x * y))
        contrast = (2 * (xy - mx * my) + 9e-4) / (xx - mx**2 + yy - my**2 + 9e-4)
        light = (2 * mx * my + 1e-4) / (mx**2 + my**2 + 1e-4)
        part = contrast if n < len(weights) - 1 else contrast * light
        value = value * part.mean(axes).clamp(min=1e-6) ** weight
        x, y = F.avg_pool2d(x, 2), F.avg_pool2d(y, 2)
    return -value.mean()
