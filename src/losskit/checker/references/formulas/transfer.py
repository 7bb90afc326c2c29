"""Distillation beyond one vector of logits: decoupled, relational, of features, pixels and tokens."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from losskit.checker.references.formulas.divergences import DISTILLS, HEAT, STUDENT, TEACHER
from losskit.checker.references.reference import Given, Option, Pick, real, reference, whole, zeros_and_ones

LOGITS = {
    "s": STUDENT + r"|\w*student\w*",
    "t": TEACHER + r"|\w*teacher\w*",
    "y": r"labels?|target\w*|y|gt|hard\w*|ground\w*",
}
FEATURES = {
    "s": r"(f_?|feat\w*_?)?s(tu)?\w*|\w+_s|\w*student\w*|g_s|x",
    "t": r"(f_?|feat\w*_?)?t(ea)?\w*|\w+_t|\w*teacher\w*|g_t|y",
}


@reference(
    "the decoupled distillation loss",
    r"\bdkd\b|decoupled",
    LOGITS,
    lambda s: {"s": 2 * real(s, 4, 3), "t": 2 * real(s + 1, 4, 3), "y": whole(s, 3, 4)},
    options=[
        HEAT,
        Option("alpha", "alpha|a", 1.2, (1.0,)),
        Option("beta", "beta|b", 2.3, (8.0, 2.0)),
    ],
    trained=("s",),
    unless=r"contrastive|policy|weight decay|gaussian",
    free=True,
)
def decoupled(g: Given, pick: Pick) -> Any:
    own = F.one_hot(g.y, 3).bool()
    p, q = (g.t / g.T).softmax(1), (g.s / g.T).softmax(1)
    pt, qt = p[own], q[own]
    of_target = (pt * (pt / qt).log() + (1 - pt) * ((1 - pt) / (1 - qt)).log()).mean()
    rest_p, rest_q = ((x / g.T).masked_fill(own, -1000.0).log_softmax(1) for x in (g.t, g.s))
    of_rest = (rest_p.exp() * (rest_p - rest_q)).masked_fill(own, 0.0).sum(1).mean()
    if g.bound("alpha") and g.bound("beta"):
        return g.alpha * of_target + g.beta * of_rest
    return of_target, of_rest


def _distances(x: Tensor, of_others: bool) -> Tensor:
    """Distances of all pairs, divided by their mean, with or without those of a sample from itself."""
    n = len(x)
    d = ((x[:, None] - x[None]).square().sum(2) + 1e-30).sqrt().masked_fill(torch.eye(n, dtype=torch.bool), 0.0)
    return d / (d.sum() / (n * (n - 1) if of_others else n * n))


@reference(
    "the relational distillation loss",
    r"\brkd\b|relational",
    FEATURES,
    lambda s: {"s": real(s, 4, 3), "t": 1.5 * real(s + 1, 4, 3)},
    trained=("s",),
    unless=r"graph|logit",
    free=True,
)
def relational(g: Given, pick: Pick) -> Any:
    kind = pick("both", "distance", "angle")
    error = pick(F.smooth_l1_loss, F.mse_loss)
    terms = []
    if kind != "angle":
        of_others = pick(True, False)
        terms.append(error(_distances(g.s, of_others), _distances(g.t.detach(), of_others)))
    if kind != "distance":
        gaps = [F.normalize(x[None] - x[:, None], dim=2) for x in (g.s, g.t.detach())]
        angles = [x @ x.transpose(1, 2) for x in gaps]
        terms.append(error(angles[0], angles[1]))
    return tuple(terms)


@reference(
    "the error of imitated features",
    r"\bhints?\b|fit ?nets?|feature (distill|mimic|imitation|kd)|\bmimic",
    FEATURES,
    lambda s: {"s": real(s, 2, 3, 2, 2), "t": real(s + 1, 2, 3, 2, 2)},
    lambda s: {"s": real(s, 4, 3), "t": real(s + 1, 4, 3)},
    trained=("s",),
    unless=r"mask|attention|weighted|relation",
    free=True,
)
def imitated(g: Given, pick: Pick) -> Any:
    s, t = g.s, g.t.detach()
    if pick(False, True):
        s, t = F.normalize(s, dim=1), F.normalize(t, dim=1)
    kind = pick("square", "abs", "cosine", "huber")
    if kind == "cosine":
        return -F.cosine_similarity(s, t, dim=1).mean()
    if kind == "huber":
        return F.smooth_l1_loss(s, t)
    return (s - t).square().mean() if kind == "square" else (s - t).abs().mean()


def _correlation(a: Tensor, b: Tensor) -> Tensor:
    a, b = a - a.mean(1, keepdim=True), b - b.mean(1, keepdim=True)
    return F.cosine_similarity(a, b, dim=1).mean()


@reference(
    "the DIST loss",
    r"\bdist (loss|kd)|kd dist\b|stronger teacher",
    {"s": LOGITS["s"], "t": LOGITS["t"]},
    lambda s: {"s": 2 * real(s, 4, 3), "t": 2 * real(s + 1, 4, 3)},
    options=[
        Option("beta", "beta|b", 1.3, (1.0, 2.0)),
        Option("gamma", "gamma|g", 0.6, (1.0, 2.0)),
        Option("T", HEAT.names, 2.5, (1.0, 4.0)),
    ],
    trained=("s",),
    free=True,
)
def correlated(g: Given, pick: Pick) -> Any:
    p, q = (g.s / g.T).softmax(1), (g.t / g.T).softmax(1).detach()
    return -g.beta * _correlation(p, q) - g.gamma * _correlation(p.T, q.T)


DENSE = r"pixel|segm\w*|dense|token|seq\w*|\blm\b|language|lwf|map"


@reference(
    "the distillation loss of pixels or tokens",
    DISTILLS,
    {"s": LOGITS["s"], "t": LOGITS["t"]},
    lambda s: {"s": 2 * real(s, 2, 3, 2, 2), "t": 2 * real(s + 1, 2, 3, 2, 2)},
    lambda s: {"s": 2 * real(s, 2, 4, 3), "t": 2 * real(s + 1, 2, 4, 3)},
    options=[HEAT],
    trained=("s",),
    unless=r"decoupled|\bdkd|attention|relation|feature|\bhints?\b|cosine|\bdist\b|norm|self|rkd|similar|contrast|channel",
    free=True,
)
def dense_distillation(g: Given, pick: Pick) -> Any:
    axis = 1 if g.s.dim() == 4 else -1
    return _kl(g, axis, pick).mean()


def _kl(g: Given, axis: int, pick: Pick) -> Tensor:
    p, q = (g.t / g.T).log_softmax(axis), (g.s / g.T).log_softmax(axis)
    if g.text.says("reverse|student to teacher") and pick(False, True):
        p, q = q, p
    divergence: Tensor = (p.exp() * (p * pick(1, 0) - q)).sum(axis)  # or the cross entropy
    return divergence


@reference(
    "the distillation loss of tokens under a mask",
    DISTILLS,
    {"s": LOGITS["s"], "t": LOGITS["t"], "m": r"\w*mask\w*|valid\w*|weights?"},
    lambda s: {"s": 2 * real(s, 2, 4, 3), "t": 2 * real(s + 1, 2, 4, 3), "m": zeros_and_ones(s + 2, 2, 4)},
    lambda s: {"s": 2 * real(s, 2, 3, 2, 2), "t": 2 * real(s + 1, 2, 3, 2, 2), "m": zeros_and_ones(s + 2, 2, 2, 2)},
    options=[HEAT],
    trained=("s",),
    unless=r"decoupled|\bdkd|attention|relation|feature|\bhints?\b|cosine|\bdist\b|norm|self|rkd|similar|contrast|channel",
    free=True,
)
def masked_distillation(g: Given, pick: Pick) -> Any:
    if not g.called("m", "mask|valid|weight|^m$"):
        return g.s.sum() * torch.nan
    each = _kl(g, 1 if g.s.dim() == 4 else -1, pick)
    kept = pick(g.m, 1 - g.m) if g.called("m", "pad") else g.m
    if g.s.dim() == 3 and ":-1" in g.text.code:  # a position counts if its successor does
        each, kept = each[:, :-1], pick(kept[:, 1:], kept[:, :-1])
    return (each * kept).sum() / kept.sum()


@reference(
    "the distillation loss of pixels and labels",
    DISTILLS,
    LOGITS,
    lambda s: {"s": 2 * real(s, 2, 3, 2, 2), "t": 2 * real(s + 1, 2, 3, 2, 2), "y": whole(s, 3, 2, 2, 2)},
    options=[HEAT, Option("alpha", r"alpha|a|lambd\w*|weight|w", 0.7, ())],
    trained=("s",),
    unless=r"decoupled|\bdkd|attention|relation|feature|\bhints?\b|reverse|self|channel",
    free=True,
)
def dense_distillation_and_labels(g: Given, pick: Pick) -> Any:
    return _kl(g, 1, pick).mean(), F.cross_entropy(g.s, g.y)


@reference(
    "the channel-wise distillation loss",
    r"channel.?wise (kd|distill|know)|\bcwd\b",
    FEATURES,
    lambda s: {"s": 2 * real(s, 2, 3, 2, 2), "t": 2 * real(s + 1, 2, 3, 2, 2)},
    options=[HEAT],
    trained=("s",),
    free=True,
)
def channels(g: Given, pick: Pick) -> Any:
    p, q = ((x.flatten(2) / g.T).log_softmax(2) for x in (g.t, g.s))
    return (p.exp() * (p - q)).sum(2).mean()


def layers(seed: int) -> dict[str, Any]:
    """Feature maps of two layers of each model."""
    sizes = ((2, 3, 2, 2), (2, 4, 3, 3))
    return {name: [real(seed + 3 * n + i, *size) for i, size in enumerate(sizes)] for n, name in enumerate("st")}


@reference(
    "attention transfer of several layers",
    r"attention transfer|\bat loss|attention (kd|distill)",
    FEATURES,
    layers,
    options=[Option("p", "p|power", 2, (2.0,))],
    trained=("s",),
)
def attention_of_layers(g: Given, pick: Pick) -> Any:
    total, kind = torch.zeros((), dtype=torch.float64), pick("mean", "norm", "sum")
    for s, t in zip(g.s, g.t, strict=True):
        maps = [F.normalize(x.abs().pow(g.p).mean(1).flatten(1), dim=1) for x in (s, t.detach())]
        square = (maps[0] - maps[1]).square()
        each = {"mean": square.mean(), "norm": square.sum(1).sqrt().mean(), "sum": square.sum(1).mean()}
        total = total + each[kind]
    return total


@reference(
    "the error of imitated features of several layers",
    r"\bhints?\b|fit ?nets?|feature (distill|mimic|imitation|kd|match)|\bmimic|perceptual|feature (loss|recon)",
    FEATURES,
    layers,
    trained=("s",),
    unless=r"mask|attention|weighted|relation|gram|style|fake|lpips",
    free=True,
)
def imitated_layers(g: Given, pick: Pick) -> Any:
    kind = pick("square", "abs")
    total = torch.zeros((), dtype=torch.float64)
    for s, t in zip(g.s, g.t, strict=True):
        gap = s - t.detach()
        total = total + (gap.square() if kind == "square" else gap.abs()).mean()
    return total
