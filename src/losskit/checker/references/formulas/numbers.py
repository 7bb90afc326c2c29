"""Numbers: errors of a prediction and their robust functions."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from losskit.checker.references.reference import Formula, Given, Option, Pick, real, reference, share, zeros_and_ones

PAIR = {
    "x": r"input\w*|preds?\w*|y_?pred|y_?hat|out\w*|est\w*|x|yhat|forecast\w*|sr|src|source|student\w*|"
    r"logits|img1|image1",
    "y": r"target\w*|y|y_?true|gt|truth|true|label\w*|actual\w*|ref\w*|hr|t|obs\w*|tgt|teacher\w*|img2|image2",
}


def errors(seed: int) -> dict[str, Any]:
    return {"x": 2 * real(seed, 6), "y": real(seed + 1, 6)}


def grid(seed: int) -> dict[str, Any]:
    return {"x": 2 * real(seed, 3, 4), "y": real(seed + 1, 3, 4)}


def image(seed: int) -> dict[str, Any]:
    return {"x": 2 * real(seed, 2, 1, 2, 3), "y": real(seed + 1, 2, 1, 2, 3)}


def positive(seed: int) -> dict[str, Any]:
    return {"x": 0.3 + share(seed, 6), "y": 0.3 + share(seed + 1, 6)}


MASK = r"\w*mask\w*|valid\w*|m|weights?|w|sample_weights?|observed|\w*_weights?"


def covered(draw: Callable[[int], dict[str, Any]]) -> Callable[[int], dict[str, Any]]:
    """The same with a mask of the targets."""

    def drawn(seed: int) -> dict[str, Any]:
        made = draw(seed)
        return {**made, "m": zeros_and_ones(seed, *made["y"].shape)}

    return drawn


def by_truth(draw: Callable[[int], dict[str, Any]]) -> Callable[[int], dict[str, Any]]:
    """The same with a mask of truth values."""

    def drawn(seed: int) -> dict[str, Any]:
        made = covered(draw)(seed)
        return {**made, "m": made["m"].bool()}

    return drawn


def missing(draw: Callable[[int], dict[str, Any]]) -> Callable[[int], dict[str, Any]]:
    """The same with targets that are not numbers where they are missing."""

    def drawn(seed: int) -> dict[str, Any]:
        made = covered(draw)(seed)
        return {"x": made["x"], "y": made["y"].masked_fill(made["m"] == 0, torch.nan)}

    return drawn


def reduced(g: Given, pick: Pick, each: Tensor, m: Tensor | None) -> Tensor:
    """The mean of errors, or of those that a mask keeps: of all of them, or in each row."""
    if m is None or each.dim() == 0:
        return each.mean() if m is None else each * torch.nan
    if m.dim() < each.dim():  # of steps or of pixels, with features besides
        m = m.unsqueeze(1 if m.shape[1:] == each.shape[2:] and m.shape[1] != each.shape[1] else -1)
    m = m.expand_as(each)
    each = torch.where(m > 0, each * m, 0)
    if m.dim() > 1 and pick(False, True):
        return (each.flatten(1).sum(1) / m.flatten(1).sum(1).clamp(min=1)).mean()
    return each.sum() / pick(m.sum(), 1.0)  # type: ignore[no-any-return]


def error(
    said: str, named: str, *options: Option, draws: Any = (errors, grid, image), unless: str = "$^"
) -> Callable[[Formula], Formula]:
    """Register a function of the error of a prediction: a number, or one for each element, which a mask may select."""

    def enter(each: Formula) -> Formula:
        def formula(g: Given, pick: Pick) -> Any:
            m = g.m.double() if g.has("m") else None
            if torch.isnan(g.y).any():
                m = torch.isnan(g.y).logical_not().double()
                g.tensors["y"] = torch.where(m > 0, g.y, g.x.detach())
            return reduced(g, pick, each(g, pick), m)

        forms = [*draws, *(f(draw) for f in (covered, by_truth, missing) for draw in draws[:2])]
        return reference(
            said, named, {**PAIR, "m": MASK}, *forms, options=options, optional=("m",), trained=("x",), unless=unless
        )(formula)

    return enter


def option(name: str, names: str, value: float, *usual: float) -> Option:
    return Option(name, names, value, usual, literal=True)


@error(
    "the Huber loss",
    r"huber",
    option("delta", r"delta|beta|d|threshold|k", 0.6, 1.0),
    unless=r"pseudo|reverse|quantile|\bber ?hu|smooth quant",
)
def huber(g: Given, pick: Pick) -> Any:
    a, d = (g.x - g.y).abs(), g.delta
    return torch.where(a < d, 0.5 * a.square(), d * (a - 0.5 * d))


@error("smooth L1", r"smooth ?l1", option("beta", r"beta|delta|sigma", 1.3, 1.0))
def smooth_l1(g: Given, pick: Pick) -> Any:
    a = (g.x - g.y).abs()
    b = pick(g.beta, 1 / g.beta**2)
    return torch.where(a < b, 0.5 * a.square() / b, a - 0.5 * b)


@error("the pseudo-Huber loss", r"pseudo ?huber", option("delta", r"delta|c|d", 0.6, 1.0))
def pseudo_huber(g: Given, pick: Pick) -> Any:
    return (1 + ((g.x - g.y) / g.delta).square()).sqrt()


@error(
    "the reverse Huber loss",
    r"\bber ?hu|reverse ?huber",
    option("share", r"c|threshold|share|ratio|delta|thresh", 0.3, 0.2),
)
def berhu(g: Given, pick: Pick) -> Any:
    a = (g.x - g.y).abs()
    c = g.share * pick(a.max(), a.max().detach(), 1.0)
    return torch.where(a <= c, a, (a.square() + c * c) / (2 * c))


@error("the log-cosh loss", r"log ?cosh", unless=r"dice|tversky|weight")
def log_cosh(g: Given, pick: Pick) -> Any:
    return (g.x - g.y).cosh().log()


@error(
    "the Charbonnier loss",
    r"charbonnier",
    option("eps", r"eps\w*|epsilon", 0.4, 1e-3, 1e-6, 1e-9),
    option("alpha", r"alpha|power|p", 0.4, 0.5),
    unless=r"edge|fft",
)
def charbonnier(g: Given, pick: Pick) -> Any:
    square = (g.x - g.y).square()
    return (square + pick(g.eps**2, g.eps)) ** g.alpha


@error("the Cauchy loss", r"cauchy|lorentz", option("c", r"c|gamma|sigma|scale|delta|k|s", 0.6, 1.0))
def cauchy(g: Given, pick: Pick) -> Any:
    square = (g.x - g.y).square()
    return (1 + square / pick(g.c**2, 2 * g.c**2)).log()


@error("the Geman-McClure loss", r"geman|mc ?clure|\bgmc?\b", option("c", r"c|sigma|scale|rho|k|s|mu", 0.6, 1.0))
def geman(g: Given, pick: Pick) -> Any:
    square = (g.x - g.y).square()
    return square / (square + pick(g.c**2, g.c, 4 * g.c**2))


@error("the Welsch loss", r"welsch|leclerc|correntropy", option("c", r"c|sigma|scale|k|s|gamma", 0.6, 1.0))
def welsch(g: Given, pick: Pick) -> Any:
    square = (g.x - g.y).square()
    return -(-square / pick(g.c**2, 2 * g.c**2)).exp()


@error("the Tukey loss", r"tukey|biweight", option("c", r"c|k|t", 2.0, 4.685))
def tukey(g: Given, pick: Pick) -> Any:
    share_ = ((g.x - g.y) / g.c).square().clamp(max=1)
    return 1 - (1 - share_) ** 3


@error(
    "the wing loss",
    r"^wing|\bwing loss",
    option("w", r"w|omega|width", 1.5, 10.0, 5.0),
    option("eps", r"eps\w*|epsilon|curvature", 0.6, 2.0, 0.5),
    unless=r"adaptive|awing|smooth",
)
def wing(g: Given, pick: Pick) -> Any:
    a = (g.x - g.y).abs()
    constant = g.w - g.w * math.log(1 + g.w / g.eps)
    return torch.where(a < g.w, g.w * (1 + a / g.eps).log(), a - constant)


@error(
    "the logarithmic error",
    r"msle|squared log|log(arithmic)? (mse|squared)",
    draws=(positive,),
    unless=r"scale|rmsle|root",
)
def msle(g: Given, pick: Pick) -> Any:
    return pick((g.x.log1p() - g.y.log1p()).square(), (g.x.log() - g.y.log()).square())


@error("the root mean squared logarithmic error", r"rmsle|root mean squared? log", draws=(positive,))
def rmsle(g: Given, pick: Pick) -> Any:
    return (
        (g.x.log1p() - g.y.log1p()).square().mean().sqrt()
        if pick(True, False)
        else (g.x.log() - g.y.log()).square().mean().sqrt()
    )


@error(
    "the root mean squared error",
    r"\brmse|root mean squared? error",
    unless=r"log|weighted|scaled|relative|norm",
    draws=(errors, grid),
)
def rmse(g: Given, pick: Pick) -> Any:
    square = (g.x - g.y).square()
    rows, columns = (square.flatten(1).mean(1), square.mean(0)) if square.dim() > 1 else (square.mean(),) * 2
    return pick(square.mean().sqrt(), rows.sqrt().mean(), columns.sqrt().mean())


@error(
    "the mean absolute percentage error",
    r"\bmape\b|absolute percentage",
    draws=(positive, lambda s: {k: v.reshape(2, 3) for k, v in positive(s).items()}),
    unless=r"symmetric|smape|weighted",
)
def mape(g: Given, pick: Pick) -> Any:
    return ((g.x - g.y) / g.y).abs()


@error(
    "the symmetric percentage error",
    r"smape|symmetric (mean )?absolute",
    draws=(errors, grid),
)
def smape(g: Given, pick: Pick) -> Any:
    a = (g.x - g.y).abs()
    both = pick(pick.maybe_detached(g.x.abs() + g.y.abs()), g.x + g.y)
    return pick(a / both, a.sum() / both.sum())


@error(
    "the scale-invariant logarithmic error",
    r"si ?log|scale ?invariant (log|depth)|eigen",
    option("share", r"lam\w*|lambd|variance_focus|beta|share|weight|alpha", 0.6, 0.85, 0.5, 1.0),
    draws=(positive, lambda s: {k: v.reshape(1, 1, 2, 3) for k, v in positive(s).items()}),
    unless=r"gradient|sdr",
)
def silog(g: Given, pick: Pick) -> Any:
    if g.has("m"):  # another family
        return g.x.sum() * torch.nan
    x, y = pick((g.x, g.y), (g.x.exp(), g.y.exp()), (g.x.exp(), g.y))
    d = x.log() - y.log()
    bias = d.mean().square()
    square = pick(
        d.square().mean() - g.share * bias, d.var() + (1 - g.share) * bias, d.var(correction=0) + g.share * bias
    )
    return pick(square.sqrt(), square)


def _signals(size: tuple[int, ...]) -> Callable[[int], dict[str, Any]]:
    def draw(seed: int) -> dict[str, Any]:
        y = real(seed, *size)
        return {"x": y + 0.7 * real(seed + 1, *size), "y": y}

    return draw


@error(
    "SI-SDR",
    r"si ?(sdr|snr)|scale ?invariant (signal|sdr|snr)",
    draws=(_signals((3, 6)), _signals((6,)), _signals((2, 2, 6))),
    unless=r"pit|permut|mixit|stft",
)
def si_sdr(g: Given, pick: Pick) -> Any:
    x, y = g.x, g.y
    if pick(True, False):
        x, y = x - x.mean(-1, keepdim=True), y - y.mean(-1, keepdim=True)
    aim = (x * y).sum(-1, keepdim=True) / y.square().sum(-1, keepdim=True) * y
    return -(aim.square().sum(-1) / (x - aim).square().sum(-1)).log10().mean()


@error(
    "the signal-to-noise ratio",
    r"\b(snr|sdr)\b|signal ?to ?(noise|distortion)",
    draws=(_signals((3, 6)), _signals((6,))),
    unless=r"\bsi\b|scale|min snr|psnr|pit",
)
def snr(g: Given, pick: Pick) -> Any:
    return -(g.y.square().sum(-1) / (g.x - g.y).square().sum(-1)).log10().mean()


def _correlation(x: Tensor, y: Tensor) -> Tensor:
    x, y = x - x.mean(-1, keepdim=True), y - y.mean(-1, keepdim=True)
    return (x * y).sum(-1) / (x.square().sum(-1) * y.square().sum(-1)).sqrt()


@error(
    "Pearson's correlation",
    r"pearson|correlation",
    draws=(errors, grid),
    unless=r"concordance|ccc|cross|canonical|corr2d|align",
)
def pearson(g: Given, pick: Pick) -> Any:
    x, y = (g.x, g.y) if pick(True, False) else (g.x.reshape(-1), g.y.reshape(-1))
    x, y = (x.T, y.T) if x.dim() > 1 and pick(False, True) else (x, y)
    r = _correlation(x, y)
    return pick(-r, -r.square(), r.square() * 0 - r).mean()


@error("the concordance correlation", r"concordance|\bccc\b", draws=(errors,))
def ccc(g: Given, pick: Pick) -> Any:
    unbiased = pick(False, True)
    mx, my = g.x.mean(), g.y.mean()
    cov = ((g.x - mx) * (g.y - my)).sum() / (5 if unbiased and pick(True, False) else 6)
    return -2 * cov / (g.x.var(unbiased=unbiased) + g.y.var(unbiased=unbiased) + (mx - my).square())


@error("the Nash-Sutcliffe efficiency", r"\bnse\b|nash", draws=(errors,))
def nash(g: Given, pick: Pick) -> Any:
    return (g.x - g.y).square().sum() / (g.y - g.y.mean()).square().sum()


@error(
    "the cosine loss",
    r"cosine (similarity|embedding|distance|loss)|\bcosine\b",
    draws=(grid,),
    unless=r"triplet|margin|focal|arc|negative|contrast|centr|xent|log|angular|sim ?siam|pair",
)
def cosine(g: Given, pick: Pick) -> Any:
    return -F.cosine_similarity(g.x, pick.maybe_detached(g.y)).mean()


@error(
    "the relative L2 error",
    r"relative (l2|lp|error)|\blp ?loss|rel ?l2",
    draws=(grid, image),
    unless=r"mean relative|absolute relative",
)
def relative(g: Given, pick: Pick) -> Any:
    d, y = (g.x - g.y).flatten(1), g.y.flatten(1)
    if pick(True, False):
        return (d.norm(dim=1) / y.norm(dim=1)).mean()
    return pick(
        d.norm() / y.norm(), d.square().sum() / y.square().sum(), (d.square().sum(1) / y.square().sum(1)).mean()
    )
