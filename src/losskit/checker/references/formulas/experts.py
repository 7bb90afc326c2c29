"""Mixtures of experts: how evenly a router spreads the tokens, and how large its logits are."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from losskit.checker.references.reference import Given, Option, Pick, real, reference

EXPERTS = 4
ROUTED = r"((all_?)?(gate|gating|router|routing)s?_?)?(logits?|prob\w*|scores?|weights|outputs?)|gates?|x|router"
COUNT = r"((num|n)_?)?(routed_?)?experts?|n_?e|e"
CHOSEN = r"top_?k|k|(num|n)_?experts?_per_tok\w*|(num|n)_?(active|selected)\w*"


def routed(seed: int, *size: int) -> dict[str, Any]:
    return {"x": (2 * real(seed, *size, EXPERTS)).softmax(-1), "count": EXPERTS, "k": 2}


def layers(seed: int) -> dict[str, Any]:
    each = tuple((2 * real(seed + n, 6, EXPERTS)).softmax(-1) for n in range(2))
    return {**routed(seed), "x": each, "m": torch.tensor([[1, 1, 1], [1, 1, 0]])}


def shares(g: Given, x: Tensor, pick: Pick) -> Tensor:
    if g.called("x", "prob"):
        return x
    return x.softmax(-1) if g.called("x", "logit") else pick(x.softmax(-1), x)


def balance(p: Tensor, kept: Tensor, k: int) -> Tensor:
    """The product of the shares of tokens and of probability, over the experts."""
    taken = F.one_hot(p.topk(k, -1).indices, p.shape[-1]).sum(-2).double()
    kept = kept[..., None]
    return ((taken * kept).sum(0) / kept.sum(0) * (p * kept).sum(0) / kept.sum(0)).sum()


@reference(
    "the loss of balanced experts",
    r"load ?balanc\w*|\b(moe|experts?|router|gate|switch)\b.*\b(balanc\w*|aux\w*)|balanc\w* .*\b(experts?|router)",
    {"x": ROUTED, "count": COUNT, "k": CHOSEN, "m": r"\w*mask\w*|valid\w*"},
    lambda s: {**routed(s, 6), "m": torch.tensor([1, 1, 0, 1, 1, 1])},
    lambda s: {**routed(s, 2, 3), "m": torch.tensor([[1, 1, 1], [1, 1, 0]])},
    layers,
    lambda s: {**layers(s), "x": list(layers(s)["x"])},
    options=[Option("count", COUNT, EXPERTS), Option("k", CHOSEN, 2, (1, 2))],
    optional=("count", "k", "m"),
    trained=("x",),
    unless=r"\bz ?loss|importance|entropy|variation|\bcv\b|bias|capacity|device|noisy|squared",
)
def balanced(g: Given, pick: Pick) -> Any:
    each = list(g.x) if isinstance(g.x, (list, tuple)) else [g.x]
    rows = [shares(g, x, pick) for x in each[:1]]
    rows += [x if rows[0] is each[0] else x.softmax(-1) for x in each[1:]]
    kept = g.m.double() if g.has("m") else torch.ones(rows[0].shape[:-1], dtype=torch.float64)
    if rows[0].dim() == 3 and pick(False, True):  # per sequence
        return torch.stack([balance(p, m, int(g.k)) for p, m in zip(rows[0], kept, strict=True)]).mean()
    rows, kept = [x.reshape(-1, EXPERTS) for x in rows], kept.reshape(-1)
    if len(rows) > 1 and pick(True, False):
        return balance(torch.cat(rows), kept.repeat(len(rows)), int(g.k))
    return torch.stack([balance(x, kept, int(g.k)) for x in rows]).mean()


@reference(
    "the z-loss of a router",
    r"\b(moe|experts?|router|gate)\b.*\bz ?loss|\bz ?loss.*\b(moe|experts?|router|gate)",
    {"x": ROUTED, "m": r"\w*mask\w*|valid\w*"},
    lambda s: {"x": real(s, 6, EXPERTS), "m": torch.tensor([1, 1, 0, 1, 1, 1])},
    lambda s: {"x": real(s, 2, 3, EXPERTS), "m": torch.tensor([[1, 1, 1], [1, 1, 0]])},
    optional=("m",),
    trained=("x",),
    unless=r"balanc|aux|cross ?entropy",
)
def squared_normalizer(g: Given, pick: Pick) -> Any:
    each = g.x.logsumexp(-1).square()
    return (each * g.m).sum() / g.m.sum() if g.has("m") else each.mean()


@reference(
    "the variation of the importance of experts",
    r"importance (loss|balanc\w*)|\bcv ?squared|\b(moe|experts?|gates?)\b.*coefficient of variation",
    {"x": ROUTED},
    lambda s: routed(s, 6),
    trained=("x",),
    unless=r"sampl|weighted|\bz ?loss|load",
)
def importance(g: Given, pick: Pick) -> Any:
    total = shares(g, g.x, pick).sum(0)
    return pick(total.var(), total.var(unbiased=False)) / total.mean().square()
