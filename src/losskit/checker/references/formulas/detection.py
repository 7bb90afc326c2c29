"""Detection and representation: further losses of boxes, scores with a quality, and spreads of embeddings."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from losskit.checker.references.formulas.boxes import (
    BOXES,
    averaged,
    boxes,
    by_center,
    distance_of_centers,
    of_boxes,
    overlap,
)
from losskit.checker.references.formulas.classification import ALPHA, BOTH, GAMMA
from losskit.checker.references.formulas.numbers import option
from losskit.checker.references.reference import Given, Option, Pick, real, reference, share, whole, zeros_and_ones


@of_boxes("the EIoU loss", r"\be ?iou|efficient (intersection|iou)", r"focal|family")
def eiou(g: Given, pick: Pick) -> Any:
    inter, union, hull, x, y = overlap(g, pick)
    sides = (((x[:, 2:] - x[:, :2]) - (y[:, 2:] - y[:, :2])).square() / hull.square()).sum(1)
    return averaged(distance_of_centers(x, y, hull) + sides - inter / union, g, pick)


@reference(
    "the normalized Wasserstein distance of boxes",
    r"\bnwd\b|normali[sz]ed (gaussian )?wasserstein",
    BOXES,
    by_center,
    boxes,
    options=[option("c", r"c|constant|tau", 1.5, 12.8, 2.0)],
    trained=("x",),
)
def wasserstein_of_boxes(g: Given, pick: Pick) -> Any:
    square = (g.x - g.y)[:, :2].square().sum(1) + (g.x - g.y)[:, 2:].square().sum(1) / 4
    return -(-square.sqrt() / g.c).exp().mean()


def qualities(seed: int) -> dict[str, Any]:
    return {"x": real(seed, 8), "y": zeros_and_ones(seed, 8) * share(seed + 1, 8)}


@reference(
    "the quality focal loss",
    r"quality focal|\bqfl\b",
    BOTH,
    qualities,
    options=[Option("beta", r"beta|gamma", 1.6, (2.0,))],
    trained=("x",),
)
def quality_focal(g: Given, pick: Pick) -> Any:
    p = g.x.sigmoid()
    entropy = F.binary_cross_entropy_with_logits(g.x, g.y, reduction="none")
    return (entropy * pick.maybe_detached((g.y - p).abs()) ** g.beta).mean()


def classes_and_scores(seed: int) -> dict[str, Any]:
    return {"x": real(seed, 6, 3), "label": whole(seed, 4, 6), "score": share(seed + 1, 6)}


@reference(
    "the quality focal loss of classes",
    r"quality focal|\bqfl\b",
    {"x": BOTH["x"], "label": r"labels?|cls\w*|y", "score": r"scores?|quality|iou\w*|q"},
    classes_and_scores,
    options=[Option("beta", r"beta|gamma", 1.6, (2.0,))],
    trained=("x",),
    free=True,
)
def quality_of_classes(g: Given, pick: Pick) -> Any:
    own = F.one_hot(g.label, 4)[:, :3]  # the last is the background
    y = own * g.score[:, None]
    entropy = F.binary_cross_entropy_with_logits(g.x, y, reduction="none")
    return (entropy * pick.maybe_detached((y - g.x.sigmoid()).abs()) ** g.beta).sum(1).mean()


@reference(
    "the quality focal loss of classes",
    r"quality focal|\bqfl\b",
    BOTH,
    lambda s: {"x": real(s, 6, 3), "y": (whole(s, 4, 6), share(s + 1, 6))},
    options=[Option("beta", r"beta|gamma", 1.6, (2.0,))],
    trained=("x",),
    free=True,
)
def quality_of_a_pair(g: Given, pick: Pick) -> Any:
    return quality_of_classes(
        Given({"x": g.x, "label": g.y[0], "score": g.y[1]}, g.numbers, g.free, pick, g.text, {}), pick
    )


@reference(
    "the binary focal loss of weighted anchors",
    r"focal",
    {**BOTH, "w": r"(anchor_?|cls_?|loss_?)?weights?|w|\w*mask"},
    lambda s: {"x": real(s, 2, 4, 3), "y": zeros_and_ones(s, 2, 4, 3), "w": share(s + 1, 2, 4)},
    lambda s: {"x": real(s, 6, 3), "y": zeros_and_ones(s, 6, 3), "w": share(s + 1, 6)},
    options=[ALPHA, GAMMA],
    trained=("x",),
    unless=r"tversky|dice|heat ?map|qfl|quality|center|corner|vari|iou|reduced|unified|freq",
)
def focal_of_anchors(g: Given, pick: Pick) -> Any:
    if not g.called("w", "^w|weight|mask"):
        return g.x.sum() * torch.nan
    p = g.x.sigmoid()
    right = torch.where(g.y > 0.5, p, 1 - p)
    balance = torch.where(g.y > 0.5, g.alpha, 1 - g.alpha)
    each = -(pick(balance, torch.ones_like(p)) * pick.maybe_detached(1 - right) ** g.gamma * right.log()).sum(-1)
    return pick.mean(each, g.w)


@reference(
    "the varifocal loss", r"vari ?focal|\bvfl\b", BOTH, qualities, options=[ALPHA, GAMMA], trained=("x",), free=True
)
def varifocal(g: Given, pick: Pick) -> Any:
    weight = torch.where(g.y > 0, g.y, g.alpha * pick.maybe_detached(g.x.sigmoid()) ** g.gamma)
    each = F.binary_cross_entropy_with_logits(g.x, g.y, reduction="none") * weight
    return each.sum() / pick(1, (g.y > 0).sum(), g.y.sum())


@reference("the KoLeo regularizer", r"ko ?leo", {"x": r"x|z|emb\w*|feat\w*|student\w*"}, lambda s: {"x": real(s, 5, 3)})
def koleo(g: Given, pick: Pick) -> Any:
    x = F.normalize(g.x) if pick(True, False) else g.x
    square = (x[:, None] - x[None]).square().sum(2).masked_fill(torch.eye(5, dtype=torch.bool), torch.inf)
    return -square.amin(1).sqrt().log().mean()


@reference(
    "the loss of deep embedded clustering",
    r"\bdec\b|deep embedded clustering",
    {"z": r"z|x|emb\w*|feat\w*|h", "c": r"cent\w*|mu|clusters?|c|prototypes?"},
    lambda s: {"z": real(s, 5, 2), "c": real(s + 1, 3, 2)},
    options=[Option("alpha", r"alpha|v|nu", 1.4, (1.0,))],
    free=True,
)
def embedded_clusters(g: Given, pick: Pick) -> Any:
    q = (1 + (g.z[:, None] - g.c[None]).square().sum(2) / g.alpha) ** (-(g.alpha + 1) / 2)
    q = q / q.sum(1, keepdim=True)
    w = q.square() / q.sum(0)
    p = pick.maybe_detached(w / w.sum(1, keepdim=True))
    return (p * (p / q).log()).sum(1).mean()


def labelled_images(seed: int) -> dict[str, Any]:
    """Batches of several sizes, as a mean and a sum differ by them."""
    size = 2 + seed // 100 % 2
    return {"x": 2 * real(seed, size, 2, 3, 4), "y": torch.stack([whole(seed + n, 3, 3, 4) for n in range(size)])}


OF_INSTANCES = r"discriminative (instance )?(loss|embedding)|instance embedding"
EMBEDDED = {"x": r"emb\w*|x|feat\w*|pixels?|input\w*|pred\w*", "y": r"labels?|ids?|instances?|targets?|y|gt\w*|inst\w*"}
DELTAS = [
    Option("near", r"delta_?v\w*|margin_?v\w*|delta_?var", 0.4, (0.5,)),
    Option("far", r"delta_?d\w*|margin_?d\w*|delta_?dist", 1.2, (1.5, 3.0)),
]


@reference(
    "the discriminative loss of instances",
    OF_INSTANCES,
    EMBEDDED,
    lambda s: {"x": 2 * real(s, 8, 2), "y": whole(s, 3, 8)},
    options=DELTAS,
    free=True,
)
def discriminative(g: Given, pick: Pick) -> Any:
    terms = _of_instances(g, g.x, g.y, pick, 0)
    return terms[:2] if pick(True, False) else terms


@reference(
    "the discriminative loss of images",
    OF_INSTANCES,
    EMBEDDED,
    labelled_images,
    lambda s: {"x": labelled_images(s)["x"], "y": labelled_images(s)["y"].unsqueeze(1)},
    options=DELTAS,
    trained=("x",),
)
def discriminative_of_images(g: Given, pick: Pick) -> Any:
    lowest = pick(0, 1)  # 0 may be the background
    ways = Pick(tuple(pick(*range(n)) for n in (2, 2)))
    parts = torch.stack(
        [
            torch.stack(_of_instances(g, x.flatten(1).T, y.flatten(), Pick(ways.path), lowest))
            for x, y in zip(g.x, g.y, strict=True)
        ]
    )
    terms = parts.mean(0).unbind()
    return terms[:2] if pick(True, False) else terms


def _of_instances(g: Given, x: Tensor, y: Tensor, pick: Pick, lowest: int) -> tuple[Tensor, Tensor, Tensor]:
    """How far embeddings are from the mean of their instance, how near the means are, and their lengths."""
    norm, squared = pick(2, 1), pick(2, 1)
    means = torch.stack([x[y == k].mean(0) for k in range(lowest, 3)])
    own = enumerate(range(lowest, 3))
    pulls = [F.relu((x[y == k] - means[n]).norm(norm, dim=1) - g.near).pow(squared).mean() for n, k in own]
    above = torch.triu_indices(len(means), len(means), 1)
    pushes = F.relu(2 * g.far - (means[above[0]] - means[above[1]]).norm(norm, dim=1)).pow(squared)
    return torch.stack(pulls).mean(), pushes.mean(), means.norm(norm, dim=1).mean()


@reference(
    "the bivariate Gaussian likelihood",
    r"bivariate",
    {
        "mx": r"mu_?x|mean_?x",
        "my": r"mu_?y|mean_?y",
        "sx": r"s_?x|sig\w*_?x|std_?x",
        "sy": r"s_?y|sig\w*_?y|std_?y",
        "rho": r"rho|corr\w*",
        "x": r"x|target_?x|y_?x",
        "y": r"y|target_?y|y_?y",
    },
    lambda s: {
        "mx": real(s, 6),
        "my": real(s + 1, 6),
        "sx": 0.4 + share(s + 2, 6),
        "sy": 0.4 + share(s + 3, 6),
        "rho": 1.4 * share(s + 4, 6) - 0.7,
        "x": real(s + 5, 6),
        "y": real(s + 6, 6),
    },
    trained=("mx", "my", "sx", "sy", "rho"),
)
def bivariate(g: Given, pick: Pick) -> Any:
    dx, dy, rest = (g.x - g.mx) / g.sx, (g.y - g.my) / g.sy, 1 - g.rho.square()
    return (
        (dx.square() + dy.square() - 2 * g.rho * dx * dy) / (2 * rest) + (g.sx * g.sy).log() + rest.log() / 2
    ).mean()
