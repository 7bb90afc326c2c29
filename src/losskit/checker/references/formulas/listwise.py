"""Lists of scores with grades: smooth and weighted measures of the order, and lists with a mask."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from losskit.checker.references.formulas.ranking import LIST, lists
from losskit.checker.references.reference import Given, Option, Pick, reference

GRADES = {"x": LIST["x"] + r"|y_hat|predictions?", "y": LIST["y"] + r"|true\w*|grad\w*|levels?"}


def graded(seed: int) -> dict[str, Any]:
    """Lists of which one has higher grades than the others."""
    made = lists(seed)
    return {**made, "y": made["y"] + torch.tensor([0.0, 1.0, 0.0], dtype=torch.float64)[:, None]}


def gains(y: Tensor, pick: Pick) -> Tensor:
    return pick(2**y - 1, y)  # type: ignore[no-any-return]


def ideal(gain: Tensor) -> Tensor:
    """The discounted gain of the best order."""
    return (gain.sort(1, descending=True).values / torch.log2(torch.arange(gain.shape[1]) + 2.0)).sum(1)


@reference(
    "ApproxNDCG",
    r"approx\w* ?ndcg|(smooth|soft) ?ndcg|ndcg approx",
    GRADES,
    graded,
    options=[Option("alpha", r"alpha|temp\w*|tau|t|sigma", 1.4, (1.0, 10.0, 0.1))],
    trained=("x",),
    unless=r"neural|sort|lambda",
)
def approx_ndcg(g: Given, pick: Pick) -> Any:
    gap = (g.x[:, None] - g.x[:, :, None]) * pick(g.alpha, 1 / g.alpha)  # how far each is above me
    ranks = 0.5 + gap.sigmoid().sum(2)
    gain = gains(g.y, pick)
    return -((gain / torch.log2(1 + ranks)).sum(1) / ideal(gain)).mean()


@reference(
    "LambdaRank",
    r"lambda ?(rank|loss|mart|ndcg)",
    GRADES,
    graded,
    options=[Option("sigma", r"sigma|s|scale", 0.8, (1.0,))],
    trained=("x",),
    unless=r"(?<!lambda )ndcg ?loss|binary",
)
def lambda_rank(g: Given, pick: Pick) -> Any:
    gain = gains(g.y, pick)
    if pick(True, False):
        gain = gain / ideal(gain)[:, None]
    ranks = g.x.argsort(1, descending=True).argsort(1) + 1.0
    discount = 1 / torch.log2(1 + ranks)
    weight = (gain[:, :, None] - gain[:, None]).abs() * (discount[:, :, None] - discount[:, None]).abs()
    above = g.y[:, :, None] > g.y[:, None]
    each = F.softplus(-g.sigma * (g.x[:, :, None] - g.x[:, None])) * weight
    return each[above].sum()


def masked_lists(seed: int) -> dict[str, Any]:
    made = lists(seed)
    return {**made, "m": torch.tensor([[1, 1, 1, 0], [1, 1, 1, 1], [1, 0, 1, 1]]).bool()}


def padded_lists(seed: int) -> dict[str, Any]:
    made = lists(seed)
    return {**made, "y": made["y"].masked_fill(~masked_lists(seed)["m"], -1.0)}


PADDING = Option("pad", r"pad\w*|\w*_pad(ding)?\w*|ignore\w*", -1, ())
MASKS = r"\w*mask\w*|valid\w*"


def kept(g: Given) -> Tensor | None:
    """Which items of a list count; None if the loss has neither a mask nor a value of padding."""
    if g.has("m"):
        return g.m.bool() if g.called("m", "mask|valid|^m$") else None
    return g.y != -1 if g.bound("pad") else None


@reference(
    "ListMLE",
    r"list ?mle|plackett",
    {**GRADES, "m": MASKS},
    masked_lists,
    padded_lists,
    options=[PADDING],
    optional=("m",),
    trained=("x",),
    unless=r"position|p-?list|weighted",
    every=True,
)
def listmle(g: Given, pick: Pick) -> Any:
    counted = kept(g)
    if counted is None:
        return g.x.sum() * torch.nan
    total, length = torch.zeros((), dtype=torch.float64), pick(False, True)
    for x, y, m in zip(g.x, g.y, counted, strict=True):
        ranked = x[m][y[m].argsort(descending=True)]
        each = (ranked.flip(0).logcumsumexp(0).flip(0) - ranked).sum()
        total = total + each / (len(ranked) if length else 1)
    return total / pick(1, counted.sum())


@reference(
    "ListNet",
    r"list ?net|list ?wise soft ?max",
    {**GRADES, "m": MASKS},
    masked_lists,
    padded_lists,
    options=[PADDING],
    optional=("m",),
    trained=("x",),
    every=True,
)
def listnet(g: Given, pick: Pick) -> Any:
    counted = kept(g)
    if counted is None:
        return g.x.sum() * torch.nan
    x, y = (each.masked_fill(~counted, -torch.inf) for each in (g.x, g.y))
    shares = y.softmax(1) if pick(True, False) else (g.y * counted) / (g.y * counted).sum(1, keepdim=True)
    return -(shares * x.log_softmax(1).masked_fill(~counted, 0.0)).sum(1).mean()


@reference(
    "the softmax cross entropy of a list",
    r"list ?wise (soft ?max|ce|cross)|soft ?max (rank|list)|list ?wise rank",
    GRADES,
    lists,
    trained=("x",),
    unless=r"mask|pad|sampled",
)
def softmax_of_list(g: Given, pick: Pick) -> Any:
    shares = pick(g.y.softmax(1), g.y / g.y.sum(1, keepdim=True), g.y)
    return -(shares * g.x.log_softmax(1)).sum(1).mean()
