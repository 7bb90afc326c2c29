"""Masks of images: the Lovász extension, overlaps under a mask, and sums with other losses."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from losskit.checker.references.formulas.classification import ALPHA, GAMMA
from losskit.checker.references.formulas.overlaps import (
    COUNT,
    MASKS,
    SMOOTH,
    channel_of_labels,
    one_hot_of,
    smoothing,
    sums_over,
)
from losskit.checker.references.reference import Given, Option, Pick, real, reference, share, whole, zeros_and_ones


def extension(errors: Tensor, truth: Tensor, plus: Any) -> Tensor:
    """The Lovász extension of the Jaccard loss at errors of the elements."""
    order = errors.detach().argsort(descending=True)
    y = truth[order]
    inter, union = y.sum() - y.cumsum(0), y.sum() + (1 - y).cumsum(0)
    jaccard = 1 - inter / union
    steps = torch.cat([jaccard[:1], jaccard.diff()])
    total: Tensor = (plus(errors[order]) * steps).sum()
    return total


@reference(
    "the Lovász hinge loss",
    r"lov[aá]sz",
    MASKS,
    lambda s: {"x": real(s, 2, 3, 4), "y": zeros_and_ones(s, 2, 3, 4)},
    lambda s: {"x": real(s, 2, 1, 3, 4), "y": zeros_and_ones(s, 2, 1, 3, 4)},
    trained=("x",),
    unless=r"soft ?max|multi ?class|bce|dice|focal|\bce\b|combo",
)
def lovasz_hinge(g: Given, pick: Pick) -> Any:
    groups = [(g.x.flatten(), g.y.flatten())] if pick(False, True) else list(zip(g.x, g.y, strict=True))
    kind = pick("hinge", "elu", "sigmoid", "given")
    total = torch.zeros((), dtype=torch.float64)
    for x, y in groups:
        x, y = x.flatten(), y.flatten()
        if kind in ("hinge", "elu"):
            plus: Any = F.relu if kind == "hinge" else lambda e: F.elu(e) + 1
            total = total + extension(1 - x * (2 * y - 1), y, plus)
        else:
            p = x.sigmoid() if kind == "sigmoid" else x
            total = total + extension((y - p).abs(), y, lambda e: e)
    return total


@reference(
    "the Lovász-Softmax loss",
    r"lov[aá]sz",
    MASKS,
    lambda s: {"x": share(s, 2, 3, 3, 4), "y": whole(s, 3, 2, 3, 4)},
    trained=("x",),
    unless=r"hinge|binary|bce|dice|focal|\bce\b|combo",
)
def lovasz_softmax(g: Given, pick: Pick) -> Any:
    p = pick(g.x.softmax(1), g.x).movedim(1, -1)
    groups = [(p, g.y)] if pick(True, False) else list(zip(p, g.y, strict=True))
    present = pick(True, False)
    total = torch.zeros((), dtype=torch.float64)
    for q, y in groups:
        each = []
        for c in range(3):
            truth = (y.flatten() == c).double()
            if truth.sum() > 0 or not present:
                each.append(extension((truth - q.reshape(-1, 3)[:, c]).abs(), truth, lambda e: e))
        total = total + torch.stack(each).mean()
    return total


VALID = r"\w*mask\w*|valid\w*|roi\w*|m"


@reference(
    "the Dice loss under a mask",
    r"\bdice|mask\w* dice",
    {"x": MASKS["x"], "y": MASKS["y"], "m": VALID},
    lambda s: {"x": share(s, 2, 1, 3, 3), "y": zeros_and_ones(s, 2, 1, 3, 3), "m": zeros_and_ones(s + 2, 2, 1, 3, 3)},
    lambda s: {"x": share(s, 2, 3, 3), "y": zeros_and_ones(s, 2, 3, 3), "m": zeros_and_ones(s + 2, 2, 3, 3)},
    trained=("x",),
    options=[SMOOTH, COUNT],
    unless=r"bce|\bce\b|focal|log ?cosh|general|gdl|boundary|cl ?dice|entropy|tversky|jaccard|dice ?iou|combo",
)
def masked_dice(g: Given, pick: Pick) -> Any:
    if not g.called("m", VALID) or g.called("m", "^masks$"):
        return g.x.sum() * torch.nan
    p, y, m = (each.reshape(2, -1) for each in (pick(g.x.sigmoid(), g.x), g.y, g.m))
    p, y = p * m, y * m
    axes = pick((1,), (0, 1))
    total = p.square().sum(axes) + y.square().sum(axes) if pick(False, True) else p.sum(axes) + y.sum(axes)
    above, below = smoothing(g, pick)
    return (1 - (2 * (p * y).sum(axes) + above) / (total + below)).mean()


@reference(
    "the sum of cross entropy and Dice",
    r"\b(ce|dc) .*dice|dice ?\bce\b|\bdc (and )?ce\b|cross ?entropy.*\bdice|\bdice.*cross ?entropy",
    MASKS,
    channel_of_labels,
    lambda s: {"x": share(s, 2, 3, 2, 3), "y": whole(s, 3, 2, 2, 3)},
    options=[SMOOTH],
    trained=("x",),
    unless=r"bce|binary|focal|edge",
    free=True,
)
def ce_dice_of_channel(g: Given, pick: Pick) -> Any:
    p, y = g.x.softmax(1), one_hot_of(g.x, g.y)
    labels = y.argmax(1)
    p, y = (p[:, 1:], y[:, 1:]) if pick(False, True) else (p, y)
    p, y = p.flatten(2), y.flatten(2)
    axes = sums_over(pick, True)
    total = p.square().sum(axes) + y.square().sum(axes) if pick(False, True) else p.sum(axes) + y.sum(axes)
    above, below = smoothing(g, pick)
    index = (2 * (p * y).sum(axes) + above) / (total + below)
    return F.cross_entropy(g.x, labels), -index.mean() if pick(True, False) else -(index.mean() + 1e-12).log()


def of_all_classes(seed: int, *size: int) -> dict[str, Any]:
    """Labels of which each sample has every class."""
    labels = torch.stack([whole(seed + 7 * n, 3, *size) for n in range(2)])
    return {"x": share(seed, 2, 3, *size), "y": labels}


@reference(
    "the generalized Dice loss",
    r"generali[sz]ed (soft )?dice|\bgdl\b|\bgdl ?3d",
    MASKS,
    lambda s: of_all_classes(s, 2, 3),
    lambda s: {**of_all_classes(s, 2, 3), "y": one_hot_of(of_all_classes(s, 2, 3)["x"], of_all_classes(s, 2, 3)["y"])},
    lambda s: of_all_classes(s, 2, 2, 2),
    options=[Option("smooth", SMOOTH.names, 1e-6, (1e-6,))],
    trained=("x",),
    unless=r"focal|image|gradient|difference|wasserstein|bce|\bce\b",
)
def generalized_dice(g: Given, pick: Pick) -> Any:
    y = one_hot_of(g.x, g.y).flatten(2)
    p = pick(g.x.softmax(1), g.x, g.x.sigmoid()).flatten(2)
    axes = pick((2,), (0, 2))
    volume = y.sum(axes)
    w = 1 / pick(volume.square(), volume)
    total = p.square() + y if pick(False, True) else p + y
    above, below = (w * (p * y).sum(axes)).sum(-1), (w * total.sum(axes)).sum(-1)
    return -((2 * above + pick(0, 1) * g.smooth) / (below + g.smooth)).mean()


@reference(
    "the sum of binary cross entropy and Dice under a mask",
    r"(bce|binary cross ?entropy).*dice|dice.*(bce|binary cross)",
    {"x": MASKS["x"], "y": MASKS["y"], "m": VALID},
    lambda s: {"x": share(s, 2, 1, 3, 3), "y": zeros_and_ones(s, 2, 1, 3, 3), "m": zeros_and_ones(s + 2, 2, 1, 3, 3)},
    trained=("x",),
    options=[SMOOTH],
    unless=r"focal|log ?cosh",
    free=True,
)
def masked_bce_dice(g: Given, pick: Pick) -> Any:
    if not g.called("m", VALID) or g.called("m", "^masks$"):
        return g.x.sum() * torch.nan
    p, y, m = (each.reshape(2, -1) for each in (g.x.sigmoid() if pick(True, False) else g.x, g.y, g.m))
    entropy = (F.binary_cross_entropy(p, y, reduction="none") * m).sum() / pick(m.sum(), 1)
    p, y = p * m, y * m
    axes = pick((1,), (0, 1))
    total = p.square().sum(axes) + y.square().sum(axes) if pick(False, True) else p.sum(axes) + y.sum(axes)
    above, below = smoothing(g, pick)
    return entropy, -((2 * (p * y).sum(axes) + above) / (total + below)).mean()


@reference(
    "the sum of a focal loss and Dice",
    r"focal.{0,5}dice|dice.{0,5}focal",
    MASKS,
    lambda s: {"x": share(s, 2, 1, 3, 3), "y": zeros_and_ones(s, 2, 1, 3, 3)},
    options=[ALPHA, GAMMA, SMOOTH],
    trained=("x",),
    unless=r"tversky|multi|lovasz",
    free=True,
)
def focal_dice(g: Given, pick: Pick) -> Any:
    p = g.x.sigmoid() if pick(True, False) else g.x
    right = torch.where(g.y > 0.5, p, 1 - p)
    balance = pick(torch.ones_like(p), torch.where(g.y > 0.5, g.alpha, 1 - g.alpha))
    focal = -(balance * (1 - right) ** g.gamma * right.log()).mean()
    p, y = p.reshape(2, -1), g.y.reshape(2, -1)
    axes = pick((1,), (0, 1))
    above, below = smoothing(g, pick)
    return focal, -((2 * (p * y).sum(axes) + above) / (p.sum(axes) + y.sum(axes) + below)).mean()


@reference(
    "the sum of cross entropy and the Jaccard loss",
    r"(bce|binary cross ?entropy).*(jaccard|\biou)|(jaccard|\biou).*(bce|binary cross)",
    MASKS,
    lambda s: {"x": share(s, 2, 1, 3, 3), "y": zeros_and_ones(s, 2, 1, 3, 3)},
    options=[SMOOTH],
    trained=("x",),
    unless=r"focal|dice|ssim|box",
    free=True,
)
def bce_jaccard(g: Given, pick: Pick) -> Any:
    p = g.x.sigmoid() if pick(True, False) else g.x
    entropy = F.binary_cross_entropy(p, g.y)
    p, y = p.reshape(2, -1), g.y.reshape(2, -1)
    axes = pick((1,), (0, 1))
    inter = (p * y).sum(axes)
    index = (inter + pick(1, 0) * g.smooth) / (p.sum(axes) + y.sum(axes) - inter + g.smooth)
    return entropy, pick(-index.mean(), -index.log().mean())


@reference(
    "the boundary loss of distance maps",
    r"^(boundary|surface) loss|distance map|kervadec",
    {"x": MASKS["x"], "d": r"dist\w*|\w*_dist\w*|phi|\w*maps?|sdf|sdm|bound\w*"},
    lambda s: {"x": share(s, 2, 3, 3, 3), "d": real(s + 1, 2, 3, 3, 3)},
    lambda s: {"x": share(s, 2, 1, 3, 3), "d": real(s + 1, 2, 1, 3, 3)},
    trained=("x",),
    unless=r"hausdorff|dice|edge|f1",
)
def boundary(g: Given, pick: Pick) -> Any:
    if not g.called("d", "dist|phi|map|sd|bound|^d$"):
        return g.x.sum() * torch.nan
    p, d = pick(g.x, g.x.softmax(1), g.x.sigmoid()), g.d
    chosen = pick(slice(None), slice(1, None), slice(1, 2)) if p.shape[1] > 1 else slice(None)
    return (p * d)[:, chosen].mean()


@reference(
    "binary cross entropy",
    r"^(weighted |masked |soft |pixel\w* )?(bce|binary cross ?entropy)|"
    r"^multi ?label (loss|bce|cross ?entropy|soft margin)|^sigmoid (ce|cross ?entropy)",
    MASKS,
    lambda s: {"x": share(s, 3, 4), "y": share(s + 1, 3, 4).round()},
    lambda s: {"x": share(s, 6), "y": zeros_and_ones(s, 6)},
    lambda s: {"x": share(s, 2, 1, 3, 3), "y": zeros_and_ones(s, 2, 1, 3, 3)},
    options=[
        Option("weight", r"pos_?w\w*|w_?pos|positive_weight", 2.5, (1.0,)),
        Option("eps", r"(label_?)?smooth\w*", 0.2, (0.0,)),
    ],
    trained=("x",),
    unless=r"dice|focal|iou|jaccard|lov|balanced|edge|boundary|ohem|hard|class ?bal|asym|rank|tversky|gan|critic|bound|"
    r"discriminator|kd|distill|soft ?max|dynamic|uncertain|ignor",
)
def binary_entropy(g: Given, pick: Pick) -> Any:
    p = pick(g.x.sigmoid(), g.x)
    y = pick(g.y * (1 - g.eps) + 0.5 * g.eps, g.y * (1 - g.eps) + (1 - g.y) * g.eps) if g.bound("eps") else g.y
    each = -(g.weight * y * p.log() + (1 - y) * (1 - p).log())
    return each.mean() if pick(True, False) else each.sum() / (g.weight * y + 1 - y).sum()


def one_marked(seed: int, *size: int) -> Tensor:
    """Masks of few positives, of which each sample has one."""
    made = (share(seed + 1, *size) > 0.7).double()
    made.flatten(1)[:, 0] = 1
    return made


@reference(
    "the balanced binary cross entropy",
    r"balanced (bce|binary|cross ?entropy|edge)|\bhed\b|edge (bce|cross ?entropy)",
    MASKS,
    lambda s: {"x": share(s, 2, 1, 3, 3), "y": one_marked(s, 2, 1, 3, 3)},
    lambda s: {"x": share(s, 2, 3, 3), "y": one_marked(s, 2, 3, 3)},
    options=[Option("factor", r"lam\w*|gamma|factor|balance", 1.3, (1.0, 1.1))],
    trained=("x",),
    unless=r"class balanced (loss|focal|soft)|effective|dice|focal|hard|ratio",
)
def balanced_entropy(g: Given, pick: Pick) -> Any:
    p = pick(g.x.sigmoid(), g.x).flatten(1)
    y = g.y.flatten(1)
    minus = 1 - (y.mean(1, keepdim=True) if pick(False, True) else y.mean())
    return -(y * minus * p.log() + g.factor * (1 - y) * (1 - minus) * (1 - p).log()).mean()
