"""Further families: scoring rules, deviances, latent and multi-task losses."""

from __future__ import annotations

import math
import re
from typing import Any

import torch
import torch.nn.functional as F

from losskit.checker.references.formulas.densities import MEAN, SPREAD, TARGET, gaussian, variance_of
from losskit.checker.references.formulas.numbers import MASK, PAIR, errors, option, positive, reduced
from losskit.checker.references.reference import Given, Option, Pick, real, reference, share, whole


@reference(
    "the CRPS of a Gaussian",
    r"\bcrps\b|continuous ranked",
    {"mean": MEAN, "spread": SPREAD, "y": TARGET},
    gaussian,
    unless=r"ensemble|quantile|energy",
)
def crps(g: Given, pick: Pick) -> Any:
    s = variance_of(g, pick).sqrt()
    z = (g.y - g.mean) / s
    density = (-z.square() / 2).exp() / math.sqrt(2 * math.pi)
    return (s * (z * torch.erf(z / math.sqrt(2)) + 2 * density - 1 / math.sqrt(math.pi))).mean()


@reference(
    "the CRPS of an ensemble",
    r"\bcrps\b|energy score|continuous ranked",
    {"x": r"ens\w*|samples?|pred\w*|forecast\w*|x|members?", "y": TARGET},
    lambda s: {"x": real(s, 4, 5), "y": real(s + 1, 4)},
    lambda s: {"x": real(s, 5, 4), "y": real(s + 1, 4)},
    trained=("x",),
)
def ensemble(g: Given, pick: Pick) -> Any:
    x = g.x if len(g.x) == 4 else g.x.T  # members may come first
    error = (x - g.y[:, None]).abs().mean(1)
    spread = (x[:, :, None] - x[:, None]).abs().sum((1, 2)) / pick(25, 20)
    return (error - 0.5 * spread).mean()


@reference(
    "the interval score",
    r"interval score|winkler",
    {"lower": r"l|low\w*|lb|lo|q_?lo\w*", "upper": r"u|up\w*|ub|hi\w*|q_?hi\w*", "y": TARGET},
    lambda s: {"lower": real(s, 8) - 0.4, "upper": real(s, 8) + 0.4, "y": 1.2 * real(s + 1, 8)},
    options=[Option("alpha", "alpha|a|level", 0.3, (0.1, 0.05), True)],
    trained=("lower", "upper"),
)
def interval(g: Given, pick: Pick) -> Any:
    low, high = F.relu(g.lower - g.y), F.relu(g.y - g.upper)
    return (g.upper - g.lower + 2 / g.alpha * (low + high)).mean()


@reference("the gamma deviance", r"gamma (nll|deviance|loss|likelihood)", PAIR, positive, trained=("x",))
def gamma(g: Given, pick: Pick) -> Any:
    return (g.y / g.x + g.x.log()).mean() if pick(True, False) else (g.y * (-g.x).exp() + g.x).mean()


@reference(
    "the Tweedie deviance",
    r"tweedie",
    {**PAIR, "m": MASK + r"|exposure\w*|expo"},
    positive,
    lambda s: {**positive(s), "m": share(s + 3, 6)},
    lambda s: {k: v.reshape(3, 2) for k, v in positive(s).items()},
    options=[option("p", r"p|power|rho|variance_power|tweedie_\w+", 1.4, 1.5)],
    optional=("m",),
    trained=("x",),
)
def tweedie(g: Given, pick: Pick) -> Any:
    logs = pick(g.x.log(), g.x)
    each = ((2 - g.p) * logs).exp() / (2 - g.p) - g.y * ((1 - g.p) * logs).exp() / (1 - g.p)
    each = each + pick(0, g.y ** (2 - g.p) / ((1 - g.p) * (2 - g.p)))  # the deviance, or the likelihood
    return reduced(g, pick, each, g.m if g.has("m") else None)


@reference(
    "the exponential likelihood",
    r"exponential (nll|likelihood|loss)",
    {"x": r"rate|lam\w*|log_?rate|hazard|pred\w*|x", "y": TARGET},
    positive,
    trained=("x",),
)
def exponential(g: Given, pick: Pick) -> Any:
    logs = pick(g.x.log(), g.x)
    return (logs.exp() * g.y - logs).mean()


@reference(
    "the Weibull likelihood",
    r"weibull",
    {
        "k": r"k|shape\w*|alpha|concentration|c|rho",
        "lam": r"lam\w*|scale|beta|b|eta",
        "t": r"t|time\w*|duration\w*|y",
        "event": r"e|event\w*|observed|status|d|delta|u",
    },
    lambda s: {
        "k": 0.5 + share(s, 6),
        "lam": 0.5 + share(s + 1, 6),
        "t": 0.3 + share(s + 2, 6),
        "event": whole(s, 2, 6).double(),
    },
    trained=("k", "lam"),
    optional=("event",),
    unless=r"log_?lam|discrete",
)
def weibull(g: Given, pick: Pick) -> Any:
    event = g.event if g.has("event") else 1.0
    # Which of alpha and beta is the shape depends on the book.
    greek = g.called("k", "alpha|beta") and g.called("lam", "alpha|beta")
    k, lam = pick((g.k, g.lam), (g.lam, g.k)) if greek else (g.k, g.lam)
    hazard = (k / lam).log() + (k - 1) * (g.t / lam).log()
    return -(event * hazard - (g.t / lam) ** k).mean()


@reference(
    "the von Mises likelihood",
    r"von ?mises",
    {"mu": MEAN, "kappa": r"kappa|k|conc\w*", "y": TARGET},
    lambda s: {"mu": real(s, 6), "kappa": share(s + 1, 6) * 2, "y": real(s + 2, 6)},
    trained=("mu", "kappa"),
)
def von_mises(g: Given, pick: Pick) -> Any:
    return -(g.kappa * (g.y - g.mu).cos() - torch.special.i0(g.kappa).log()).mean()


@reference(
    "the Student t likelihood",
    r"student ?t?\b.*(nll|likelihood)|student ?t",
    {
        "mu": MEAN,
        "scale": r"(raw_?|log_?)?(scale|sigma|s)(_?raw)?",
        "df": r"(raw_?|log_?)?(df|nu|dof)(_?raw)?",
        "y": TARGET,
    },
    lambda s: {"mu": real(s, 6), "scale": 0.5 + share(s + 1, 6), "df": 2 + share(s + 2, 6), "y": real(s + 3, 6)},
    trained=("mu", "scale", "df"),
)
def student(g: Given, pick: Pick) -> Any:
    scale, df = g.scale, g.df
    if g.called("scale", "log"):
        scale = scale.exp()
    elif g.called("scale", "raw") or pick(False, True):
        scale = F.softplus(scale)
    if g.called("df", "log"):
        df = df.exp() + pick(0, 2, 1)
    elif g.called("df", "raw") or pick(False, True):
        df = F.softplus(df) + pick(2, 0, 1)
    half = df / 2
    constant = torch.lgamma(half + 0.5) - torch.lgamma(half) - 0.5 * df.log() - scale.log()
    return -(constant - (half + 0.5) * (((g.y - g.mu) / scale).square() / df).log1p()).mean()


@reference(
    "the evidential regression loss",
    r"nig\b|evidential regression|normal inverse gamma",
    {"gamma": r"gamma|mu|mean|m", "v": r"v|nu|lam\w*", "alpha": r"alpha|a", "beta": r"beta|b", "y": TARGET},
    lambda s: {
        "gamma": real(s, 6),
        "v": 0.5 + share(s + 1, 6),
        "alpha": 1.5 + share(s + 2, 6),
        "beta": 0.5 + share(s + 3, 6),
        "y": real(s + 4, 6),
    },
    trained=("gamma", "v", "alpha", "beta"),
    options=[Option("coeff", r"lam\w*|coeff?|reg\w*|weight|lmbda", 0.2, ())],
)
def evidential(g: Given, pick: Pick) -> Any:
    omega = 2 * g.beta * (1 + g.v)
    nll = (
        0.5 * (math.pi / g.v).log()
        - g.alpha * omega.log()
        + (g.alpha + 0.5) * ((g.y - g.gamma).square() * g.v + omega).log()
    )
    nll = (nll + torch.lgamma(g.alpha) - torch.lgamma(g.alpha + 0.5)).mean()
    penalty = ((g.y - g.gamma).abs() * (2 * g.v + g.alpha)).mean()
    return pick((nll,), (nll, penalty))


@reference(
    "the quantile Huber loss",
    r"quantile huber|huber quantile|qr ?dqn",
    {"x": PAIR["x"] + r"|q\w*|theta", "y": PAIR["y"] + r"|target\w*"},
    lambda s: {"x": real(s, 2, 3), "y": real(s + 1, 2, 3)},
    options=[option("kappa", "kappa|k|delta", 0.7, 1.0)],
    trained=("x",),
)
def quantile_huber(g: Given, pick: Pick) -> Any:
    gap = g.y[:, None] - g.x[:, :, None]
    a = gap.abs()
    each = torch.where(a <= g.kappa, 0.5 * gap.square(), g.kappa * (a - 0.5 * g.kappa))
    tau = ((torch.arange(3) + 0.5) / 3).double()[:, None]
    return ((tau - (gap < 0).double()).abs() * each).mean()


@reference(
    "the mean absolute scaled error",
    r"\bmase\b|absolute scaled",
    {
        **PAIR,
        "h": r"hist\w*|(y_?)?train\w*|(y_?)?in_?sample\w*|past\w*|context\w*",
        "lag": r"m|season\w*|period\w*|freq\w*|sp",
        "m": MASK,
    },
    lambda s: {
        "x": real(s, 2, 3),
        "y": real(s + 1, 2, 3),
        "h": real(s + 2, 2, 6),
        "lag": 2,
        "m": torch.tensor([[1.0, 1, 0], [0, 1, 1]]),
    },
    optional=("lag", "m"),
    trained=("x",),
    options=[option("step", r"m|season\w*|period\w*|freq\w*|sp", 2, 1)],
)
def scaled(g: Given, pick: Pick) -> Any:
    lag = int(g.lag if g.has("lag") else g.step)
    error, naive = (g.x - g.y).abs(), (g.h[:, lag:] - g.h[:, :-lag]).abs()
    if not g.has("m"):
        return (error.mean(1) / naive.mean(1)).mean() if pick(True, False) else error.mean() / naive.mean()
    each = error / naive.mean(1, keepdim=True)
    return reduced(g, pick, each, g.m)


@reference(
    "the loss of weighted tasks",
    r"uncertainty (weight|loss|sum)|auto(matic)? ?weight|homoscedastic|kendall|multi ?task uncertainty",
    {"x": r"loss\w*|\w*losses|task\w*|x"},
    lambda s: {"x": share(s, 2) * 2},
    lambda s: {"x": list((share(s, 2) * 2).unbind())},
    trained=("x",),
    states=True,
    options=[Option("n", r"n\w*|num\w*|k|tasks?", 2)],
    free=True,
)
def weighted_tasks(g: Given, pick: Pick) -> Any:
    s = torch.cat([each.reshape(-1) for each in g.parameters])[:2]
    x = torch.stack(list(g.x)) if isinstance(g.x, (list, tuple)) else g.x
    kind = pick("log variance", "log deviation", "square", "plus")
    if kind == "plus":
        return (0.5 / s.square() * x + (1 + s.square()).log()).sum()
    if kind == "square":
        return (0.5 / s.square() * x + s.abs().log()).sum()
    halves = torch.tensor(pick((1.0, 1.0), (1.0, 0.5), (0.5, 1.0)))  # a half for the errors of a regression
    return ((-s if kind == "log variance" else -2 * s).exp() * x * halves).sum()


@reference(
    "the loss of a denoising step with limited weights",
    r"min ?snr|snr ?weight\w*|weighted by (its|the)( clipped)? (snr|signal)",
    {
        "x": PAIR["x"] + r"|eps_?pred|noise_?pred\w*|model_\w*|v_pred\w*",
        "y": PAIR["y"] + r"|noise|eps\w*",
        "snr": r"snr|t|time_?steps?|step|steps|ts",
    },
    lambda s: {"x": real(s, 4, 3), "y": real(s + 1, 4, 3), "snr": share(s + 2, 4) * 8},
    lambda s: {"x": real(s, 4, 2, 2, 2), "y": real(s + 1, 4, 2, 2, 2), "snr": share(s + 2, 4) * 8},
    *(
        lambda s, size=size, steps=steps: {
            "x": real(s, *size),
            "y": real(s + 1, *size),
            "snr": torch.tensor(steps),
        }
        for size in ((4, 3), (4, 2, 2, 2))
        for steps in ((12, 230, 420, 700), (2, 14, 28, 41))
    ),
    trained=("x",),
    options=[Option("gamma", r"gamma|snr_gamma|g|min_snr\w*", 3.0, (5.0,))],
    unless=r"max ?snr|soft",
)
def min_snr(g: Given, pick: Pick) -> Any:
    snr = g.snr if g.snr.is_floating_point() else scheduled(g)[g.snr]
    if (snr > 10).all():
        return g.x.sum() * torch.nan  # steps at which all weights are alike
    limited = snr.clamp(max=g.gamma)
    kinds = [str(each) for each in g.settings.values() if "v_pred" in str(each) or "eps" in str(each)]
    velocity = "v_pred" in kinds[0] if kinds else g.text.claims(r"v.?pred|velocity") and not g.text.claims(r"eps")
    of_velocity = limited / (snr + 1)
    weight = of_velocity if velocity else pick(limited / snr, limited, of_velocity)
    return ((g.x - g.y).square().flatten(1).mean(1) * weight).mean()


def scheduled(g: Given) -> torch.Tensor:
    """The signal-to-noise ratio of each step, by what the loss stores; an error if it stores something else."""
    for name, each in g.buffers.items():
        if re.search(r"alphas?_?(cum\w*|bar|hat)|a_?bar|^abar|^ac$", name) and "sqrt" not in name:
            kept: torch.Tensor = each.double()
            return kept / (1 - kept)
        if re.fullmatch(r"snrs?", name):
            return each.double()  # type: ignore[no-any-return]
    raise ValueError("no schedule")


@reference(
    "the log-cosh Dice loss",
    r"log ?cosh dice",
    PAIR,
    lambda s: {"x": share(s, 2, 1, 3, 3), "y": whole(s, 2, 2, 1, 3, 3).double()},
    options=[option("smooth", r"smooth\w*|eps\w*", 0.3, 1.0, 0.0)],
    trained=("x",),
    unless="multi",
)
def log_cosh_dice(g: Given, pick: Pick) -> Any:
    p, axes = pick(g.x.sigmoid(), g.x), pick((0, 1, 2, 3), (1, 2, 3))
    index = (2 * (p * g.y).sum(axes) + g.smooth * pick(1, 0, 2)) / (p.sum(axes) + g.y.sum(axes) + g.smooth * pick(1, 2))
    return (1 - index).cosh().log().mean() if pick(True, False) else (1 - index.mean()).cosh().log()


@reference(
    "the soft error of two models",
    r"mean ?teacher|consistency (loss|mse)|softmax mse",
    PAIR,
    lambda s: {"x": real(s, 4, 3), "y": real(s + 1, 4, 3)},
    trained=("x",),
    unless=r"cycle|aug|view|temporal|forward",
    free=True,
)
def consistency(g: Given, pick: Pick) -> Any:
    p, q = pick((g.x.softmax(1), g.y.softmax(1)), (g.x, g.y), (g.x.sigmoid(), g.y.sigmoid()))
    return pick(
        (p - q).square().mean(),
        (q * (q.log() - p.log())).sum(1).mean() if (p > 0).all() and (q > 0).all() else (p - q).square().mean(),
    )


@reference(
    "the mean error",
    r"\bmae\b|\bmse\b|\bl1 loss|\bl2 loss|mean (squared|absolute) error",
    PAIR,
    errors,
    trained=("x",),
    unless=r"mask|weight|log|perc|scaled|relative|dice|ssim|lap|feat|grad|smooth|robust|huber|noisy|label|class|quant|root|rmse|kl|vae|fft|freq|focal|balanced|elastic|\+|tv|composite|physics|pinn|softmax|hybrid|mix|pit|nan|miss",
    free=True,
)
def plain_error(g: Given, pick: Pick) -> Any:
    return pick((g.x - g.y).square().mean(), (g.x - g.y).abs().mean(), (g.x - g.y).square().mean().sqrt())
