"""Metric learning in a labelled batch: triplets, pairs and proxies of the classes."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from losskit.checker.references.formulas.classification import LABELS
from losskit.checker.references.formulas.embeddings import MARGIN, TEMPERATURE, unit
from losskit.checker.references.reference import Given, Option, Pick, real, reference, whole

BATCH = {
    "x": r"\w*feat\w*|\w*emb\w*|z|x|inputs?|batch|reps?|outputs?|h|vectors?",
    "labels": LABELS + r"|ids|pids?|targets?|classes",
}


def batch(seed: int) -> dict[str, Any]:
    order = torch.randperm(6, generator=torch.Generator().manual_seed(seed))
    labels = torch.tensor([[0, 0, 1, 1, 2, 2], [0, 0, 0, 1, 1, 2]][seed // 100 % 2])[order]
    return {"x": 0.7 * real(seed, 6, 3), "labels": labels}


def even_batch(seed: int) -> dict[str, Any]:
    """As many samples of each class, two by two."""
    return {"x": 0.7 * real(seed, 6, 3), "labels": torch.tensor([0, 0, 1, 1, 2, 2])}


def pairs_of(labels: Tensor) -> tuple[Tensor, Tensor]:
    """Which pairs are of one class, and which of two."""
    same = labels[:, None] == labels
    return same & ~torch.eye(len(labels), dtype=torch.bool), ~same


def distances(x: Tensor, pick: Pick) -> Tensor:
    kind = pick("euclid", "square", "cosine", "unit", "unit square")
    if kind == "cosine":
        return 1 - F.normalize(x) @ F.normalize(x).T
    x = F.normalize(x) if kind.startswith("unit") else x
    square = (x[:, None] - x[None]).square().sum(2)
    return square if kind.endswith("square") else (square + 1e-30).sqrt()


@reference(
    "the triplet loss of a labelled batch",
    r"triplet",
    BATCH,
    even_batch,
    batch,
    options=[MARGIN],
    unless=r"semi|center|centre|sampl|cross|weighted|adaptive|log ?ratio|multi",
    free=True,
)
def triplets(g: Given, pick: Pick) -> Any:
    plus, minus = pairs_of(g.labels)
    d = distances(g.x, pick)
    kind = pick("all", "hardest")
    if kind == "hardest":
        near, far = d.masked_fill(~plus, -torch.inf).amax(1), d.masked_fill(~minus, torch.inf).amin(1)
        gap = (near - far)[plus.any(1) & minus.any(1)]
    else:
        gap = (d[:, :, None] - d[:, None])[plus[:, :, None] & minus[:, None]]
    each = F.softplus(gap) if pick(True, False) and not g.bound("margin") else F.relu(gap + g.margin)
    if kind == "hardest" and pick(False, True):
        return each.sum()
    return each.sum() / pick((each > 1e-16).sum().clamp(min=1), len(each))


@reference(
    "the circle loss of a labelled batch",
    r"\bcircle",
    BATCH,
    even_batch,
    batch,
    options=[
        Option("m", "m|margin|relax\\w*", 0.3, (0.25, 0.4)),
        Option("gamma", "gamma|scale|s", 3.0, (80.0, 256.0, 64.0)),
    ],
    unless=r"multi ?label",
)
def circle_of_batch(g: Given, pick: Pick) -> Any:
    plus, minus = pairs_of(g.labels)
    x = F.normalize(g.x)
    s = x @ x.T
    ap, an = F.relu(1 + g.m - s), F.relu(s + g.m)
    ap, an = (ap.detach(), an.detach()) if pick(True, False) else (ap, an)
    logits_p, logits_n = -ap * (s - 1 + g.m) * g.gamma, an * (s - g.m) * g.gamma
    kind = pick("pairs", "both orders", "anchors")
    if kind == "anchors":
        rows = plus.any(1) & minus.any(1)
        each = F.softplus(
            logits_n.masked_fill(~minus, -torch.inf)[rows].logsumexp(1)
            + logits_p.masked_fill(~plus, -torch.inf)[rows].logsumexp(1)
        )
        return each.sum() / pick(len(each), len(x))
    above = torch.ones_like(plus).triu(1) if kind == "pairs" else torch.ones_like(plus)
    return F.softplus(logits_n[minus & above].logsumexp(0) + logits_p[plus & above].logsumexp(0))


@reference(
    "the multi-similarity loss",
    r"multi ?sim\w*|\bms loss",
    BATCH,
    even_batch,
    batch,
    options=[
        Option("alpha", r"alpha|a|scale_pos|pos_scale", 1.3, (2.0,)),
        Option("beta", r"beta|b|scale_neg|neg_scale", 3.1, (50.0, 40.0, 10.0)),
        Option("base", r"base|lamb\w*|thresh\w*|lam|mrg", 0.4, (0.5, 1.0)),
        Option("eps", r"eps\w*|margin", 0.1, (0.1,)),
    ],
)
def multi_similarity(g: Given, pick: Pick) -> Any:
    plus, minus = pairs_of(g.labels)
    x = unit(g.x, pick)
    s = x @ x.T
    if pick(False, True):  # of the pairs, only those that are hard
        hardest, easiest = s.masked_fill(~minus, -torch.inf).amax(1), s.masked_fill(~plus, torch.inf).amin(1)
        plus, minus = plus & (s - g.eps < hardest[:, None]), minus & (s + g.eps > easiest[:, None])
    near = ((-g.alpha * (s - g.base)).exp() * plus).sum(1).log1p() / g.alpha
    far = ((g.beta * (s - g.base)).exp() * minus).sum(1).log1p() / g.beta
    rows = pick(torch.ones(len(x), dtype=torch.bool), plus.any(1) & minus.any(1))
    each = (near + far)[rows]
    return each.sum() / pick(len(each), len(x))


@reference(
    "the contrastive loss of a labelled batch",
    r"contrastive",
    BATCH,
    even_batch,
    batch,
    options=[
        Option("near", r"pos_?margin\w*|margin_?pos\w*", 0.2, (0.0,)),
        Option("margin", r"(neg_?)?margin\w*|m", 0.9, (1.0, 0.5)),
    ],
    unless=r"supervised|sup ?con|nt ?xent|sim ?clr|cluster|prototyp|info|weighted|temperature|cross",
    free=True,
)
def pairs_of_batch(g: Given, pick: Pick) -> Any:
    plus, minus = pairs_of(g.labels)
    d = distances(g.x, pick)
    near, far = F.relu(d - g.near), F.relu(g.margin - d)
    near, far = (near.square(), far.square()) if pick(True, False) else (near, far)
    if g.text.claims("hard"):  # as many negatives as positives, the nearest
        n = int(plus.sum()) // 2
        hardest = far[minus.triu(1)][d.detach()[minus.triu(1)].argsort()[:n]]
        pulls = near[plus.triu(1)]
        return pick(pulls.sum() + hardest.sum(), (pulls.sum() + hardest.sum()) / (len(pulls) + len(hardest)))
    if pick(True, False):
        return ((near * plus).sum() + (far * minus).sum()) / pick(1, (plus | minus).sum())
    counts = pick((len(near[plus]), len(far[minus])), ((near[plus] > 0).sum(), (far[minus] > 0).sum()))
    return near[plus].sum() / counts[0] + far[minus].sum() / counts[1]


@reference(
    "the NT-Xent loss of stacked views",
    r"nt ?xent|sim ?clr|contrastive loss|info ?nce",
    {"z": r"z|x|feat\w*|emb\w*|reps?\w*|out\w*|proj\w*|h|hidden"},
    lambda s: {"z": real(s, 8, 3)},
    lambda s: {"z": real(s, 4, 2, 3)},
    options=[TEMPERATURE],
    unless=r"supervised|sup ?con|label|cluster|proto|hard|debias|decoupled",
)
def stacked(g: Given, pick: Pick) -> Any:
    z = torch.cat(g.z.unbind(1)) if g.z.dim() == 3 else g.z
    z = unit(z, pick)
    n = len(z)
    scores = (z @ z.T / g.temperature).masked_fill(torch.eye(n, dtype=torch.bool), -torch.inf)
    partner = pick(torch.arange(n).roll(n // 2), torch.arange(n) ^ 1)
    return F.cross_entropy(scores, partner)


def embedded(seed: int) -> dict[str, Any]:
    return {"x": real(seed, 5, 4), "labels": torch.tensor([[0, 1, 2, 1, 0], [0, 1, 1, 0, 0]][seed // 100 % 2])}


CLASSES = Option("classes", r"(num|nb|n)_?class\w*|out_features|classes|num_labels|nb_?classes|c|k", 3)
SIZE = Option("size", r"\w*emb\w*|in_features|\w*feat\w*(dim|size)|(feature_)?dim|d|sz_embed\w*|size", 4)


def proxies(g: Given) -> Tensor:
    """The learned proxies of the classes, one a row."""
    w = g.parameters[0]
    return w if w.shape[-1] == g.x.shape[1] else w.T


@reference(
    "the proxy anchor loss",
    r"proxy ?anchor",
    BATCH,
    embedded,
    states=True,
    options=[
        CLASSES,
        SIZE,
        Option("margin", r"mrg|margin|delta", 0.2, (0.1,)),
        Option("alpha", r"alpha|scale|a", 1.7, (32.0,)),
    ],
    trained=("x",),
)
def proxy_anchor(g: Given, pick: Pick) -> Any:
    cos = F.normalize(g.x) @ F.normalize(proxies(g)).T
    own = F.one_hot(g.labels, 3).double()
    near = ((-g.alpha * (cos - g.margin)).exp() * own).sum(0).log1p()
    far = ((g.alpha * (cos + g.margin)).exp() * (1 - own)).sum(0).log1p()
    occurring = (own.sum(0) > 0).sum()
    return near.sum() / occurring + far.sum() / 3


@reference(
    "the proxy NCA loss",
    r"proxy ?nca|\bnca\b.*prox",
    BATCH,
    embedded,
    states=True,
    options=[
        *(CLASSES, SIZE, Option("smoothing", r"\w*smooth\w*", 0.2, (0.0, 0.1))),
        Option("scale", r"\w*scale\w*|scaling_p\w*|s|temp\w*", 1.5, (1.0, 3.0, 8.0, 9.0)),
    ],
    trained=("x",),
)
def proxy_nca(g: Given, pick: Pick) -> Any:
    square = (F.normalize(g.x)[:, None] - F.normalize(proxies(g))[None]).square().sum(2)
    scores = -square * pick(g.scale**2, g.scale, 1 / g.scale)
    own = F.one_hot(g.labels, 3).bool()
    if pick(True, False):
        share = torch.where(own, 1 - g.smoothing, g.smoothing / 2)  # of three classes
        return -(share * scores.log_softmax(1)).sum(1).mean()
    return (scores.masked_fill(own, -torch.inf).logsumexp(1) - scores[own]).mean()


@reference(
    "the softmax loss of normalized embeddings",
    r"norm ?face|normali[sz]ed soft ?max|cosine soft ?max|norm ?soft ?max",
    BATCH,
    embedded,
    states=True,
    options=[CLASSES, SIZE, Option("scale", r"\w*scale\w*|s|temp\w*|t", 1.5, (30.0, 64.0, 16.0, 0.05))],
    trained=("x",),
    unless=r"margin|arc|cos ?face|sphere",
    free=True,
)
def normalized_softmax(g: Given, pick: Pick) -> Any:
    cos = F.normalize(g.x) @ F.normalize(proxies(g)).T
    return F.cross_entropy(cos * pick(g.scale, 1 / g.scale), g.labels)


@reference(
    "the lifted structured loss",
    r"lifted",
    BATCH,
    even_batch,
    options=[MARGIN],
)
def lifted(g: Given, pick: Pick) -> Any:
    plus, minus = pairs_of(g.labels)
    d = distances(g.x, pick)
    pushes = (g.margin - d).exp().masked_fill(~minus, 0.0).sum(1)
    i, j = plus.triu(1).nonzero(as_tuple=True)
    each = F.relu((pushes[i] + pushes[j]).log() + d[i, j])
    return pick(each.square(), each).mean()


@reference(
    "the prototypical loss",
    r"prototypical|protonet",
    {
        "q": r"quer\w*|q|x|z_?q\w*|emb\w*|feat\w*",
        "p": r"proto\w*|p|c|centroids?|support\w*|means?",
        "labels": r"labels?|y|targets?|q_?labels?|query_labels?",
    },
    lambda s: {"q": real(s, 5, 3), "p": real(s + 1, 3, 3), "labels": whole(s, 3, 5)},
    options=[TEMPERATURE],
    unless=r"contrast|cluster",
)
def prototypical(g: Given, pick: Pick) -> Any:
    square = (g.q[:, None] - g.p[None]).square().sum(2)
    scores = pick(-square, -square.sqrt(), F.normalize(g.q) @ F.normalize(g.p).T)
    return F.cross_entropy(scores / pick(1, g.temperature), g.labels)
