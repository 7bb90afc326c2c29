"""Counts and times: zero-inflated likelihoods, mixtures of logistics, survival by intervals."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from losskit.checker.references.formulas.densities import MEAN, TARGET
from losskit.checker.references.reference import Given, Option, Pick, real, reference, share, whole, zeros_and_ones

COUNTS = TARGET + r"|counts?"
GATE = r"pi\w*|gate\w*|dropout\w*|zi_?\w*|zero_?\w*|\w*(gate|pi)_?logits?|\w*_pi|p_?(zero|0)|inflat\w*"


def zeros_among(seed: int, *size: int) -> Tensor:
    """Counts, of which about half are zero."""
    return (whole(seed, 4, *size) * zeros_and_ones(seed + 7, *size).long()).double()


def inflation(g: Given, pick: Pick) -> tuple[Tensor, Tensor]:
    """The logarithms of the share of further zeros, and of the rest."""
    if g.called("gate", "logit") or pick(False, True):
        return F.logsigmoid(g.gate), F.logsigmoid(-g.gate)
    return g.gate.log(), (1 - g.gate).log()


def inflated(g: Given, pick: Pick, at_zero: Tensor, logs: Tensor) -> Tensor:
    """The likelihood of counts with further zeros; `at_zero`: the logarithm of the share of zeros without them."""
    extra, rest = inflation(g, pick)
    both = torch.logaddexp(extra, rest + at_zero)
    return -torch.where(g.y == 0, both, rest + logs).mean()


@reference(
    "the zero-inflated Poisson likelihood",
    r"zero ?infl\w* poisson|\bzip\b (nll|loss|likelihood)|\bzip loss",
    {"rate": r"(log_?)?(rate|lam\w*|mu|mean)\w*|pred\w*|m", "gate": GATE, "y": COUNTS},
    lambda s: {"rate": share(s, 8), "gate": share(s + 1, 8), "y": zeros_among(s, 8)},
    lambda s: {"rate": share(s, 4, 3), "gate": share(s + 1, 4, 3), "y": zeros_among(s, 4, 3)},
    trained=("rate", "gate"),
    unless=r"binomial|lognormal|log normal",
)
def zero_inflated_poisson(g: Given, pick: Pick) -> Any:
    rate = g.rate.exp() if g.called("rate", "log") or pick(False, True) else g.rate
    return inflated(g, pick, -rate, g.y * rate.log() - rate - pick(1, 0) * torch.lgamma(g.y + 1))


@reference(
    "the zero-inflated negative binomial likelihood",
    r"zero ?infl\w* (negative binomial|nb)|\bzinb\b",
    {
        "mu": r"(log_?)?(mu|mean|rate|m)|pred\w*|px_?rate|log_mean",
        "theta": r"(log_?)?(theta|disp\w*|r|total_count|inv\w*|k)|px_?r",
        "gate": GATE,
        "y": COUNTS,
    },
    lambda s: {
        "mu": 2 * share(s, 8, 2),
        "theta": 2 * share(s + 1, 8, 2),
        "gate": share(s + 2, 8, 2),
        "y": zeros_among(s, 8, 2),
    },
    lambda s: {
        "mu": 2 * share(s, 8, 2),
        "theta": 2 * share(s + 1, 2),
        "gate": share(s + 2, 8, 2),
        "y": zeros_among(s, 8, 2),
    },
    trained=("mu", "theta", "gate"),
    options=[Option("ridge", r"ridge\w*", 0.0, (0.0,))],
)
def zero_inflated_binomial(g: Given, pick: Pick) -> Any:
    mu = g.mu.exp() if g.called("mu", "log") else g.mu
    t = g.theta.exp() if g.called("theta", "log") else pick(g.theta, g.theta.exp())
    zero = t * (t / (t + mu)).log()
    logs = (
        torch.lgamma(g.y + t)
        - torch.lgamma(t)
        - pick(1, 0) * torch.lgamma(g.y + 1)
        + zero
        + g.y * (mu / (t + mu)).log()
    )
    return inflated(g, pick, zero, logs)


@reference(
    "the likelihood of a mixture of logistics",
    r"mix\w* (of )?logistic|logistic mixture|\bmol\b|\bdmol\b|\bdmll\b",
    {
        "pi": r"logits?\w*|(log_?)?pi\w*|\w*_?weights?|\w*_pi|mix\w*|logit_probs?",
        "mu": r"mus?|means?|locs?",
        "s": r"log_?(s|scales?|sigmas?)|log_s\w*",
        "y": TARGET,
    },
    lambda s: {
        "pi": share(s, 4, 3),
        "mu": real(s + 1, 4, 3) / 2,
        "s": share(s + 2, 4, 3) - 1,
        "y": (2 * share(s + 3, 4) - 1) * 0.9,
    },
    lambda s: {
        "pi": share(s, 2, 4, 3),
        "mu": real(s + 1, 2, 4, 3) / 2,
        "s": share(s + 2, 2, 4, 3) - 1,
        "y": (2 * share(s + 3, 2, 4) - 1) * 0.9,
    },
    trained=("pi", "mu", "s"),
    options=[Option("bins", r"(num_?)?(bins|classes|levels)", 16, (256, 65536))],
)
def logistics(g: Given, pick: Pick) -> Any:
    gap, narrow = g.y.unsqueeze(-1) - g.mu, (-g.s).exp()
    if pick(True, False):
        half = 1 / (g.bins - 1)
        logs = (((gap + half) * narrow).sigmoid() - ((gap - half) * narrow).sigmoid()).log()
    else:
        logs = -gap * narrow - g.s - 2 * F.softplus(-gap * narrow)
    return -(g.pi.log_softmax(-1) + logs).logsumexp(-1).mean()


def subjects(seed: int) -> dict[str, Any]:
    return {
        "x": real(seed, 6, 4),
        "time": whole(seed, 3, 6),
        "event": zeros_and_ones(seed, 6),
    }


@reference(
    "the DeepHit loss",
    r"deep ?hit|\bpmf\b (nll|loss)|nll pmf",
    {
        "x": r"logits?|phi|pmf|pred\w*|out\w*|probs?|x",
        "time": r"interval\w*|time\w*|idx_\w+|bins?|t|durations?|y",
        "event": r"events?\w*|e|c|censor\w*|status|delta|observed",
    },
    subjects,
    lambda s: {**subjects(s), "event": subjects(s)["event"].long()},
    trained=("x",),
    options=[
        Option("alpha", r"alpha|a|rank_?weight|beta", 0.6, ()),
        Option("sigma", r"sigma\w*|s", 0.7, (0.1,), True),
    ],
    unless=r"competing|risks",
)
def deep_hit(g: Given, pick: Pick) -> Any:
    logits = g.x if pick(True, False) else F.pad(g.x, (0, 1))  # or with an interval after the last
    p = logits.softmax(1)
    reached = p.cumsum(1)
    at = g.time[:, None]
    event = g.event.double()
    event = 1 - event if g.called("event", "^c") else event
    died, later = p.gather(1, at).squeeze(1), 1 - reached.gather(1, at).squeeze(1)
    fit = -(event * died.log() + (1 - event) * later.log()).mean()
    risk = reached[:, g.time]  # (subjects, the times of others)
    gap = risk.diagonal()[:, None] - risk.T
    longer = (g.time[:, None] < g.time[None]) | (
        (g.time[:, None] == g.time[None]) & (event[None] == 0) & pick(False, True)
    )
    pairs = longer.double() * event[:, None]
    rank = (pairs * (-gap / g.sigma).exp()).mean()
    return pick((fit,), (fit, rank))


@reference(
    "the Weibull likelihood",
    r"weibull",
    {
        "lam": r"log_?(lam\w*|scale|b|eta|alpha|beta)",
        "k": r"log_?(k|shape|rho|a|conc\w*)",
        "t": r"t|time\w*|duration\w*|y",
        "event": r"e|event\w*|observed|status|d|delta|u",
    },
    lambda s: {
        "lam": 0.5 * real(s, 6),
        "k": 0.5 * real(s + 1, 6),
        "t": 0.3 + share(s + 2, 6),
        "event": zeros_and_ones(s, 6),
    },
    trained=("lam", "k"),
    optional=("event",),
    unless=r"discrete|mixture",
)
def weibull_of_logs(g: Given, pick: Pick) -> Any:
    if not (g.called("lam", "log") and g.called("k", "log")) and g.names["lam"] != "lam":
        return g.lam.sum() * torch.nan
    k, ratio = g.k.exp(), g.t.log() - g.lam
    event = g.event if g.has("event") else 1.0
    return -(event * (g.k - g.lam + (k - 1) * ratio) - (k * ratio).exp()).mean()


@reference(
    "the likelihood of a bivariate Gaussian",
    r"bivariate",
    {"x": r"preds?|params?|out\w*|x|v_?pred|y_?pred|pred\w*", "y": TARGET},
    lambda s: {"x": 0.5 * real(s, 3, 4, 5), "y": real(s + 1, 3, 4, 2)},
    lambda s: {"x": 0.5 * real(s, 4, 5), "y": real(s + 1, 4, 2)},
    trained=("x",),
    unless=r"mixture",
)
def bivariate(g: Given, pick: Pick) -> Any:
    mx, my, sx, sy, r = g.x.unbind(-1)
    r = pick(r.tanh(), r.tanh() * 0.999)
    dx, dy = (g.y[..., 0] - mx) * (-sx).exp(), (g.y[..., 1] - my) * (-sy).exp()
    rest = 1 - r.square()
    return ((dx**2 + dy**2 - 2 * r * dx * dy) / (2 * rest) + sx + sy + 0.5 * rest.log()).mean()


@reference(
    "the evidential regression loss of packed outputs",
    r"nig\b|evidential regression|normal inverse gamma",
    {"x": r"params?|out\w*|pred\w*|x|evidential\w*|y_pred|logits|raw\w*", "y": TARGET},
    lambda s: {"x": real(s, 6, 4), "y": real(s + 1, 6)},
    lambda s: {"x": real(s, 6, 4), "y": real(s + 1, 6, 1)},
    trained=("x",),
    options=[Option("coeff", r"lam\w*|coeff?|reg\w*|weight|lmbda", 0.2, ())],
)
def packed_evidence(g: Given, pick: Pick) -> Any:
    gamma, v, alpha, beta = g.x.unbind(-1)
    if pick(True, False):
        v, alpha, beta = F.softplus(v), F.softplus(alpha) + 1, F.softplus(beta)
    else:
        v, alpha, beta = v.abs() + 0.1, alpha.abs() + 1.1, beta.abs() + 0.1
    y = g.y.reshape(gamma.shape)
    omega = 2 * beta * (1 + v)
    fit = 0.5 * (math.pi / v).log() - alpha * omega.log() + (alpha + 0.5) * (v * (y - gamma).square() + omega).log()
    fit = (fit + torch.lgamma(alpha) - torch.lgamma(alpha + 0.5)).mean()
    penalty = ((y - gamma).abs() * pick(2 * v + alpha, 2 * alpha + v)).mean()
    return pick((fit,), (fit, penalty))


@reference(
    "the zero-inflated lognormal likelihood",
    r"\bziln\b|zero ?infl\w* log ?normal",
    {"x": r"out\w*|logits?|pred\w*|x|params?", "y": TARGET},
    lambda s: {"x": real(s, 6, 3), "y": zeros_among(s, 6) * 1.5},
    trained=("x",),
)
def zero_inflated_lognormal(g: Given, pick: Pick) -> Any:
    logit, mean, s = g.x.unbind(1)
    bought = (g.y > 0).double()
    scale = F.softplus(s)
    logs = (g.y + 1 - bought).log()
    each = scale.log() + 0.5 * ((logs - mean) / scale).square() + pick(1, 0) * logs
    each = each + pick(0.5 * math.log(2 * math.pi), 0)
    bce = F.binary_cross_entropy_with_logits(logit, bought)
    return bce + (each * bought).sum() / pick(len(bought), bought.sum())


GAUSSIAN_POLICY = r"behaviou?r(al)? clon\w*|\bbc\b (loss|nll)|gaussian policy"


@reference(
    "the likelihood of actions under a Gaussian policy",
    GAUSSIAN_POLICY,
    {
        "mean": MEAN + r"|\w*mean|action_?mean",
        "s": r"log_?std\w*|log_?sigma|std\w*|sigma",
        "y": TARGET + r"|a|actions?|expert\w*",
    },
    lambda s: {"mean": real(s, 5, 3), "s": share(s + 1, 3), "y": real(s + 2, 5, 3)},
    lambda s: {"mean": real(s, 5, 3), "s": share(s + 1, 5, 3), "y": real(s + 2, 5, 3)},
    trained=("mean", "s"),
)
def cloned(g: Given, pick: Pick) -> Any:
    s = g.s if g.called("s", "log") else pick(g.s.log(), g.s)
    return (s + 0.5 * ((g.y - g.mean) * (-s).exp()).square()).sum(1).mean()
