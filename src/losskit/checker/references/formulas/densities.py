"""Densities: negative log-likelihoods, divergences of posteriors, quantiles."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from losskit.checker.references.formulas.numbers import MASK, reduced
from losskit.checker.references.reference import Given, Option, Pick, real, reference, share, whole, zeros_and_ones

MEAN = r"mu|mean\w*|m|loc|pred\w*|input|output|out|y_?hat|y_pred|forecast\w*|mus"
TARGET = r"y|target\w*|y_true|x|label\w*|truth|gt|obs\w*|value\w*|actual\w*|t|true"
SPREAD = (
    r"(log_?)?(var|variance|sigma|std|stddev|scale|s|v|sigma_?sq(uared)?|sigma2|var_?pred|precision|b|sd)s?|logvar|"
    r"log_?(var|sigma|std|scale|b)\w*|lv|raw_\w+|(pred\w*_)?(var|std|logvar|log_var|sigma)\w*|unc\w*|scale"
)


def variance_of(g: Given, pick: Pick, role: str = "spread") -> Tensor:
    """The variance that an argument states, by its name."""
    s: Tensor = getattr(g, role)
    if g.called(role, r"log_?(var|sigma_?(sq|2))|logv|^lv|^s$"):
        return s.exp()
    if g.called(role, r"log_?(std|sigma|scale|sd|b)"):
        return pick((2 * s).exp(), s.exp())  # type: ignore[no-any-return]
    if g.called(role, r"raw"):
        return pick(F.softplus(s), F.softplus(s).square(), s.exp(), (2 * s).exp())  # type: ignore[no-any-return]
    if g.called(role, r"prec"):
        return 1 / s
    if g.called(role, r"var|sq|2"):
        return s
    if g.called(role, r"sigma|std|sd|scale"):
        return s.square()
    return pick(s, s.square(), s.exp(), (2 * s).exp())  # type: ignore[no-any-return]


def gaussian(seed: int) -> dict[str, Any]:
    return {"mean": real(seed, 5, 2), "spread": share(seed + 1, 5, 2), "y": real(seed + 2, 5, 2)}


@reference(
    "the Gaussian negative log-likelihood",
    r"(gauss\w*|hetero\w*|normal) ?(log ?)?(nll|likelihood|neg\w* log)|gauss\w* nll|nll gauss|"
    r"hetero\w* (nll|loss|regression)|"
    r"gaussian likelihood",
    {"mean": MEAN, "spread": SPREAD, "y": TARGET},
    gaussian,
    unless=r"beta ?nll|mixture|mdn|head|laplace|normali[sz]ing|multivariate|faithful",
)
def gaussian_nll(g: Given, pick: Pick) -> Any:
    v = variance_of(g, pick)
    return (v.log() + (g.y - g.mean).square() / v).mean()


@reference(
    "the Gaussian negative log-likelihood",
    r"gauss\w*( \w+)? ?nll|hetero\w* (nll|loss)",
    {"out": r"out\w*|pred\w*|params?|head|input|x|y_pred", "y": TARGET},
    lambda seed: {"out": real(seed, 5, 4), "y": real(seed + 2, 5, 2)},
    lambda seed: {"out": real(seed, 5, 2), "y": real(seed + 2, 5)},
    lambda seed: {"out": real(seed, 5, 2), "y": real(seed + 2, 5, 1)},
    unless=r"beta ?nll|mixture|mdn|laplace",
)
def gaussian_head(g: Given, pick: Pick) -> Any:
    mean, s = g.out.chunk(2, -1)
    y = g.y.reshape(mean.shape)
    v = pick(s.exp(), (2 * s).exp(), F.softplus(s), F.softplus(s).square())
    if g.text.says(r"log.?variance"):
        v = s.exp()
    return (v.log() + (y - mean).square() / v).mean()


@reference(
    "beta-NLL",
    r"beta ?nll",
    {"mean": MEAN, "spread": SPREAD, "y": TARGET},
    gaussian,
    options=[Option("beta", r"beta", 0.7, (0.5,))],
)
def beta_nll(g: Given, pick: Pick) -> Any:
    v = variance_of(g, pick)
    constant = pick(0.0, math.log(2 * math.pi))
    return (v.detach() ** g.beta * (v.log() + (g.y - g.mean).square() / v + constant)).mean()


@reference(
    "the Laplace negative log-likelihood",
    r"laplac\w* (nll|likelihood|neg\w*)|nll laplac",
    {"mean": MEAN, "spread": SPREAD, "y": TARGET},
    gaussian,
)
def laplace_nll(g: Given, pick: Pick) -> Any:
    s = g.spread
    b = s.exp() if g.called("spread", "log") else pick(s, s.exp())
    return (b.log() + (g.y - g.mean).abs() / b).mean()


@reference(
    "the Poisson negative log-likelihood",
    r"poisson",
    {"x": r"pred\w*|input|rate|log_?rate|lam\w*|output|y_pred|log_?input|x", "y": TARGET + r"|counts?"},
    lambda seed: {"x": share(seed, 6), "y": whole(seed, 4, 6).double()},
    lambda seed: {"x": share(seed, 4, 3), "y": whole(seed, 4, 4, 3).double()},
    trained=("x",),
    unless=r"zero|negative binomial|zip",
)
def poisson(g: Given, pick: Pick) -> Any:
    logs = g.called("x", "log") or pick(False, True)
    each = (g.x.exp() - g.y * g.x) if logs else (g.x - g.y * g.x.log())
    stirling = torch.where(
        g.y > 1, g.y * g.y.clamp(min=1).log() - g.y + 0.5 * (2 * math.pi * g.y.clamp(min=1)).log(), 0
    )
    return (each + pick(0, torch.lgamma(g.y + 1), stirling)).mean()


@reference(
    "the negative binomial likelihood",
    r"negative binomial|neg ?bin|\bnb ?(nll|loss)",
    {
        "mu": r"(log_?)?(mu|mean|rate|m)|pred\w*",
        "theta": r"(log_?)?(theta|disp\w*|r|alpha|total_count|inv\w*|k)",
        "y": TARGET + "|counts?",
    },
    lambda seed: {"mu": share(seed, 6) * 3, "theta": share(seed + 1, 6) * 2, "y": whole(seed, 4, 6).double()},
    lambda seed: {"mu": share(seed, 5, 3) * 3, "theta": share(seed + 1, 3) * 2, "y": whole(seed, 4, 5, 3).double()},
    trained=("mu", "theta"),
    unless=r"zero ?infl|zinb|sampl",
)
def negative_binomial(g: Given, pick: Pick) -> Any:
    t = g.theta.exp() if g.called("theta", "log") else pick(g.theta, 1 / g.theta, g.theta.exp())
    mu, y = g.mu.exp() if g.called("mu", "log") else g.mu, g.y
    each = torch.lgamma(y + t) - torch.lgamma(t) - pick(1, 0) * torch.lgamma(y + 1)
    return -(each + t * (t / (t + mu)).log() + y * (mu / (t + mu)).log()).mean()


def posterior(seed: int) -> dict[str, Any]:
    return {"mu": real(seed, 4, 3), "spread": real(seed + 1, 4, 3)}


@reference(
    "the KL divergence of a Gaussian from the standard normal",
    r"(\bkl\w*|kld)\b.*(gauss|normal|vae|divergence|loss|standard|prior|posterior|latent)|"
    r"(gauss\w*|vae|latent|normal) ?kl",
    {
        "mu": r"mu|mean|z_?mean|mus|m|loc|q_?mu",
        "spread": r"log_?var\w*|logv|z_?log_?var|log_?(sigma|std)\w*|lv|logsigma2?",
    },
    posterior,
    unless=r"free|capacity|anneal|mask|distill|categorical|two gauss|teacher|sequence",
)
def gaussian_kl(g: Given, pick: Pick) -> Any:
    s = g.spread if not g.called("spread", r"std|sigma$|scale") else pick(2 * g.spread, g.spread)
    return (g.mu.square() + s.exp() - s).mean()


@reference(
    "the KL divergence of two Gaussians",
    r"\bkl\w*|kld|gaussian",
    {
        "m1": r"(mu|mean|m)_?(1|q|post\w*)|(q|post\w*)_?(mu|mean)|mu",
        "s1": r"(log_?)?(var|std|sigma)\w*_?(1|q|post\w*)|(q|post\w*)_?(log_?)?(var|std|sigma)\w*|log_?var",
        "m2": r"(mu|mean|m)_?(2|p|prior)|(p|prior)_?(mu|mean)",
        "s2": r"(log_?)?(var|std|sigma)\w*_?(2|p|prior)|(p|prior)_?(log_?)?(var|std|sigma)\w*",
    },
    lambda seed: {
        "m1": real(seed, 4, 3),
        "s1": share(seed + 1, 4, 3),
        "m2": real(seed + 2, 4, 3),
        "s2": share(seed + 3, 4, 3),
    },
)
def two_gaussians(g: Given, pick: Pick) -> Any:
    if not all(g.called(role, r"[2p]") for role in ("m2", "s2")):  # arguments of another loss, taken by their place
        return g.m1.sum() * torch.nan
    factor = 2 if g.called("s1", "std|sigma$") else 1
    plain = g.called("s1", "std|var|sigma|scale") and not g.called("s1", "log")
    s1, s2 = (factor * (s.log() if plain else s) for s in (g.s1, g.s2))
    return (s2 - s1 + ((s1 - s2).exp()) + (g.m1 - g.m2).square() / s2.exp()).mean()


def autoencoded(seed: int) -> dict[str, Any]:
    return {"out": share(seed, 4, 5), "x": share(seed + 3, 4, 5), **posterior(seed)}


def positively(seed: int) -> dict[str, Any]:
    """With a spread that may be a variance."""
    return {**autoencoded(seed), "spread": share(seed + 1, 4, 3)}


@reference(
    "the loss of a variational autoencoder",
    r"\bvae\b|\belbo\b|variational auto",
    {
        "out": r"(x_?)?recon\w*|x_?hat|out\w*|logits|pred\w*|\w*_x|x_rec|recon_logits|decoded",
        "x": r"x|target\w*|inputs?|data|image\w*|orig\w*|y|im\w*|batch",
        "mu": r"mu|z?_?mean|m",
        "spread": r"(z_?)?(log_?|raw_?)?(var|std|sigma|scale)\w*|logv|lv",
    },
    autoencoded,
    positively,
    lambda seed: {**autoencoded(seed), "out": share(seed, 4, 1, 2, 3), "x": share(seed + 3, 4, 1, 2, 3)},
    trained=("out", "mu", "spread"),
    options=[Option("beta", r"beta|kl_?w\w*|kld_w\w*|lambd\w*", 0.7, ())],
    unless=r"vq|vgae|graph|sequence|capacity|free|bayes\w* (by|elbo|neural|nn)|\bbnn\b",
    free=True,
)
def vae(g: Given, pick: Pick) -> Any:
    x = g.x
    recon = pick(
        *(f(g.out, x) for f in (F.mse_loss, F.binary_cross_entropy_with_logits, F.binary_cross_entropy, F.l1_loss))
    )
    if g.called("spread", "^(raw|var|std|sigma|scale)"):
        v = variance_of(g, pick)
        return recon, (g.mu.square() + v - v.log()).mean()
    s = g.spread * (2 if g.called("spread", r"std|sigma|scale") else 1)
    return recon, (g.mu.square() + s.exp() - s).mean()


@reference(
    "the likelihood of a mixture of Gaussians",
    r"\bmdn\b|mixture (density|of gauss\w*|nll|likelihood)|gaussian mixture",
    {
        "pi": r"(log_?)?pi\w*|(log_?)?weights?|(mix\w*_?)?logits?|alphas?|log_?alpha|coef\w*",
        "mu": r"mus?|means?|loc",
        "spread": SPREAD,
        "y": TARGET,
    },
    lambda seed: {
        "pi": share(seed, 5, 3).softmax(1),
        "mu": real(seed + 1, 5, 3),
        "spread": share(seed + 2, 5, 3),
        "y": real(seed + 3, 5),
    },
    lambda seed: {
        "pi": share(seed, 5, 3).softmax(1),
        "mu": real(seed + 1, 5, 3),
        "spread": share(seed + 2, 5, 3),
        "y": real(seed + 3, 5, 1),
    },
    lambda seed: {
        "pi": share(seed, 5, 3).softmax(1),
        "mu": real(seed + 1, 5, 3, 2),
        "spread": share(seed + 2, 5, 3, 2),
        "y": real(seed + 3, 5, 2),
    },
    lambda seed: {
        "pi": share(seed, 5, 3).softmax(1),
        "mu": real(seed + 1, 5, 3, 2),
        "spread": share(seed + 2, 5, 3),
        "y": real(seed + 3, 5, 2),
    },
    trained=("pi", "mu", "spread"),
)
def mixture(g: Given, pick: Pick) -> Any:
    logs = {"logits": g.pi.log_softmax(1), "logs": g.pi, "shares": g.pi.log()}
    kind = "logits" if g.called("pi", "logit") else "logs" if g.called("pi", "^log_") else pick("shares", "logits")
    s = variance_of(g, pick)
    deep = g.mu.dim() == 3
    s = s.unsqueeze(2).expand_as(g.mu) if deep and s.dim() == 2 else s
    y = g.y.unsqueeze(1) if deep or g.y.dim() == 1 else g.y
    each = -0.5 * ((y - g.mu).square() / s + s.log() + math.log(2 * math.pi))
    each = each.sum(2) if deep else each
    return -(logs[kind] + each).logsumexp(1).mean()


@reference(
    "the pinball loss",
    r"pinball|quantile|tilted|check loss",
    {"x": r"preds?\w*|y_?pred|y_?hat|input|out\w*|forecast\w*|q_?hat|prediction\w*|x", "y": TARGET, "m": MASK},
    lambda seed: {"x": real(seed, 6), "y": real(seed + 1, 6)},
    lambda seed: {"x": real(seed, 3, 4), "y": real(seed + 1, 3, 4), "m": zeros_and_ones(seed, 3, 4)},
    lambda seed: {"x": real(seed, 3, 4), "y": real(seed + 1, 3, 4), "m": zeros_and_ones(seed, 3, 4).bool()},
    optional=("m",),
    trained=("x",),
    options=[Option("q", r"q|quantiles?|tau|alpha|level", 0.8, (0.5, 0.9, 0.1), True)],
    unless=r"huber|several|multi|quantiles\b|expectile|smooth",
)
def pinball(g: Given, pick: Pick) -> Any:
    error = g.y - g.x
    return reduced(g, pick, torch.maximum(g.q * error, (g.q - 1) * error), g.m.double() if g.has("m") else None)


@reference(
    "the expectile loss",
    r"expectile",
    {"x": r"preds?\w*|y_?pred|y_?hat|input|out\w*|x|v\w*|prediction\w*", "y": TARGET + r"|q\w*"},
    lambda seed: {"x": real(seed, 6), "y": real(seed + 1, 6)},
    options=[Option("q", r"q|expectile|tau|alpha|level", 0.8, (0.5, 0.9, 0.7), True)],
)
def expectile(g: Given, pick: Pick) -> Any:
    error = pick.maybe_detached(g.y) - g.x
    return ((g.q - (error < 0).double()).abs() * error.square()).mean()


QUANTILES = (0.1, 0.5, 0.9)


@reference(
    "the quantile loss",
    r"pinball|quantile",
    {"x": r"preds?\w*|y_?pred|y_?hat|input|out\w*|forecast\w*|prediction\w*|x", "y": TARGET, "m": MASK},
    lambda seed: {"x": real(seed, 5, 3), "y": real(seed + 1, 5)},
    lambda seed: {"x": real(seed, 5, 3), "y": real(seed + 1, 5, 1)},
    lambda seed: {"x": real(seed, 2, 4, 3), "y": real(seed + 1, 2, 4), "m": zeros_and_ones(seed, 2, 4)},
    lambda seed: {"x": real(seed, 2, 4, 3), "y": real(seed + 1, 2, 4), "m": zeros_and_ones(seed, 2, 4).bool()},
    lambda seed: {"x": real(seed, 2, 4, 3), "y": real(seed + 1, 2, 4, 1), "m": zeros_and_ones(seed, 2, 4, 1)},
    lambda seed: {"x": real(seed, 2, 3, 4), "y": real(seed + 1, 2, 4), "m": zeros_and_ones(seed, 2, 4)},
    optional=("m",),
    lists=r"q\w*|taus?|levels?",
    trained=("x",),
    unless=r"huber|expectile|smooth|qr ?dqn|distributional|tft",
)
def quantiles(g: Given, pick: Pick) -> Any:
    q = torch.tensor(g.listed or QUANTILES, dtype=torch.float64)
    x = g.x.mT if g.x.dim() == 3 and g.x.shape[1] == len(q) else g.x  # quantiles before the steps
    error = g.y.reshape(*x.shape[:-1], 1) - x
    each = torch.maximum(q * error, (q - 1) * error).mean(-1)
    return reduced(g, pick, each, g.m.double().reshape(each.shape) if g.has("m") else None)


def survival(seed: int, *size: int) -> dict[str, Any]:
    times = torch.randperm(6, generator=torch.Generator().manual_seed(seed)).double() + 1
    return {"risk": real(seed, *size), "time": times, "event": zeros_and_ones(seed, 6)}


@reference(
    "the Cox partial likelihood",
    r"\bcox|partial (log )?likelihood|coxph|deep ?surv",
    {
        "risk": r"(log_?)?(risk|h|hazard|hr)\w*|theta|pred\w*|scores?|eta|out\w*|input|y_pred|x",
        "time": r"time\w*|duration\w*|t|y_?time|surv\w*_?time\w*|survtime|ttime|y",
        "event": r"events?\w*|e|censor\w*|status|delta|observed|y_?event|d|is_event",
    },
    lambda seed: survival(seed, 6),
    lambda seed: survival(seed, 6, 1),
    lambda seed: {**survival(seed, 6), "event": zeros_and_ones(seed, 6).long()},
    trained=("risk",),
    unless=r"discrete|efron|stratif|time ?vary",
)
def cox(g: Given, pick: Pick) -> Any:
    order = g.time.argsort(descending=True)
    risk, event = g.risk.reshape(-1)[order], g.event[order]
    event = 1 - event if g.called("event", "^c(ensor\\w*)?$") and pick(True, False) else event
    each = (risk.logcumsumexp(0) - risk) * event
    return each.sum() / pick(event.sum(), 1)


@reference(
    "the likelihood of a discrete-time survival model",
    r"discrete ?(time )?(hazard|surv\w*)|(hazard|logistic ?hazard|nnet ?surv)",
    {
        "x": r"logits?|hazards?|phi|pred\w*|out\w*|h|x",
        "time": r"interval\w*|time\w*|idx_\w+|bins?|t|durations?|y|label\w*",
        "event": r"events?\w*|e|c|censor\w*|status|delta|observed",
    },
    lambda seed: {"x": share(seed, 6, 4), "time": whole(seed, 4, 6), "event": zeros_and_ones(seed, 6)},
    lambda seed: {
        "x": share(seed, 6, 4),
        "time": whole(seed, 4, 6).unsqueeze(1),
        "event": zeros_and_ones(seed, 6).unsqueeze(1),
    },
    trained=("x",),
    unless=r"cox|competing",
)
def discrete_hazard(g: Given, pick: Pick) -> Any:
    logits = g.x if g.called("x", "logit|phi") else pick(g.x, g.x.logit())
    time, event = g.time.reshape(-1), g.event.reshape(-1)
    event = 1 - event if g.called("event", "^c") else event
    steps = torch.arange(logits.shape[1])
    died = (steps == time[:, None]).double() * event[:, None]
    last = pick(True, False)  # whether a censored subject survives its last interval
    at_risk = (steps <= time[:, None]).double() if last else (steps < time[:, None]).double() + died
    return (F.binary_cross_entropy_with_logits(logits, died, reduction="none") * at_risk).sum(1).mean()
