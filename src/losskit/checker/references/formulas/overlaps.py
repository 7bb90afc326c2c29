"""Overlaps of masks: Dice, Jaccard and Tversky, binary and of several classes."""

from __future__ import annotations

import re
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from losskit.checker.references.reference import Given, Option, Pick, reference, share, whole, zeros_and_ones

MASKS = {
    "x": r"input\w*|pred\w*|logits?|y_?pred|y_?hat|out\w*|prob\w*|scores?|x|net_output|pr|p",
    "y": r"target\w*|mask\w*|label\w*|y|y_?true|gt|truth|true|ground\w*|labels?|t|g",
}
SMOOTH = Option("smooth", r"smooth\w*|eps\w*|epsilon", 0.3, (0.0, 1.0), True)
COUNT = Option("count", r"num_(boxes|masks|objects)|avg_factor", 3.0, (1.0,))  # divides the loss


def binary(seed: int) -> dict[str, Any]:
    return {"x": share(seed, 2, 1, 3, 3), "y": zeros_and_ones(seed, 2, 1, 3, 3)}


def flat(seed: int) -> dict[str, Any]:
    return {"x": share(seed, 2, 3, 3), "y": zeros_and_ones(seed, 2, 3, 3)}


def classes(seed: int) -> dict[str, Any]:
    return {"x": share(seed, 2, 3, 2, 3), "y": whole(seed, 3, 2, 2, 3)}


def one_hot(seed: int) -> dict[str, Any]:
    return {"x": share(seed, 2, 3, 2, 3), "y": F.one_hot(whole(seed, 3, 2, 2, 3), 3).movedim(3, 1).double()}


def channel_of_labels(seed: int) -> dict[str, Any]:
    return {"x": share(seed, 2, 3, 2, 3), "y": whole(seed, 3, 2, 1, 2, 3)}


def volumes(seed: int) -> dict[str, Any]:
    return {"x": share(seed, 2, 3, 2, 2, 2), "y": whole(seed, 3, 2, 2, 2, 2)}


def one_hot_of(x: Tensor, y: Tensor) -> Tensor:
    """The target in the shape of the scores."""
    if y.dtype != torch.int64:
        return y
    y = y.squeeze(1) if y.dim() == x.dim() else y
    return F.one_hot(y, x.shape[1]).movedim(-1, 1).double()


def prepared(g: Given, pick: Pick) -> tuple[Tensor, Tensor]:
    """Probabilities and a target of the same shape, (samples, channels, positions)."""
    x, y = g.x, one_hot_of(g.x, g.y)
    several = x.dim() > 3 and x.shape[1] > 1
    kind = pick("softmax", "given", "sigmoid") if several else pick("sigmoid", "given")
    p = {"softmax": lambda: x.softmax(1), "given": lambda: x, "sigmoid": x.sigmoid}[kind]()
    channels = x.shape[1] if several else 1
    p, y = (each.reshape(len(each), channels, -1) for each in (p, y))
    if several and kind != "sigmoid" and pick(False, True):
        p, y = p[:, 1:], y[:, 1:]
    return p, y


def averaged(index: Tensor, y: Tensor, axes: tuple[int, ...], pick: Pick) -> Tensor:
    """A mean of 1 minus the overlap: of all classes, or of those that occur."""
    if axes not in ((2,), (0, 2)):
        return (1 - index).mean()
    occurs = y.sum(axes) > 0
    kind = pick("all", "others 0", "occurring")
    loss = 1 - index
    return loss.mean() if kind == "all" else (loss * occurs).mean() if kind == "others 0" else loss[occurs].mean()


def sums_over(pick: Pick, several: bool) -> tuple[int, ...]:
    return pick((2,), (0, 2), (1, 2), (0, 1, 2)) if several else pick((1, 2), (0, 1, 2))  # type: ignore[no-any-return]


@reference(
    "the Dice loss",
    r"\bdice|similar to generalized iou for masks",
    MASKS,
    binary,
    flat,
    one_hot,
    classes,
    volumes,
    channel_of_labels,
    trained=("x",),
    options=[SMOOTH, COUNT],
    unless=r"bce|\bce\b|focal|log ?cosh|generali[sz]ed dice|gdl|\bg ?dice|boundary|cl ?dice|entropy|tversky|"
    r"self ?adjust|\bdsc|\bmasked dice|jaccard|dice ?iou|\biou dice|combo",
)
def dice(g: Given, pick: Pick) -> Any:
    p, y = prepared(g, pick)
    axes = sums_over(pick, p.shape[1] > 1)
    squared = pick(False, True)
    total = p.square().sum(axes) + y.square().sum(axes) if squared else p.sum(axes) + y.sum(axes)
    above, below = smoothing(g, pick)
    doubled = pick(2, 1) if p.shape[1] == 1 else 2
    index = (doubled * (p * y).sum(axes) + above) / (total + below)
    return averaged(index, y, axes, pick) if pick(True, False) else -index.mean().log()


def smoothing(g: Given, pick: Pick) -> tuple[float, float]:
    """The constants above and below; they count twice where the factor 2 stands outside."""
    above, below = pick((1, 1), (2, 2), (0, 1), (0, 2))
    return above * g.smooth, below * g.smooth


@reference(
    "the Jaccard loss",
    r"jaccard|\biou\b|soft ?iou",
    MASKS,
    binary,
    flat,
    one_hot,
    classes,
    trained=("x",),
    options=[SMOOTH],
    unless=r"bce|\bce\b|focal|box|giou|diou|ciou|lovasz|dice|log|entropy",
)
def jaccard(g: Given, pick: Pick) -> Any:
    p, y = prepared(g, pick)
    axes = sums_over(pick, p.shape[1] > 1)
    inter = (p * y).sum(axes)
    union = (p + y - p * y).sum(axes) if pick(True, False) else p.square().sum(axes) + y.sum(axes) - inter
    index = (inter + pick(1, 0) * g.smooth) / (union + g.smooth)
    return averaged(index, y, axes, pick) if pick(True, False) else -index.log().mean()


@reference(
    "the Tversky loss",
    r"tversky",
    MASKS,
    binary,
    flat,
    one_hot,
    classes,
    trained=("x",),
    options=[
        Option("alpha", r"alpha|a|fp_w\w*|w_?fp", 0.35, (0.3, 0.5, 0.7)),
        Option("beta", r"beta|b|fn_w\w*|w_?fn", 0.8, (0.7, 0.5, 0.3)),
        SMOOTH,
    ],
    unless=r"focal|unified|\bce\b|bce|combo",
)
def tversky(g: Given, pick: Pick) -> Any:
    p, y = prepared(g, pick)
    axes = sums_over(pick, p.shape[1] > 1)
    alpha, beta = weights(g, pick)
    right, extra, missed = (each.sum(axes) for each in (p * y, p * (1 - y), (1 - p) * y))
    index = (right + g.smooth * pick(1, 0)) / (right + alpha * extra + beta * missed + g.smooth)
    return averaged(index, y, axes, pick)


def weights(g: Given, pick: Pick) -> tuple[float, float]:
    """Which errors alpha and beta weigh, as documented; otherwise either way."""
    alpha, beta = g.alpha, g.beta if g.bound("beta") or not g.bound("alpha") else 1 - g.alpha
    said = " ".join(g.text.said.split())
    found = re.search(r"alpha\W[^.;]{0,60}?(false.?(pos|neg)|\bfp|\bfn|false alarm|miss)", said)
    if found is None:
        return pick((alpha, beta), (beta, alpha))  # type: ignore[no-any-return]
    of_extra = "pos" in found[1] or "fp" in found[1] or "alarm" in found[1]
    return (alpha, beta) if of_extra else (beta, alpha)


@reference(
    "the focal Tversky loss",
    r"focal ?tversky",
    MASKS,
    binary,
    flat,
    trained=("x",),
    options=[
        Option("alpha", r"alpha|a", 0.35, (0.3, 0.5, 0.7)),
        Option("beta", r"beta|b", 0.8, (0.7, 0.5, 0.3)),
        Option("gamma", r"gamma|g", 1.4, (0.75, 4 / 3, 1.0, 2.0)),
        SMOOTH,
    ],
    unless=r"unified|\bce\b|bce|combo",
)
def focal_tversky(g: Given, pick: Pick) -> Any:
    p, y = prepared(g, pick)
    axes = sums_over(pick, False)
    alpha, beta = weights(g, pick)
    right, extra, missed = (each.sum(axes) for each in (p * y, p * (1 - y), (1 - p) * y))
    index = (right + g.smooth * pick(1, 0)) / (right + alpha * extra + beta * missed + g.smooth)
    return ((1 - index) ** pick(g.gamma, 1 / g.gamma)).mean()


@reference(
    "the sum of cross entropy and Dice",
    r"(bce|binary cross ?entropy).*dice|dice.*(bce|binary cross)",
    MASKS,
    binary,
    flat,
    trained=("x",),
    options=[SMOOTH],
    unless=r"focal|masked|log ?cosh|\broi\b|region of",
    free=True,
)
def bce_dice(g: Given, pick: Pick) -> Any:
    p, y = prepared(g, pick)
    p = g.x.reshape(p.shape).sigmoid() if pick(True, False) else p
    axes = sums_over(pick, False)
    entropy = F.binary_cross_entropy(p, y)
    total = p.square().sum(axes) + y.square().sum(axes) if pick(False, True) else p.sum(axes) + y.sum(axes)
    index = (2 * (p * y).sum(axes) + g.smooth * pick(1, 0, 2)) / (total + g.smooth * pick(1, 2))
    return entropy, -index.mean()
