"""Classes of unequal frequency, and elements that are hard: weights, margins and choices in a cross entropy."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from losskit.checker.references.formulas.classification import BOTH, GAMMA, logs_of_class, pixels
from losskit.checker.references.reference import Given, Option, Pick, real, reference, share, whole, zeros_and_ones

COUNTS = r"\w*(cls|class|count|freq|samples?|spc|prior|num)\w*"
LABELS_FIRST = {"x": BOTH["x"], "y": BOTH["y"]}


def sized(classes: int) -> Callable[[int], dict[str, Any]]:
    """Scores of a number of classes, as many as a loss has counts of."""
    return lambda seed: {"x": 2 * real(seed, 2 * classes, classes), "y": whole(seed, classes, 2 * classes)}


SIZED = tuple(sized(n) for n in (3, 2, 4, 5, 10))


def counts_of(g: Given) -> Tensor:
    """How often each class occurs: in the data set, or else in the batch."""
    if g.listed:
        known = torch.tensor(g.listed, dtype=torch.float64)
        return known if len(known) == g.x.shape[1] else torch.full((g.x.shape[1],), torch.nan)
    return torch.bincount(g.y, minlength=g.x.shape[1]).double()


@reference(
    "the class-balanced cross entropy",
    r"class ?balanced|\bcb ?(loss|ce|softmax|cross)|effective num",
    LABELS_FIRST,
    *SIZED,
    options=[Option("beta", "beta", 0.9, (0.999, 0.9999, 0.99)), GAMMA],
    trained=("x",),
    lists=COUNTS,
    unless=r"dice|focal|bce|binary|sampler",
)
def class_balanced(g: Given, pick: Pick) -> Any:
    weight = (1 - g.beta) / (1 - g.beta ** counts_of(g))
    if not g.listed:
        weight = weight / pick(1, weight.sum())
    own = weight[g.y]
    kind = pick("softmax", "sigmoid", "both")
    if kind == "softmax":
        return pick.mean(-logs_of_class(g)[1], own)
    p = g.x.sigmoid() if kind == "sigmoid" else g.x.softmax(1)
    return (F.binary_cross_entropy(p, F.one_hot(g.y, g.x.shape[1]).double(), reduction="none") * own[:, None]).mean()


@reference(
    "the cross entropy with adjusted logits",
    r"balanced soft ?max|logit ?adjust\w*",
    LABELS_FIRST,
    *SIZED,
    options=[Option("tau", r"tau|t|temp\w*", 0.7, (1.0,))],
    trained=("x",),
    lists=COUNTS,
    unless=r"focal|dynamic|meta",
)
def adjusted(g: Given, pick: Pick) -> Any:
    return F.cross_entropy(g.x + g.tau * counts_of(g).log(), g.y)


@reference(
    "the LDAM loss",
    r"\bldam\b|label.distribution.aware",
    LABELS_FIRST,
    *SIZED,
    options=[
        Option("m", r"max_m|margin|m|c", 0.4, (0.5,)),
        Option("s", r"s|scale|gamma", 1.7, (30.0, 1.0)),
    ],
    trained=("x",),
    lists=COUNTS,
)
def ldam(g: Given, pick: Pick) -> Any:
    m = counts_of(g) ** -0.25
    m = m * g.m / m.max()
    return F.cross_entropy(g.s * (g.x - m * F.one_hot(g.y, g.x.shape[1])), g.y)


@reference(
    "the weighted cross entropy of inverse frequencies",
    r"inverse (class )?freq\w*|frequency (weight|balanced)|class weighted (ce|cross)",
    LABELS_FIRST,
    *SIZED,
    trained=("x",),
    lists=COUNTS,
    unless=r"dice|focal|bce|binary|square root|log",
    free=True,
)
def inversely(g: Given, pick: Pick) -> Any:
    weight = 1 / counts_of(g).clamp(min=1)
    own = weight[g.y] / (1 if g.listed else pick(1, weight.sum()))
    return pick.mean(-logs_of_class(g)[1], own)


@reference(
    "the focal loss of weighted classes",
    r"focal",
    LABELS_FIRST,
    *SIZED,
    options=[Option("beta", "beta", 0.9, (0.999, 0.9999)), GAMMA],
    trained=("x",),
    lists=rf"alphas?|\w*weights?|w|{COUNTS}",
    unless=r"tversky|dice|heat ?map|qfl|quality|corner|vari|iou|reduced|unified|binary|sigmoid|multi ?label|distribut",
    free=True,
)
def focal_of_classes(g: Given, pick: Pick) -> Any:
    known = counts_of(g) if g.listed else torch.ones(g.x.shape[1], dtype=torch.float64)
    balanced = g.text.claims(r"balanced|effective") or g.bound("beta")
    own = ((1 - g.beta) / (1 - g.beta**known) if balanced else known)[g.y]
    right = logs_of_class(g)[1]
    each = -(pick.maybe_detached(1 - right.exp()) ** g.gamma) * right
    return pick.mean(each, own)


@reference(
    "the cross entropy of the hard elements",
    r"\bohem|hard (example|pixel|sample)s? ?mining|bootstrapped (ce|cross)|top ?k (ce|cross|loss)|online hard",
    BOTH,
    lambda s: {"x": 2 * real(s, 2, 3, 3, 3), "y": whole(s, 3, 2, 3, 3)},
    lambda s: {"x": 2 * real(s, 10, 3), "y": whole(s, 3, 10)},
    options=[
        Option("t", r"thr\w*", 0.5, (0.7,)),
        Option("kept", r"\w*min_?(kept|num|pixels?)?\w*|n_?min|num_hard|k", 4, (0,)),
        Option("ratio", r"\w*(ratio|rate|percent|frac)\w*|top_?k\w*|p", 0.4, ()),
    ],
    trained=("x",),
    unless=r"keypoint|triplet|dice|focal|negative|bce|binary|box|warm",
    free=True,
)
def hard_elements(g: Given, pick: Pick) -> Any:
    each = -logs_of_class(g)[1]
    n = len(each)
    if g.bound("ratio"):
        return each.topk(pick(int(g.ratio * n), max(1, math.ceil(g.ratio * n)))).values.mean()
    if g.bound("kept") and not g.bound("t"):
        return each.topk(g.kept).values.mean()
    limit = pick(-math.log(g.t), g.t)
    least = int(g.kept) * pick(1, len(g.x))
    hard = each[each > limit]
    chosen = hard if len(hard) >= least else each.topk(min(least, n)).values
    return chosen.sum() / pick(len(chosen), n)


@reference(
    "the binary cross entropy of hard negatives",
    r"balance\w* (bce|cross ?entropy|ce)|hard negative (mining|bce)|\bohem bce|bce ohem",
    {
        "x": r"pred\w*|input\w*|logits?|x|output\w*|scores?",
        "y": r"gt|target\w*|labels?|y",
        "m": r"\w*mask\w*|valid\w*",
    },
    lambda s: {
        "x": share(s, 2, 3, 4),
        "y": (share(s + 1, 2, 3, 4) > 0.8).double(),
        "m": zeros_and_ones(s + 2, 2, 3, 4),
    },
    lambda s: {"x": share(s, 2, 1, 3, 4), "y": (share(s + 1, 2, 1, 3, 4) > 0.8).double()},
    options=[Option("ratio", r"\w*ratio\w*", 1.5, (3.0,), True)],
    trained=("x",),
    optional=("m",),
    unless=r"class ?balanced|focal|dice",
    free=True,
)
def hard_negatives(g: Given, pick: Pick) -> Any:
    mask = g.m if g.has("m") else torch.ones_like(g.x)
    plus, minus = (g.y * mask).flatten(), ((1 - g.y) * mask).flatten()
    each = F.binary_cross_entropy(pick(g.x, g.x.sigmoid()), g.y, reduction="none").flatten()
    k = int(min(float(minus.sum()), float(int(plus.sum() * g.ratio))))
    chosen = (each * minus).topk(k).values
    return ((each * plus).sum() + chosen.sum()) / (plus.sum() + k + 1e-6)


@reference(
    "the cross entropy of the largest errors",
    r"top ?k (cross ?entropy|ce)|(bootstrap\w*|hard) (ce|cross ?entropy)",
    BOTH,
    pixels,
    options=[Option("k", r"top_?k\w*|k\w*|percent\w*", 0.4, (0.1, 0.15, 0.3), True)],
    trained=("x",),
    unless=r"ohem|beta|soft",
    free=True,
)
def largest_errors(g: Given, pick: Pick) -> Any:
    each = -logs_of_class(g)[1]
    share_of = g.k / pick(1, 100)
    return each.topk(max(1, int(share_of * len(each)))).values.mean()
