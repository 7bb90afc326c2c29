"""Treatments and groups: factual outcomes, propensities, rates of groups; weights with a distribution."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from losskit.checker.references.reference import Given, Option, Pick, real, reference, share, whole, zeros_and_ones


def treated(seed: int, *size: int) -> dict[str, Any]:
    made = {"y0": share(seed, *size), "y1": share(seed + 1, *size), "y": zeros_and_ones(seed + 2, *size)}
    return {**made, "t": zeros_and_ones(seed + 4, *size), "e": share(seed + 5, *size)}


@reference(
    "the factual loss of two outcomes",
    r"tar ?net|\bcfr\b|counterfactual regression|factual (loss|regression|outcome|error)|dragon ?net",
    {
        "y0": r"(y|mu|q|out\w*|pred\w*|h)_?0(_?(pred|hat|head|out))?|y_?pred_?0|(pred|out|y)_?control|y_?c",
        "y1": r"(y|mu|q|out\w*|pred\w*|h)_?1(_?(pred|hat|head|out))?|y_?pred_?1|(pred|out|y)_?treat\w*|y_?t",
        "y": r"y|outcomes?|targets?|y_?(true|factual|f|obs)|yf|labels?",
        "t": r"t|treat\w*|w|a|t_?true",
        "e": r"t_?(pred|hat|logits?)|propensit\w*|e|g|t_?prob|pi",
    },
    lambda s: treated(s, 8),
    lambda s: treated(s, 8, 1),
    options=[Option("share", r"p|propensity|u|p_?t\w*|treat\w*_?(prob\w*|share|rate)|prob_?t\w*", 0.3, ())],
    optional=("e",),
    trained=("y0", "y1", "e"),
    unless=r"(?<!without )target(ed)? reg|tarreg|epsilon|\bmmd|wasserstein|balanc|ite\b|doubly|\br learner|\bdr\b",
)
def factual(g: Given, pick: Pick) -> Any:
    kind = pick("square", "logits", "shares")
    loss: Any = {"square": F.mse_loss, "logits": F.binary_cross_entropy_with_logits, "shares": F.binary_cross_entropy}[
        kind
    ]
    first, second = loss(g.y0, g.y, reduction="none"), loss(g.y1, g.y, reduction="none")
    each = g.t * second + (1 - g.t) * first
    if g.bound("share"):
        weight = g.t / g.share + (1 - g.t) / (1 - g.share)
    else:
        mean = g.t.mean()
        weight = pick(torch.ones_like(g.t), g.t / mean + (1 - g.t) / (1 - mean))
    outcome = (weight * each).mean()
    if not g.has("e"):
        return outcome
    logits = g.called("e", "logit")
    return outcome, F.binary_cross_entropy_with_logits(g.e, g.t) if logits else F.binary_cross_entropy(g.e, g.t)


@reference(
    "the error weighted by inverse propensities",
    r"\bs?n?ips\b|inverse propensity|\bipw\b|propensity (weight|score)\w*",
    {
        "x": r"pred\w*|x|y_?(hat|pred)|scores?|ratings?_?(pred|hat)|out\w*|r_hat",
        "y": r"y|targets?|labels?|ratings?|r|y_true|true\w*",
        "o": r"o|obs\w*|mask\w*|click\w*|exposure\w*|observed|t|treat\w*",
        "p": r"p|propensit\w*|prop\w*|ps|e|weights?",
    },
    lambda s: {"x": share(s, 8), "y": share(s + 1, 8), "o": zeros_and_ones(s, 8), "p": share(s + 2, 8)},
    lambda s: {
        "x": share(s, 4, 3),
        "y": share(s + 1, 4, 3),
        "o": zeros_and_ones(s, 4, 3),
        "p": share(s + 2, 4, 3),
    },
    options=[Option("least", r"clip\w*|eps\w*|min_?p\w*|m|tau", 0.02, (1e-6,))],
    trained=("x",),
    by_name=True,
    unless=r"doubly|\bdr\b|ate\b|policy|augmented",
)
def inverse_propensities(g: Given, pick: Pick) -> Any:
    error = pick((g.x - g.y).square(), (g.x - g.y).abs(), F.binary_cross_entropy(g.x, g.y, reduction="none"))
    weight = g.o / g.p
    return (error * weight).sum() / pick(1.0, weight.sum(), g.o.sum())


GROUPED = {
    "x": r"scores?|logits?|preds?\w*|probs?|out\w*|x|y_?hat|y_pred",
    "y": r"y|labels?|targets?|y_true|truth",
    "s": r"s|groups?|sensitive\w*|protected\w*|a|z|attr\w*|sens\w*|\w*group\w*",
}


def grouped(seed: int) -> dict[str, Any]:
    groups = torch.tensor([0, 1, 0, 1, 0, 1, 1, 0, 1, 1])
    labels = torch.tensor([0, 0, 1, 1, 0, 1, 1, 1, 0, 1]).roll(seed // 100)
    return {"x": share(seed, 10), "y": labels.double(), "s": groups}


def task_of(g: Given, pick: Pick) -> tuple[Tensor, Tensor]:
    """The cross entropy of the labels, and the probabilities."""
    if g.called("x", "prob"):
        return F.binary_cross_entropy(g.x, g.y), g.x
    return F.binary_cross_entropy_with_logits(g.x, g.y), g.x.sigmoid()


def gap_of(p: Tensor, s: Tensor, pick: Pick) -> Tensor:
    gap = p[s == 0].mean() - p[s == 1].mean()
    return pick(gap.abs(), gap.square())  # type: ignore[no-any-return]


@reference(
    "the cross entropy and the gap between groups",
    r"demographic parity|statistical parity|\bdp (gap|loss)|fairness|disparate|parity gap",
    GROUPED,
    grouped,
    lambda s: {**grouped(s), "y": grouped(s)["y"].long()},
    lambda s: {**grouped(s), "s": grouped(s)["s"].double()},
    trained=("x",),
    unless=r"odds|opportunity|covariance|hsic|mmd|\bkl\b|correlation|adversar",
)
def task_and_parity(g: Given, pick: Pick) -> Any:
    task, p = task_of(g, pick)
    return task, gap_of(p, g.s, pick)


@reference(
    "the gap of the rates of the positive between groups",
    r"equal(i[sz]ed)? ?(opportunity|odds)",
    GROUPED,
    grouped,
    lambda s: {**grouped(s), "y": grouped(s)["y"].long()},
    lambda s: {**grouped(s), "s": grouped(s)["s"].double()},
    trained=("x",),
    unless=r"adversar|covariance|hsic|mmd|\bkl\b|correlation",
    free=True,
)
def task_and_odds(g: Given, pick: Pick) -> Any:
    task, p = task_of(g, pick)
    p = pick(p, g.x)
    gaps = tuple(gap_of(p[g.y == label], g.s[g.y == label], pick) for label in (1, 0))
    terms = gaps[:1] if "opportunity" in g.text.title else pick(gaps, (gaps[0] + gaps[1],))
    return pick((task, *terms), terms)


def posteriors(seed: int) -> dict[str, Any]:
    mus, rhos = ([real(seed + n + m, 3, 2), real(seed + n + m + 1, 4)] for n, m in ((0, 0), (2, 2)))
    return {"x": real(seed + 8, 6, 3), "y": whole(seed, 3, 6), "mus": mus, "rhos": rhos}


@reference(
    "the free energy of weights with a Gaussian posterior",
    r"bayes\w* (by )?backprop|\bbnn\b|bayesian (elbo|neural|nn|net\w*|linear|layer\w*)|variational free energy",
    {
        "x": r"logits?|pred\w*|out\w*|x|scores?|y_?(hat|pred)",
        "y": r"y|targets?|labels?|y_true",
        "mus": r"(w\w*_?|weight\w*_?)?(mus?|means?|locs?)(_\w+)?",
        "rhos": r"(w\w*_?|weight\w*_?)?(rhos?|log_?(sigma|std|var)\w*|raw_\w+)",
    },
    posteriors,
    lambda s: {**posteriors(s), "x": real(s, 6), "y": real(s + 1, 6)},
    lambda s: {**posteriors(s), **{role: posteriors(s)[role][0] for role in ("mus", "rhos")}},
    options=[
        Option("prior", r"prior_?(std|sigma|scale|s)|sigma_?(prior|p|0)", 0.6, (1.0, 0.1)),
        Option("count", r"(n|num)_?(batch\w*|data\w*|samples?|train\w*|examples?)|dataset_?size|m", 20, ()),
        Option("weight", r"kl_?(w\w*|beta|scale)|beta|complexity\w*", 0.7, ()),
    ],
    trained=("x", "mus", "rhos"),
    unless=r"mixture|local reparam|flipout|laplace|\bvae\b|auto ?encod",
)
def free_energy(g: Given, pick: Pick) -> Any:
    mus, rhos = ([each] if isinstance(each, Tensor) else list(each) for each in (g.mus, g.rhos))
    kl = mus[0].new_zeros(())
    for mu, rho in zip(mus, rhos, strict=True):
        if g.called("rhos", "rho|raw"):
            s = F.softplus(rho)
        else:
            s = (rho / 2).exp() if g.called("rhos", "var") else rho.exp()
        kl = kl + ((s.square() + mu.square()) / (2 * g.prior**2) - s.log()).sum()
    loss = F.mse_loss(g.x, g.y) if g.y.is_floating_point() else F.cross_entropy(g.x, g.y)
    return loss, kl
