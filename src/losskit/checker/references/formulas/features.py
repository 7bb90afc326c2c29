"""Distances of lists of features, and of domains: perceptual, style, matching, kernels, domain classifiers."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from losskit.checker.references.formulas.divergences import DOMAINS, domains
from losskit.checker.references.formulas.numbers import PAIR
from losskit.checker.references.reference import Given, Option, Pick, real, reference, share, whole, zeros_and_ones

MADE = r"(\w*_)?(fake|gen\w*|pred\w*|x|out\w*|sr|student|fmap_?g|f?feats?_?(x|g|s|fake|pred|gen|sr|out))(_\w+)?|x|a"
GIVEN = r"(\w*_)?(real|style|target|y|gt|hr|ref\w*|teacher|fmap_?r|f?feats?_?(y|r|t|real|target|gt|hr))(_\w+)?|y|b"


def layers(seed: int) -> dict[str, Any]:
    sizes = ((2, 3, 4, 3), (2, 4, 2, 2))
    return {
        "a": [real(seed + n, *size) for n, size in enumerate(sizes)],
        "b": [real(seed + 5 + n, *size) for n, size in enumerate(sizes)],
    }


def signals(seed: int) -> dict[str, Any]:
    sizes = ((2, 3, 5), (2, 4, 3))
    return {
        "a": [real(seed + n, *size) for n, size in enumerate(sizes)],
        "b": [real(seed + 5 + n, *size) for n, size in enumerate(sizes)],
    }


def nested(seed: int) -> dict[str, Any]:
    return {name: [layers(seed)[name], layers(seed + 20)[name]] for name in "ab"}


def pairs(a: Any, b: Any) -> list[tuple[Tensor, Tensor]]:
    if isinstance(a, Tensor):
        return [(a, b)]
    return [pair for one, other in zip(a, b, strict=True) for pair in pairs(one, other)]


@reference(
    "the distance of the features of several layers",
    r"feature ?match\w*|perceptual|content loss|\bfm loss|feature (loss|distill\w*)|\bhint",
    {"a": MADE, "b": GIVEN},
    layers,
    signals,
    nested,
    trained=("a",),
    lists=r"\w*weights?\w*|\w*layers?\w*|lambdas?|ws?",
    unless=r"gram|style|contrast|cosine|lpips|attention|normali[sz]ed",
    free=True,
)
def matched(g: Given, pick: Pick) -> Any:
    kind = pick("l1", "square")
    gaps = [a - b for a, b in pairs(g.a, g.b)]
    return tuple(gap.abs().mean() if kind == "l1" else gap.square().mean() for gap in gaps)


@reference(
    "the difference of Gram matrices of several layers",
    r"\bgram|style ?loss|style transfer",
    {"a": MADE, "b": GIVEN},
    layers,
    trained=("a",),
    lists=r"\w*weights?\w*|\w*layers?\w*|lambdas?|ws?",
    unless=r"gram ?anchor|anchoring|iter|histogram",
    free=True,
)
def grams(g: Given, pick: Pick) -> Any:
    kind = pick("square", "l1", "length")
    gaps = [a.flatten(2) @ a.flatten(2).mT - b.flatten(2) @ b.flatten(2).mT for a, b in pairs(g.a, g.b)]
    if kind == "length":
        return tuple(gap.flatten(1).norm(dim=1).mean() for gap in gaps)
    return tuple(gap.square().mean() if kind == "square" else gap.abs().mean() for gap in gaps)


@reference(
    "the maximum mean discrepancy of several kernels",
    r"\bmk ?mmd\b|\bmmd\b|mean discrepancy|\bdan loss",
    DOMAINS,
    lambda s: {"a": real(s, 6, 3), "b": 0.7 * real(s + 1, 4, 3) + 0.4},
    domains,
    every=True,
    options=[
        Option("mul", r"(kernel_)?mul\w*", 1.7, (2.0,)),
        Option("count", r"(kernel_)?num\w*|n_?kernels?", 3, (5,)),
    ],
    lists=r"sigmas?|bandwidths?|\w*widths?|gammas?|alphas?|scales?|kernels?|bandwidth_range",
    unless=r"conditional|joint|local|\blmmd\b|inverse multiquad|\bimq\b|linear",
)
def kernels(g: Given, pick: Pick) -> Any:
    if g.listed:
        return listed_kernels(g, pick)
    several = pick(False, True)
    count = int(g.count) if several else 1
    both = torch.cat([g.a, g.b])
    gaps = (both[:, None] - both[None]).square().sum(2)
    n, m = len(g.a), len(both)
    width = pick.maybe_detached(gaps).sum() / (m * m - m) / g.mul ** (count // 2)
    k = sum((-gaps / (width * g.mul**i)).exp() for i in range(count))
    return k[:n, :n].mean() + k[n:, n:].mean() - k[:n, n:].mean() - k[n:, :n].mean()


def listed_kernels(g: Given, pick: Pick) -> Tensor:
    """The discrepancy with the sum of kernels of given widths."""
    kind, unbiased = pick("2 s2", "s", "2 s", "s2", "gamma"), pick(False, True)

    def kernel(x: Tensor, y: Tensor) -> Tensor:
        gaps = (x[:, None] - y[None]).square().sum(2)
        scales = {"2 s2": lambda s: 2 * s * s, "s": lambda s: s, "2 s": lambda s: 2 * s, "s2": lambda s: s * s}
        found: Tensor = torch.stack([(-gaps / scales.get(kind, lambda s: 1 / s)(w)).exp() for w in g.listed]).sum(0)
        return found

    within = [kernel(g.a, g.a), kernel(g.b, g.b)]
    across = kernel(g.a, g.b).mean()
    if unbiased:
        parts = [(k.sum() - k.diagonal().sum()) / (len(k) * (len(k) - 1)) for k in within]
    else:
        parts = [k.mean() for k in within]
    return parts[0] + parts[1] - 2 * across


@reference(
    "the loss of a domain classifier",
    r"\bdann\b|domain (loss|adversarial|classif\w*|confusion|discrim\w*)",
    {
        "a": r"(\w*_)?(source|src|s)(_\w+)?|source\w*|src\w*|domain_?s\w*",
        "b": r"(\w*_)?(target|tgt|t)(_\w+)?|target\w*|tgt\w*|domain_?t\w*",
        "x": r"(class|cls|label|task|y|src_class)_?(logits?|preds?|out\w*)|logits?|preds?|y_?(hat|pred)",
        "y": r"labels?|y|(class|src|source)_?labels?|y_s\w*",
    },
    *(
        lambda s, size=size: {
            "a": real(s, 5, *size),
            "b": real(s + 1, 4, *size),
            "x": real(s + 2, 5, 3),
            "y": whole(s, 3, 5),
        }
        for size in ((2,), (1,), ())
    ),
    optional=("x", "y"),
    unless=r"conditional|(?<!cross )entropy|cdan|mmd|coral|least|wasserstein|focal",
    free=True,
)
def domain(g: Given, pick: Pick) -> Any:
    sign = pick(1, -1)
    if g.a.dim() == 2 and g.a.shape[1] == 2:
        a, b = ((each[:, 1] - each[:, 0]) * sign for each in (g.a, g.b))
    else:
        a, b = g.a.reshape(-1) * sign, g.b.reshape(-1) * sign
    n = len(a) + len(b)
    gap = pick(F.softplus(a).mean() + F.softplus(-b).mean(), (F.softplus(a).sum() + F.softplus(-b).sum()) / n)
    return (F.cross_entropy(g.x, g.y), gap) if g.has("x") else (gap,)


@reference(
    "the contrast of predicted and encoded steps",
    r"\bcpc\b|contrastive predictive",
    {"a": r"preds?\w*|x|a|c\w*|w_?c|context\w*|forecast\w*", "b": r"z\w*|enc\w*|targets?|y|b|future\w*|samples?"},
    lambda s: {"a": real(s, 4, 3, 2), "b": real(s + 1, 4, 3, 2)},
    lambda s: {"a": [real(s + n, 4, 3) for n in range(2)], "b": [real(s + 5 + n, 4, 3) for n in range(2)]},
    lambda s: {"a": real(s, 4, 3), "b": real(s + 1, 4, 3)},
    options=[Option("T", r"t|temp\w*|tau", 0.6, (1.0, 0.1, 0.07), True)],
    unless=r"negatives|memory",
    free=True,
)
def predicted(g: Given, pick: Pick) -> Any:
    steps = list(zip(g.a.unbind(1), g.b.unbind(1), strict=True)) if _stacked(g.a) else pairs(g.a, g.b)
    unit = pick(False, True)
    total = g.T * 0
    across = pick("rows", "columns", "both")
    for a, b in steps:
        a, b = (F.normalize(a, dim=1), F.normalize(b, dim=1)) if unit else (a, b)
        scores, aim = a @ b.T / g.T, torch.arange(len(a))
        rows, columns = F.cross_entropy(scores, aim), F.cross_entropy(scores.T, aim)
        total = total + {"rows": rows, "columns": columns, "both": rows + columns}[across]
    return total


def _stacked(x: Any) -> bool:
    return isinstance(x, Tensor) and x.dim() == 3


@reference(
    "the gap between groups",
    r"demographic parity|statistical parity|\bdp (gap|loss)|fairness|disparate",
    {
        "x": r"scores?|logits?|preds?\w*|probs?|out\w*|x|y_?hat|y_pred",
        "s": r"s|groups?|sensitive\w*|protected\w*|a|z|attr\w*|sens\w*",
    },
    lambda s: {"x": share(s, 8), "s": zeros_and_ones(s, 8)},
    lambda s: {"x": share(s, 8), "s": zeros_and_ones(s, 8).long()},
    trained=("x",),
    unless=r"odds|opportunity|covariance|hsic|mmd|kl|correlation|adversar",
    free=True,
)
def parity(g: Given, pick: Pick) -> Any:
    p = pick(g.x, g.x.sigmoid())
    s = (g.s > 0.5).double()
    gap = (p * s).sum() / s.sum() - (p * (1 - s)).sum() / (1 - s).sum()
    return pick(gap.abs(), gap.square())


@reference(
    "the gap between groups of each label",
    r"equali[sz]ed odds|equal opportunity|eq(uali[sz]ed)? ?odds",
    {
        "x": r"scores?|logits?|preds?\w*|probs?|out\w*|x|y_?hat|y_pred",
        "y": r"y|labels?|target\w*|y_true",
        "s": r"s|groups?|sensitive\w*|protected\w*|a|z|attr\w*|sens\w*",
    },
    lambda s: {"x": share(s, 12), "y": torch.arange(12) % 2, "s": torch.arange(12) // 2 % 2},
    lambda s: {"x": share(s, 12), "y": (torch.arange(12) % 2).double(), "s": (torch.arange(12) // 2 % 2).double()},
    trained=("x",),
    free=True,
)
def odds(g: Given, pick: Pick) -> Any:
    p = pick(g.x, g.x.sigmoid())
    gaps = []
    for label in (0, 1):
        a, b = (((g.y == label) & (g.s == group)).double() for group in (0, 1))
        gaps.append((p * a).sum() / a.sum() - (p * b).sum() / b.sum())
    gaps = [gap.abs() for gap in gaps] if pick(True, False) else [gap.square() for gap in gaps]
    return pick(gaps[0] + gaps[1], torch.stack(gaps).amax(), gaps[1])


@reference(
    "the dynamic weight average",
    r"\bdwa\b|dynamic weight av\w*",
    {
        "x": r"loss\w*|current\w*|l|task_losses",
        "last": r"(prev|last|hist)\w*_?(1|losses)?|l_?t_?1|loss_?t_?1",
        "before": r"(prev|before|older|earlier|hist)\w*_?2?|l_?t_?2|loss_?t_?2|\w*prev_?prev\w*",
    },
    lambda s: {"x": 2 * share(s, 3), "last": 0.5 + share(s + 1, 3), "before": 0.5 + share(s + 2, 3)},
    trained=("x",),
    options=[Option("T", r"t|temp\w*", 1.6, (2.0,), True)],
    free=True,
)
def dynamic(g: Given, pick: Pick) -> Any:
    return ((g.last / g.before / g.T).softmax(0) * g.x).sum()


@reference(
    "the weighted difference of spectra",
    r"focal freq\w*|\bffl\b",
    PAIR,
    lambda s: {"x": share(s, 2, 2, 4, 6), "y": share(s + 1, 2, 2, 4, 6)},
    trained=("x",),
    options=[Option("alpha", r"alpha|power", 0.7, (1.0,))],
    free=True,
)
def focal_frequency(g: Given, pick: Pick) -> Any:
    gap = torch.fft.fft2(g.x - g.y, norm="ortho").abs().square()
    weight = gap.detach().sqrt() ** g.alpha
    weight = weight / pick(weight.amax((-2, -1), keepdim=True), weight.max(), 1)
    return (weight.clamp(0, 1 if pick(True, False) else math.inf) * gap).mean()
