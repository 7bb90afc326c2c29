"""Losses of latent variables: autoencoders of sequences and graphs, floors of a divergence, flows."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from losskit.checker.references.reference import Given, Option, Pick, real, reference, share, whole, zeros_and_ones

MU = r"(z_?|q_?|post\w*_)?(mu|mean|loc)s?|m"
SPREAD = r"(z_?|q_?|post\w*_)?(log_?(var|sigma|std|variance|scale|sig)\w*|logv|lv)"
OUT = r"(x_?)?recon\w*|x_?hat|out\w*|logits|pred\w*|\w*_x|x_rec|recon_logits|decoded|rec\w*"
INPUT = r"x|target\w*|inputs?|data|image\w*|orig\w*|y|im\w*|batch|tokens"
MASK = r"\w*mask\w*|valid\w*|m|observed|pad\w*"


def log_variance(g: Given, role: str = "spread") -> Tensor:
    """The logarithm of the variance: an argument that is named after the deviation is half of it."""
    named = g.called(role, r"std|sigma(?!_?(sq|2))|scale|sig$")
    s: Tensor = getattr(g, role)
    doubled: Tensor = s * (2 if named else 1)
    return doubled


def each_kl(g: Given) -> Tensor:
    """The divergence from the standard normal, of each element."""
    s = log_variance(g)
    each: Tensor = 0.5 * (g.mu.square() + s.exp() - s - 1)
    return each


def steps(seed: int) -> dict[str, Any]:
    return {
        "mu": real(seed, 3, 4, 2),
        "spread": real(seed + 1, 3, 4, 2),
        "m": zeros_and_ones(seed + 2, 3, 4),
        "out": share(seed + 3, 3, 4, 5),
        "x": share(seed + 4, 3, 4, 5),
    }


def tokens(seed: int) -> dict[str, Any]:
    return {**steps(seed), "x": whole(seed, 5, 3, 4)}


def over_steps(each: Tensor, m: Tensor, pick: Pick) -> Tensor:
    """The mean of the real steps, or of the sequences."""
    per_sequence = (each * m).sum(1)
    return pick(  # type: ignore[no-any-return]
        (each * m).sum() / m.sum(), (per_sequence / m.sum(1).clamp(min=1)).mean(), per_sequence.mean()
    )


SEQUENCE = r"sequence|seq |masked|padded|temporal|event|tokens?|text|step"


@reference(
    "the masked KL divergence of the steps of a sequence",
    r"mask\w* kl|\bkl\w*\b.*(mask|padded|sequence)|(sequence|padded|step)\b.*\bkl",
    {"mu": MU, "spread": SPREAD, "m": MASK},
    steps,
    lambda s: {**steps(s), "m": steps(s)["m"].bool()},
    unless=r"free|distill|two|student|teacher",
)
def masked_kl(g: Given, pick: Pick) -> Any:
    m = g.m.double()
    m = 1 - m if g.called("m", "pad") else m
    return over_steps(each_kl(g).sum(2), m, pick)


@reference(
    "the loss of a variational autoencoder of sequences",
    rf"({SEQUENCE}).*(\bvae\b|\belbo\b|variational)|(\bvae\b|\belbo\b|variational).*({SEQUENCE})",
    {"out": OUT, "x": INPUT, "mu": MU, "spread": SPREAD, "m": MASK},
    steps,
    tokens,
    lambda s: {**steps(s), "m": steps(s)["m"].bool()},
    trained=("out", "mu", "spread"),
    options=[Option("beta", r"beta|kl_?w\w*|kld_w\w*|lambd\w*", 0.7, ())],
    unless=r"vq|free|capacity|hierarch",
    free=True,
)
def sequences(g: Given, pick: Pick) -> Any:
    m = g.m.double()
    if g.x.is_floating_point():
        kinds = (F.mse_loss, F.binary_cross_entropy_with_logits, F.binary_cross_entropy, F.l1_loss)
        each = pick(*kinds)(g.out, g.x, reduction="none").sum(2)
    else:
        each = F.cross_entropy(g.out.transpose(1, 2), g.x, reduction="none")
    return over_steps(each, m, pick), over_steps(each_kl(g).sum(2), m, pick)


@reference(
    "the KL divergence with free bits",
    r"free ?(bits?|nats?)",
    {"mu": MU, "spread": SPREAD},
    lambda s: {"mu": real(s, 4, 3), "spread": real(s + 1, 4, 3)},
    options=[
        Option("floor", r"free\w*|lam\w*|threshold|floor|min_kl|target\w*|nats|bits", 0.6, (0.5, 0.25, 1.0), True)
    ],
    unless=r"vae loss|elbo|sequence|hierarch|anneal",
)
def free_bits(g: Given, pick: Pick) -> Any:
    each = each_kl(g)
    floor = g.floor * pick(1.0, math.log(2))
    if pick(True, False):
        return each.mean(0).clamp(min=floor).sum()
    return pick(each.clamp(min=floor).sum(), each.sum(1).clamp(min=floor).mean(), each.sum(1).mean().clamp(min=floor))


def graph(seed: int) -> dict[str, Any]:
    upper = torch.triu(zeros_and_ones(seed, 4, 4) * zeros_and_ones(seed + 1, 4, 4), 1)
    return {
        "out": real(seed + 2, 4, 4),
        "x": upper + upper.T + torch.eye(4, dtype=torch.float64),
        "mu": real(seed + 3, 4, 2),
        "spread": 0.5 * real(seed + 4, 4, 2),
    }


@reference(
    "the loss of a variational graph autoencoder",
    r"\bv?gae\b|graph (variational )?auto ?encod|variational graph|weighted (recon\w*|cross|bce)",
    {
        "out": r"preds?|(adj_?)?(logits|rec\w*|pred\w*|hat)|\w*logits|recon\w*|a_?hat|out\w*",
        "x": r"labels?|adj\w*|target\w*|a|y|orig\w*",
        "mu": MU,
        "spread": SPREAD,
    },
    graph,
    optional=("mu", "spread"),
    trained=("out", "mu", "spread"),
    unless=r"edges|neg\w* (edges|sampl)|link",
    free=True,
)
def graphs(g: Given, pick: Pick) -> Any:
    rest, ones = g.x.numel() - g.x.sum(), g.x.sum()
    weight = pick(rest / ones, torch.ones_like(ones))
    fit = F.binary_cross_entropy_with_logits(g.out, g.x, pos_weight=weight)
    fit = fit * pick(1.0, g.x.numel() / (2 * rest))
    return (fit, each_kl(g).sum(1).mean()) if g.has("mu") else (fit,)


@reference(
    "the loss of a variational graph autoencoder",
    r"\bv?gae\b|graph (variational )?auto ?encod|variational graph",
    {
        "pos": r"pos\w*",
        "neg": r"neg\w*",
        "mu": MU,
        "spread": SPREAD,
    },
    lambda s: {"pos": share(s, 6), "neg": share(s + 1, 5), "mu": real(s + 2, 4, 2), "spread": real(s + 3, 4, 2)},
    optional=("mu", "spread"),
    free=True,
)
def edges(g: Given, pick: Pick) -> Any:
    a, b = pick((g.pos.sigmoid(), g.neg.sigmoid()), (g.pos, g.neg))
    fit = -a.log().mean() - (1 - b).log().mean()
    return (fit, each_kl(g).sum(1).mean()) if g.has("mu") else (fit,)


@reference(
    "the VQ-VAE loss with its reconstruction",
    r"\bvq\b|vector quanti|vqvae",
    {
        "out": OUT,
        "x": INPUT,
        "z": r"z|z_?e|latents?|enc\w*|e|ze|hidden\w*",
        "q": r"z_?q|q|quanti[sz]ed?|codes?|emb\w*|zq",
    },
    lambda s: {"out": real(s, 4, 3), "x": real(s + 1, 4, 3), "z": real(s + 2, 4, 2), "q": real(s + 3, 4, 2)},
    trained=("out", "z", "q"),
    options=[Option("beta", r"beta|commit\w*", 0.3, ())],
    free=True,
)
def quantized_autoencoder(g: Given, pick: Pick) -> Any:
    fit = pick(F.mse_loss, F.l1_loss)(g.out, g.x)
    codes, commitment = F.mse_loss(g.q, g.z.detach()), F.mse_loss(g.z, g.q.detach())
    return (fit, codes + g.beta * commitment) if g.bound("beta") else (fit, codes, commitment)


LOG_DET = r"(sum_?)?(log_?(abs_?)?(det\w*|j\w*)|s?ldj|logdet\w*|jac\w*|delta_logp\w*|ldet)|objective"


@reference(
    "the likelihood of a normalizing flow",
    r"normali[sz]ing flow|\bflow\b.*(nll|likelihood|loss)|\b(nf|glow|real ?nvp|maf)\b.*loss|bits ?per ?dim|\bbpd\b",
    {"z": r"z|zs?_?\w?|latents?|z_?k|u|noise|log_?(p|prob|pz|prior)\w*|prior_\w+", "d": LOG_DET},
    lambda s: {"z": real(s, 5, 3), "d": real(s + 1, 5)},
    lambda s: {"z": real(s, 5, 2, 2, 2), "d": real(s + 1, 5)},
    lambda s: {"z": real(s, 5), "d": real(s + 1, 5)},
    unless=r"optical|matching|kl\b|posterior|conditional flow",
)
def flow(g: Given, pick: Pick) -> Any:
    if not g.called("d", r"log|ldj|jac|det|delta|^d$|objective"):  # arguments of another loss, taken by their place
        return g.d.sum() * torch.nan
    if g.called("z", r"log_?p|prior"):
        if g.z.dim() > 1:
            return g.z.sum() * torch.nan
        return -(g.z + g.d).mean()
    if g.z.dim() == 1:
        return g.z.sum() * torch.nan
    return (0.5 * g.z.square().flatten(1).sum(1) - g.d).mean()
