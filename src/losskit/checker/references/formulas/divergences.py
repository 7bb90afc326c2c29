"""Divergences of distributions: distillation, consistency, and distances of histograms."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from losskit.checker.references.reference import Given, Option, Pick, real, reference, share, whole

STUDENT = r"(y_?)?s|student\w*|out\w*|s_\w+|y_s|\w+_s|logits_?s\w*|pred\w*|logits|input\w*"
TEACHER = r"(y_?)?t|teacher\w*|t_\w+|y_t|\w+_t|logits_?t\w*|target\w*|soft_targets?"
PAIR = {"s": STUDENT, "t": TEACHER}
HEAT = Option("T", r"t|temp(erature)?|tau|kd_t", 2.5, (1.0, 4.0, 2.0, 3.0, 20.0), True)


def outputs(seed: int) -> dict[str, Any]:
    return {"s": 2 * real(seed, 4, 3), "t": 2 * real(seed + 1, 4, 3)}


def divergence(p: Tensor, q: Tensor) -> Tensor:
    """Of q from p, whose logarithms are given."""
    return (p.exp() * (p - q)).sum(1).mean()


DISTILLS = r"distill|\bkd\b|knowledge"


@reference(
    "the distillation loss",
    DISTILLS + r"|soft ?target|temperature.*kl|kl.*temperature",
    PAIR,
    outputs,
    options=[HEAT],
    trained=("s",),
    unless=r"decoupled|\bdkd|attention|relation|feature|\bhints?\b|reverse|cosine|\bdist\b|norm|self|rkd|similarity|contrast|token|sequence",
)
def distillation(g: Given, pick: Pick) -> Any:
    return of_teacher(g, pick)


def of_teacher(g: Given, pick: Pick) -> Any:
    """The divergence from a teacher, or the cross entropy, which has the entropy of the teacher in addition."""
    p = (g.t / g.T).log_softmax(1)
    entropy = -(p.exp() * p).sum(1).mean() * pick(0, 1)
    return divergence(p, (g.s / g.T).log_softmax(1)) + entropy


@reference(
    "the distillation loss",
    DISTILLS,
    {**PAIR, "y": r"labels?|target\w*|y|gt|hard\w*|ground\w*"},
    lambda s: {**outputs(s), "y": whole(s, 3, 4)},
    options=[HEAT, Option("alpha", r"alpha|a|lambd\w*|weight|w", 0.7, ())],
    trained=("s",),
    unless=r"decoupled|\bdkd|attention|relation|feature|\bhints?\b|reverse|self|token|sequence",
)
def distillation_and_labels(g: Given, pick: Pick) -> Any:
    kd, ce = of_teacher(g, pick), F.cross_entropy(g.s, g.y)
    if g.bound("alpha") and g.bound("T"):
        a, scaled = pick(g.alpha, 1 - g.alpha), kd * g.T**2
        if g.text.says(r"t ?(\^|\*\*) ?2|t\*t|t²|squared?"):
            return pick(a * scaled + (1 - a) * ce, a * scaled + ce, scaled + a * ce)
    return kd, ce


@reference(
    "the Jensen-Shannon divergence",
    r"jensen|\bjsd?\b",
    {"p": r"p|x|logits_?1|input|a|p_?1|\w+_1|pred\w*|out\w*", "q": r"q|y|logits_?2|target|b|p_?2|\w+_2"},
    lambda s: {"p": share(s, 4, 3).softmax(1), "q": share(s + 1, 4, 3).softmax(1)},
    lambda s: {"p": real(s, 4, 3), "q": real(s + 1, 4, 3)},
    unless=r"augmix|three|consistency",
)
def jensen(g: Given, pick: Pick) -> Any:
    p, q = (g.p, g.q) if (g.p > 0).all() and pick(True, False) else (g.p.softmax(1), g.q.softmax(1))
    m = (p + q) / 2
    return ((p * (p / m).log()).sum(1) + (q * (q / m).log()).sum(1)).mean()


@reference(
    "the symmetric divergence",
    r"r ?drop|symmetric (kl|kullback)|mutual learning|bidirectional kl|jeffreys",
    {"p": r"p|x|logits_?1|input|a|p_?1|\w+_1|pred\w*", "q": r"q|y|logits_?2|target|b|p_?2|\w+_2"},
    lambda s: {"p": share(s, 4, 3).softmax(1), "q": share(s + 1, 4, 3).softmax(1)},
)
def symmetric(g: Given, pick: Pick) -> Any:
    p, q = pick((g.p.log(), g.q.log()), (g.p.log_softmax(1), g.q.log_softmax(1)))
    return divergence(p, q) + divergence(q, p)


@reference(
    "R-Drop",
    r"r ?drop",
    {"p": r"p|logits_?1|\w+_?1", "q": r"q|logits_?2|\w+_?2", "y": r"labels?|target\w*|y"},
    lambda s: {"p": real(s, 4, 3), "q": real(s + 1, 4, 3), "y": whole(s, 3, 4)},
)
def r_drop(g: Given, pick: Pick) -> Any:
    p, q = g.p.log_softmax(1), g.q.log_softmax(1)
    return F.nll_loss(p, g.y) + F.nll_loss(q, g.y), divergence(p, q) + divergence(q, p)


def _shares(seed: int) -> dict[str, Any]:
    return {"p": share(seed, 4, 3).softmax(1), "q": share(seed + 1, 4, 3).softmax(1)}


TWO = {"p": r"p|x|input|a|pred\w*|h1|hist1|y_pred", "q": r"q|y|target|b|gt|h2|hist2|y_true"}


@reference("the Hellinger distance", r"hellinger", TWO, _shares, trained=("p",))
def hellinger(g: Given, pick: Pick) -> Any:
    square = (g.p.sqrt() - g.q.sqrt()).square().sum(1)
    return pick(square.sqrt(), square).mean()


@reference("the Bhattacharyya distance", r"bhattachar", TWO, _shares, trained=("p",))
def bhattacharyya(g: Given, pick: Pick) -> Any:
    overlap = (g.p * g.q).sqrt().sum(1)
    return pick(-overlap.log(), -overlap, (1 - overlap).sqrt()).mean()


@reference("the chi-squared distance", r"chi ?(2|sq)", TWO, _shares, trained=("p",))
def chi_squared(g: Given, pick: Pick) -> Any:
    return ((g.p - g.q).square() / (g.p + g.q if pick(True, False) else g.q)).sum(1).mean()


@reference(
    "the sparsity penalty",
    r"spars\w* (kl|penalty|loss|auto)|kl spars\w*",
    {"x": r"act\w*|h|x|hidden|z|rho_hat|code\w*|feat\w*"},
    lambda s: {"x": share(s, 4, 3)},
    options=[Option("rho", r"rho|target|sparsity\w*|p|level", 0.1, (0.05,))],
    free=True,
)
def sparsity(g: Given, pick: Pick) -> Any:
    m, r = g.x.mean(0), g.rho
    return (r * (r / m).log() + (1 - r) * ((1 - r) / (1 - m)).log()).sum()


def features(seed: int) -> dict[str, Any]:
    return {"s": real(seed, 2, 3, 2, 2), "t": real(seed + 1, 2, 3, 2, 2)}


@reference(
    "attention transfer",
    r"attention transfer|\bat loss|attention (kd|distill)",
    {"s": r"(f_?|feat\w*_?)?s\w*|\w+_s|student\w*|g_s", "t": r"(f_?|feat\w*_?)?t\w*|\w+_t|teacher\w*|g_t"},
    features,
    options=[Option("p", "p|power", 2, (2.0,))],
    trained=("s",),
)
def attention(g: Given, pick: Pick) -> Any:
    maps = [F.normalize(x.abs().pow(g.p).mean(1).flatten(1), dim=1) for x in (g.s, g.t)]
    square = (maps[0] - maps[1]).square()
    return pick(square.mean(), square.sum(1).sqrt().mean())


@reference(
    "the loss of preserved similarities",
    r"similarity preserving|\bsp loss",
    {"s": r"(f_?|feat\w*_?)?s\w*|\w+_s|student\w*|g_s", "t": r"(f_?|feat\w*_?)?t\w*|\w+_t|teacher\w*|g_t"},
    lambda s: {"s": real(s, 4, 3), "t": real(s + 1, 4, 3)},
    features,
    trained=("s",),
    free=True,
)
def preserved(g: Given, pick: Pick) -> Any:
    products = [F.normalize(x.flatten(1) @ x.flatten(1).T, dim=1) for x in (g.s, g.t)]
    return (products[0] - products[1]).square().mean()


DOMAINS = {"a": r"source\w*|x|s|f_?s|xs|a|z_?s|feat\w*_s|h_?s", "b": r"target\w*|y|t|f_?t|xt|b|z_?t|feat\w*_t|h_?t"}


def domains(seed: int) -> dict[str, Any]:
    return {"a": real(seed, 5, 3), "b": 0.7 * real(seed + 1, 5, 3) + 0.4}


def covariance(x: Tensor) -> Tensor:
    return (x - x.mean(0)).T @ (x - x.mean(0))


@reference(
    "the deep CORAL loss",
    r"coral|correlation alignment|covariance align",
    DOMAINS,
    domains,
    unless=r"ordinal|rank|level",
)
def deep_coral(g: Given, pick: Pick) -> Any:
    gap = (covariance(g.a) - covariance(g.b)).square().sum()
    means = (g.a.mean(0) - g.b.mean(0)).square().sum()
    return pick((gap,), (gap.sqrt(),), (gap, means))


@reference(
    "the maximum mean discrepancy",
    r"\bmmd\b|mean discrepancy",
    DOMAINS,
    domains,
    options=[Option("s", r"sigma|bandwidth|gamma|s|bw", 0.8, (1.0,), True)],
    unless=r"multi|rbf mixture|inverse multiquad|\bimq\b|kernel_mul|conditional|joint|local",
)
def discrepancy(g: Given, pick: Pick) -> Any:
    if pick(False, True):
        gap = (g.a.mean(0) - g.b.mean(0)).square().sum()
        return pick(gap, gap.sqrt())
    scale = pick(2 * g.s**2, g.s**2, g.s, 1 / g.s, 2 * g.s)

    def kernel(x: Tensor, y: Tensor) -> Tensor:
        return (-(x[:, None] - y[None]).square().sum(2) / scale).exp()  # type: ignore[no-any-return]

    within, across = (kernel(g.a, g.a), kernel(g.b, g.b)), kernel(g.a, g.b).mean()
    if pick(True, False):
        return within[0].mean() + within[1].mean() - 2 * across
    return sum((k.sum() - k.diagonal().sum()) / 20 for k in within) - 2 * across


@reference("the linear CKA", r"\bcka\b|kernel alignment", DOMAINS, domains)
def alignment(g: Given, pick: Pick) -> Any:
    a, b = g.a - g.a.mean(0), g.b - g.b.mean(0)
    return -((a.T @ b).square().sum() / ((a.T @ a).norm() * (b.T @ b).norm()))


@reference(
    "the mean squared difference of Gram matrices",
    r"gram|style ?loss|style transfer",
    {"a": r"x|input\w*|gen\w*|pred\w*|feat\w*|a|f1|out\w*|fake", "b": r"y|target\w*|style\w*|b|f2|ref\w*|real"},
    lambda s: {"a": real(s, 2, 3, 2, 3), "b": real(s + 1, 2, 3, 2, 3)},
    trained=("a",),
    unless=r"gram ?anchor|anchoring|iter",
)
def gram(g: Given, pick: Pick) -> Any:
    grams = [(f := x.flatten(2)) @ f.transpose(1, 2) for x in (g.a, g.b)]
    return (grams[0] - grams[1]).square().mean() if pick(True, False) else (grams[0] - grams[1]).abs().mean()


def points(seed: int) -> dict[str, Any]:
    return {"a": real(seed, 2, 4, 3), "b": real(seed + 1, 2, 5, 3)}


@reference(
    "the Chamfer distance",
    r"chamfer",
    {
        "a": r"x|p_?1|pred\w*|a|src|source|xyz_?1|pc_?1|points_?1|input",
        "b": r"y|p_?2|target\w*|b|gt|tgt|xyz_?2|pc_?2|points_?2",
    },
    points,
    unless=r"density|length|mask|one.?sided|normal",
)
def chamfer(g: Given, pick: Pick) -> Any:
    square = (g.a[:, :, None] - g.b[:, None]).square().sum(3)
    d = pick(square, square.sqrt(), (g.a[:, :, None] - g.b[:, None]).abs().sum(3))
    return d.amin(2).mean(), d.amin(1).mean()


@reference(
    "the VQ-VAE loss",
    r"\bvq\b|\bvq ?vae\b|vector quanti|codebook|commitment",
    {"z": r"z|z_?e|x|inputs?|latents?|enc\w*|e", "q": r"z_?q|q|quanti[sz]ed?|codes?|emb\w*|codebook\w*"},
    lambda s: {"z": real(s, 4, 3), "q": real(s + 1, 4, 3)},
    options=[Option("beta", r"beta|commit\w*", 0.3, ())],
    unless=r"ema\b|legacy|diversity|entropy",
    free=True,
)
def quantized(g: Given, pick: Pick) -> Any:
    codes, commitment = F.mse_loss(g.q, g.z.detach()), F.mse_loss(g.z, g.q.detach())
    # One weight is that of the commitment.
    return codes + g.beta * commitment if g.bound("beta") else (codes, commitment)


@reference(
    "the orthogonality penalty",
    r"orthogonal",
    {"w": r"w|weight\w*|x|m|matrix|basis|a|param"},
    lambda s: {"w": real(s, 3, 4)},
    lambda s: {"w": real(s, 4, 3)},
    unless=r"projection|spectral|soft|double|srip|feature",
)
def orthogonal(g: Given, pick: Pick) -> Any:
    w = pick(g.w, g.w.T)
    gap = w @ w.T - torch.eye(len(w))
    off = gap - torch.diag(gap.diagonal())
    kind = pick(gap, off)
    return pick(kind.square().sum(), kind.norm(), kind.abs().sum())
