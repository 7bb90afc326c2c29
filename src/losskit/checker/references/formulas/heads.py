"""Ordinal classes, and classes whose weights are part of the loss."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from losskit.checker.references.formulas.classification import BOTH, LABELS, SCORES, labelled
from losskit.checker.references.reference import Given, Option, Pick, real, reference, share, whole

CLASSES = r"num_class\w*|k|n_class\w*|num_labels"


def ranks(seed: int) -> dict[str, Any]:
    """Labels of four ordered classes, whose borders have three scores."""
    return {"x": real(seed, 5, 3), "y": whole(seed, 4, 5), "classes": 4}


@reference(
    "CORAL",
    r"\bcoral\b",
    {"x": SCORES, "y": LABELS + r"|levels?", "classes": CLASSES},
    ranks,
    lambda s: {"x": real(s, 5, 3), "y": (whole(s, 4, 5)[:, None] > torch.arange(3)).double()},
    trained=("x",),
    unless=r"domain|deep|corr|covariance|adapt",
    optional=("classes",),
    options=[Option("classes", r"num_classes|k|n_classes", 4, (4,))],
)
def coral(g: Given, pick: Pick) -> Any:
    levels = (g.y[:, None] > torch.arange(3)).double() if g.y.dim() == 1 else g.y
    return F.binary_cross_entropy_with_logits(g.x, levels)


@reference(
    "CORN",
    r"\bcorn\b",
    {**BOTH, "classes": CLASSES},
    ranks,
    optional=("classes",),
    trained=("x",),
    options=[Option("classes", r"num_classes|k|n_classes", 4, (4,))],
)
def corn(g: Given, pick: Pick) -> Any:
    total, means, count = torch.zeros(()), torch.zeros(()), 0
    for k in range(3):
        kept = g.y > k - 1
        each = F.binary_cross_entropy_with_logits(g.x[kept, k], (g.y[kept] > k).double(), reduction="sum")
        total, means = total + each, means + each / kept.sum()
        count += int(kept.sum())
    return pick(total / count, means)


@reference(
    "the ordinal loss of levels",
    r"ordinal",
    {**BOTH, "classes": CLASSES},
    ranks,
    optional=("classes",),
    trained=("x",),
    unless=r"coral|corn|emd|soft|weighted|kappa|cumulative|unimodal|distribution|thresh",
    options=[Option("classes", r"num_classes|k|n_classes", 4, (4,))],
)
def levels(g: Given, pick: Pick) -> Any:
    return F.binary_cross_entropy_with_logits(g.x, (g.y[:, None] > torch.arange(3)).double())


@reference(
    "the squared earth mover's distance",
    r"\bemd\b|earth mover|\bcdf\b|ranked probability|\brps\b",
    BOTH,
    labelled,
    lambda s: {"x": share(s, 4, 3), "y": share(s + 1, 4, 3).softmax(1)},
    trained=("x",),
    unless=r"chamfer|point",
)
def earth(g: Given, pick: Pick) -> Any:
    p = pick(g.x.softmax(1), g.x)
    y = F.one_hot(g.y, 3).double() if g.y.dim() == 1 else g.y
    gap = p.cumsum(1) - y.cumsum(1)
    return pick(gap.square().mean(), gap.square().mean(1).sqrt().mean(), gap.abs().mean())


def embedded(seed: int) -> dict[str, Any]:
    return {"x": real(seed, 5, 4), "y": whole(seed, 3, 5)}


HEAD = {"x": r"emb\w*|feat\w*|x|input|features|z|cos\w*|logits", "y": LABELS}
SCALE = Option("s", r"s|scale|gamma", 3.0, (30.0, 64.0))


def cosines(g: Given) -> Tensor:
    """Cosines of embeddings with the classes' weights, which the loss has or is given."""
    if not g.parameters:
        return g.x.clamp(-0.95, 0.95)  # type: ignore[no-any-return]
    w = g.parameters[0]
    w = w if w.shape[-1] == g.x.shape[1] else w.T
    return F.normalize(g.x) @ F.normalize(w).T


SIZES = [
    Option("classes", r"num_classes|n_classes|out_features|num_class", 3),
    Option("size", r"embedding_size|in_features|emb\w*_dim|feat\w*_dim|dim|embedding_dim", 4),
]


@reference(
    "ArcFace",
    r"arc ?(face|margin)|additive angular",
    HEAD,
    embedded,
    lambda s: {"x": 2 * share(s, 5, 3) - 1, "y": whole(s, 3, 5)},
    options=[SCALE, Option("m", r"m|margin", 0.4, (0.5,)), *SIZES],
    trained=("x",),
    states=True,
    unless="sub ?center|dynamic",
)
def arcface(g: Given, pick: Pick) -> Any:
    cos = cosines(g)
    moved = (cos.acos() + g.m).cos() if g.parameters or g.x.shape[1] == 3 else cos
    if pick(True, False):
        border = torch.cos(torch.tensor(torch.pi - g.m, dtype=torch.float64))
        beyond = cos - g.m * torch.sin(torch.tensor(torch.pi - g.m, dtype=torch.float64))
        moved = torch.where(cos > border, moved, pick(beyond, cos))
    return F.cross_entropy(g.s * torch.where(F.one_hot(g.y, cos.shape[1]).bool(), moved, cos), g.y)


@reference(
    "CosFace",
    r"cos ?face|am ?soft ?max|additive margin|large margin cosine",
    HEAD,
    embedded,
    lambda s: {"x": 2 * share(s, 5, 3) - 1, "y": whole(s, 3, 5)},
    options=[SCALE, Option("m", r"m|margin", 0.3, (0.35, 0.4)), *SIZES],
    trained=("x",),
    states=True,
)
def cosface(g: Given, pick: Pick) -> Any:
    cos = cosines(g)
    return F.cross_entropy(g.s * (cos - g.m * F.one_hot(g.y, cos.shape[1])), g.y)


@reference(
    "the center loss",
    r"\bcenter loss|centre loss",
    HEAD,
    embedded,
    options=SIZES,
    trained=("x",),
    states=True,
    unless=r"triplet|contrastive",
    free=True,
)
def center(g: Given, pick: Pick) -> Any:
    centers = [each for each in g.buffers.values() if each.dim() == 2]  # that a moving average updates
    return (g.x - (g.parameters or centers)[0][g.y]).square().sum(1).mean()
