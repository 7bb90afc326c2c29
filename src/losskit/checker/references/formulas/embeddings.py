"""Embeddings: two views, labelled samples, pairs and triplets."""

from __future__ import annotations

import re
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from losskit.checker.references.reference import Given, Option, Pick, real, reference, zeros_and_ones

TEMPERATURE = Option("temperature", r"temp(erature)?|tau|t", 0.4, (1.0, 0.5, 0.1, 0.07), literal=True)
MARGIN = Option("margin", r"margin|m|alpha", 0.7, (1.0, 0.5, 0.3, 0.2), literal=True)
SCALE = Option("scale", r"\w*scale\w*|s", 2.0, ())
VIEWS = {
    "a": r"(z|h|x|f|v|out|emb|features?|view|proj|p)_?(1|a|i|one)|anchors?|query|queries|q|image\w*|img\w*|zis",
    "b": r"(z|h|x|f|v|out|emb|features?|view|proj|p)_?(2|b|j|two)|positives?|keys?|k|text\w*|txt\w*|zjs",
}


def two_views(seed: int) -> dict[str, Any]:
    return {"a": real(seed, 4, 3), "b": real(seed + 1, 4, 3)}


def scaled(scores: Tensor, g: Given) -> Tensor:
    """Similarities by the temperature, or by the scale that the loss has instead."""
    made: Tensor = scores * g.scale if g.bound("scale") else scores / g.temperature
    return made


def unit(x: Tensor, pick: Pick) -> Tensor:
    return F.normalize(x, dim=1) if pick(True, False) else x


@reference(
    "the NT-Xent loss",
    r"nt ?xent|sim ?clr",
    VIEWS,
    two_views,
    options=[TEMPERATURE, SCALE],
    unless=r"sup(ervised|con)|label",
)
def nt_xent(g: Given, pick: Pick) -> Any:
    n = len(g.a)
    z = torch.cat([unit(g.a, pick), F.normalize(g.b, dim=1) if pick.path[:1] != (1,) else g.b])
    scores = scaled(z @ z.T, g).masked_fill(torch.eye(2 * n, dtype=torch.bool), -torch.inf)
    partner = torch.arange(2 * n).roll(n)
    if g.text.claims("decoupled|without the positive"):  # the partner is no term of its denominator
        own = F.one_hot(partner, 2 * n).bool()
        return (scores.masked_fill(own, -torch.inf).logsumexp(1) - scores[own]).mean()
    if pick(True, False):
        return F.cross_entropy(scores, partner)
    return F.cross_entropy(scores[:n], partner[:n])


@reference(
    "InfoNCE",
    r"info ?nce|\bclip\b|contrastive language|multiple negatives|in.?batch neg",
    VIEWS,
    two_views,
    options=[TEMPERATURE, SCALE],
    unless=r"ppo|clipped|grad|hard",
)
def info_nce(g: Given, pick: Pick) -> Any:
    normalized = pick(True, False)
    a, b = (F.normalize(x, dim=1) if normalized else x for x in (g.a, g.b))
    scores = scaled(a @ pick.maybe_detached(b).T, g)
    labels = torch.arange(len(a))
    symmetric = pick(2, 0, 1)
    if symmetric == 2:
        return F.cross_entropy(scores, labels) + F.cross_entropy(scores.T, labels)
    return F.cross_entropy(scores if symmetric == 0 else scores.T, labels)


@reference(
    "InfoNCE with a learned temperature",
    r"info ?nce|\bclip\b|contrastive|image text",
    VIEWS,
    two_views,
    states=True,
    unless=r"ppo|clipped|grad|queue|moco|memory|supervised|sig ?lip|sigmoid",
    free=True,
)
def learned_temperature(g: Given, pick: Pick) -> Any:
    if len(g.parameters) != 1:
        return g.a.sum() * torch.nan  # it has a part that is no temperature
    s = g.parameters[0].mean()
    a, b = (F.normalize(x, dim=1) for x in (g.a, g.b))
    scores = a @ b.T * pick(s.exp(), s, 1 / s, (-s).exp())
    labels = torch.arange(len(a))
    return F.cross_entropy(scores, labels) + F.cross_entropy(scores.T, labels)


@reference(
    "the Barlow Twins loss",
    r"barlow",
    VIEWS,
    lambda seed: {"a": real(seed, 6, 3), "b": real(seed + 1, 6, 3)},
    options=[Option("weight", r"lambd\w*|lmbda|weight|alpha|off_diag\w*|redundancy\w*", 0.2, (0.005, 0.0051), True)],
)
def barlow(g: Given, pick: Pick) -> Any:
    unbiased = pick(True, False)
    a, b = ((x - x.mean(0)) / x.std(0, unbiased=unbiased) for x in (g.a, g.b))
    c = a.T @ b / pick(len(a), len(a) - 1)
    off = c - torch.diag(c.diagonal())
    return (c.diagonal() - 1).square().sum(), off.square().sum()


@reference(
    "VICReg",
    r"vic ?reg",
    {
        name: rf"{names}|(views?|maps?|local\w*|feats?|crops?|z)_?{'(a|1)' if name == 'a' else '(b|2)'}s?"
        for name, names in VIEWS.items()
    },
    lambda seed: {"a": real(seed, 6, 3), "b": real(seed + 1, 6, 3) + 0.3},
    lambda seed: {
        name: [real(seed + n, 6, 3) + 0.1 * n for n in at] for name, at in (("a", (0, 1, 2)), ("b", (3, 4, 5)))
    },
    trained=("a", "b"),
)
def vicreg(g: Given, pick: Pick) -> Any:
    unbiased, held = pick(True, False), pick(0.0001, 0.0, 1e-3)
    firsts, seconds = ([x] if isinstance(x, Tensor) else list(x) for x in (g.a, g.b))
    views = [*firsts, *seconds]
    spread = sum(F.relu(1 - (x.var(0, unbiased=unbiased) + held).sqrt()).mean() for x in views)
    n = pick(5, 6)
    covariances = [(x - x.mean(0)).T @ (x - x.mean(0)) / n for x in views]
    near = sum(F.mse_loss(a, b) for a, b in zip(firsts, seconds, strict=True))
    return near, spread, sum(c.square().sum() - c.diagonal().square().sum() for c in covariances)


@reference(
    "the SimSiam loss",
    r"sim ?siam|byol",
    {
        "p1": r"p_?(1|a|one)|pred\w*_?(1|a)",
        "p2": r"p_?(2|b|two)|pred\w*_?(2|b)",
        "z1": r"(z|target\w*|proj\w*)_?(1|a)",
        "z2": r"(z|target\w*|proj\w*)_?(2|b)",
    },
    lambda seed: {name: real(seed + n, 4, 3) for n, name in enumerate(("p1", "p2", "z1", "z2"))},
)
def simsiam(g: Given, pick: Pick) -> Any:
    z1, z2 = g.z1.detach(), g.z2.detach()
    if pick(True, False):
        return -F.cosine_similarity(g.p1, z2).mean() - F.cosine_similarity(g.p2, z1).mean()
    return -F.cosine_similarity(g.p1, z1).mean() - F.cosine_similarity(g.p2, z2).mean()


@reference(
    "the SimSiam loss",
    r"sim ?siam|byol|negative cosine",
    {"p": r"p|pred\w*|online\w*|x|q", "z": r"z|target\w*|proj\w*|y|k"},
    lambda seed: {"p": real(seed, 4, 3), "z": real(seed + 1, 4, 3)},
    unless=r"symmetri",
)
def negative_cosine(g: Given, pick: Pick) -> Any:
    z = g.z.detach() if re.search(r"sim ?siam|byol", g.text.names) else pick(g.z, g.z.detach())
    return -F.cosine_similarity(g.p, z).mean()


def labelled_views(seed: int) -> dict[str, Any]:
    return {"x": real(seed, 6, 3), "labels": torch.tensor([[0, 0, 1, 1, 2, 2], [0, 0, 0, 1, 1, 2]][seed // 100 % 2])}


@reference(
    "the supervised contrastive loss",
    r"sup ?con\b|supervised (contrastive|nt ?xent)|sup nt ?xent",
    {"x": r"features?|embeddings?|z|x|feats?|emb\w*|projections?", "labels": r"labels?|targets?|y|ids"},
    labelled_views,
    lambda seed: {"x": real(seed, 3, 2, 3), "labels": torch.tensor([0, 0, 1])},
    options=[
        TEMPERATURE,
        Option("base", r"base_temp\w*", 0.4, (1.0,)),
    ],
)
def supcon(g: Given, pick: Pick) -> Any:
    views = g.x.dim() == 3
    x = torch.cat(g.x.unbind(1)) if views else g.x
    labels = g.labels.repeat(2) if views else g.labels
    x = F.normalize(x, dim=1) if pick(True, False) else x
    n = len(x)
    same = (labels[:, None] == labels) & ~torch.eye(n, dtype=torch.bool)
    scores = (x @ x.T / g.temperature).masked_fill(torch.eye(n, dtype=torch.bool), -torch.inf)
    positives = same.sum(1)
    kept = positives > 0
    if pick(True, False):
        logs = scores.log_softmax(1).masked_fill(~same, 0.0)
        each = -(logs.sum(1) / positives.clamp(min=1)) if pick(True, False) else -logs.sum(1)
    else:  # the logarithm of the mean
        shares = scores.softmax(1).masked_fill(~same, 0.0).sum(1) / pick(1, positives.clamp(min=1))
        each = -shares[kept].log() if not kept.all() else -shares.log()
        return each.sum() / pick(n, kept.sum())
    return each.sum() / pick(n, kept.sum(), positives.sum())


def labelled_pairs(seed: int, *width: int) -> dict[str, Any]:
    a = real(seed, 6, 2)
    return {"a": a, "b": a + 0.4 * real(seed + 1, 6, 2), "y": zeros_and_ones(seed, 6, *width)}


@reference(
    "the contrastive loss of pairs",
    r"contrastive|siamese",
    {
        "a": r"(x|e|o|z|f|h|out\w*|emb\w*|feat\w*)_?(0|1|a)|a|anchor|left",
        "b": r"(x|e|o|z|f|h|out\w*|emb\w*|feat\w*)_?(1|2|b)|b|other|right",
        "y": r"y|label\w*|target\w*|same\w*|is_\w+|similar\w*|differ\w*",
    },
    labelled_pairs,
    lambda seed: labelled_pairs(seed, 1),
    options=[MARGIN],
    unless=r"supervised|cosine|nt ?xent|sim ?clr|cluster|prototyp",
)
def pairs(g: Given, pick: Pick) -> Any:
    d2 = (g.a - g.b).square().sum(1).reshape(g.y.shape)
    d = d2.sqrt()
    similar = g.y if pick(True, False) else 1 - g.y
    if g.text.says(r"\b(y|label|1) ?(=|is|for)? ?1? ?(for|=|is|means)? ?(a |the )?(similar|same|genuine|positive)"):
        similar = g.y
    far = (g.margin - d).clamp(min=0)
    if g.text.says(r"\b(alpha|beta|weight)") or re.search(r"alpha|beta|weight", g.text.code):
        return (similar * d2).mean(), ((1 - similar) * far.square()).mean()
    return (similar * d2 + (1 - similar) * far.square()).mean()


TRIPLET = {
    "a": r"a|anchors?|query|q|emb\w*_a|anc",
    "p": r"p|pos\w*|emb\w*_p",
    "n": r"n|neg\w*|emb\w*_n",
}


@reference(
    "the triplet loss",
    r"triplet",
    TRIPLET,
    lambda seed: {"a": real(seed, 6, 2), "p": real(seed, 6, 2) + 0.5 * real(seed + 1, 6, 2), "n": real(seed + 2, 6, 2)},
    options=[MARGIN],
    unless=r"soft|hard|batch",
)
def triplet(g: Given, pick: Pick) -> Any:
    kind = pick("euclid", "square", "cosine", "dot")
    if kind in ("euclid", "square"):
        near, far = ((g.a - x).square().sum(1) for x in (g.p, g.n))
        near, far = (near.sqrt(), far.sqrt()) if kind == "euclid" else (near, far)
    else:
        near, far = (1 - (F.cosine_similarity(g.a, x) if kind == "cosine" else (g.a * x).sum(1)) for x in (g.p, g.n))
    each = F.relu(near - far + g.margin)
    return each.sum() / pick(1, (each > 0).sum().clamp(min=1))


@reference(
    "the triplet loss with the hardest samples",
    r"(batch ?)?hard(est)? (mining )?triplet|triplet.*\bhard",
    {"x": r"features?|embeddings?|z|x|feats?|emb\w*|inputs?", "labels": r"labels?|targets?|y|ids|pids?"},
    lambda seed: {"x": real(seed, 6, 3), "labels": torch.tensor([0, 0, 1, 1, 2, 2])[torch.randperm(6)]},
    options=[MARGIN],
    unless=r"semi|soft",
)
def hardest(g: Given, pick: Pick) -> Any:
    x = unit(g.x, pick)
    square = (x[:, None] - x[None]).square().sum(2)
    kind = pick("euclid", "square", "cosine")
    d = {"euclid": (square + 1e-30).sqrt(), "square": square, "cosine": 1 - F.normalize(x) @ F.normalize(x).T}[kind]
    same = g.labels[:, None] == g.labels
    near = d.masked_fill(~same | torch.eye(len(x), dtype=torch.bool), -torch.inf).amax(1)
    far = d.masked_fill(same, torch.inf).amin(1)
    each = F.relu(near - far + g.margin)
    return each.sum() / pick(1, (each > 0).sum().clamp(min=1))
