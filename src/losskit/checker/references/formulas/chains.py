"""Sequences: chains of tags, scores at the ends of answers, several predicted tokens."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from losskit.checker.references.reference import Given, Option, Pick, real, reference, share, whole

TAGS = 4
LENGTHS = torch.tensor([5, 3, 4])


def until(lengths: Tensor, steps: int) -> Tensor:
    return torch.arange(steps) < lengths[:, None]


def tagged(seed: int) -> dict[str, Any]:
    return {"x": real(seed, 3, 5, TAGS), "y": whole(seed, TAGS, 3, 5), "m": until(LENGTHS.roll(seed // 100), 5)}


def turned(seed: int) -> dict[str, Any]:
    return {role: each.transpose(0, 1).contiguous() for role, each in tagged(seed).items()}


@reference(
    "the likelihood of a chain of tags",
    r"\bcrf\b|conditional random field|linear chain",
    {
        "x": r"emissions?|logits?|scores?|feat\w*|x|inputs?|unary|unaries|potentials?|h|pred\w*",
        "y": r"tags?|labels?|targets?|y|tag_\w+|gold\w*",
        "m": r"\w*mask\w*|valid\w*",
    },
    tagged,
    turned,
    optional=("m",),
    trained=("x",),
    options=[Option("count", r"((num|n)_?)?(tags|labels|classes|states)|tagset_?size|k|num_?tag|size", TAGS)],
    states=True,
    unless=r"dense|semi|higher|viterbi|partial|fuzzy|mean ?field",
)
def chain(g: Given, pick: Pick) -> Any:
    seconds = bool(g.x.shape[0] == 5)
    x, y = (g.x.transpose(0, 1), g.y.transpose(0, 1)) if seconds else (g.x, g.y)
    kept = (g.m.transpose(0, 1) if seconds else g.m) if g.has("m") else torch.ones(y.shape)
    square = (each for each in g.parameters if each.shape == (TAGS, TAGS))
    steps = next(square, torch.zeros(TAGS, TAGS, dtype=torch.float64))
    ends = [each for each in g.parameters if each.dim() == 1] or [torch.zeros(TAGS, dtype=torch.float64)] * 2
    steps = pick(steps, steps.T)
    first, last = pick((ends[0], ends[1]), (ends[1], ends[0]))
    kept = kept.double()
    chosen = x.gather(2, y[:, :, None]).squeeze(2)
    total, score = first + x[:, 0], first[y[:, 0]] + chosen[:, 0]
    score = score + ((steps[y[:, :-1], y[:, 1:]] + chosen[:, 1:]) * kept[:, 1:]).sum(1)
    score = score + last[y.gather(1, kept.long().sum(1, keepdim=True) - 1).squeeze(1)]
    for t in range(1, x.shape[1]):
        moved = (total[:, :, None] + steps).logsumexp(1) + x[:, t]
        total = torch.where(kept[:, t, None] > 0, moved, total)
    each = (total + last).logsumexp(1) - score
    return pick(each, each / kept.sum(1)).mean() if g.has("m") else each.mean()


def answered(seed: int) -> dict[str, Any]:
    made: dict[str, Any] = {"p": real(seed, 4, 5), "n": real(seed + 1, 4, 5), "margin": share(seed + 2, 4)}
    made["pm"] = until(torch.tensor([5, 3, 4, 2]).roll(seed // 100), 5).long()
    made["nm"] = until(torch.tensor([2, 4, 3, 5]), 5).long()
    return made


_OF = r"_?(scores?|rewards?|values?|logits?|r)"
_MASK = r"_?(attention_?|attn_?|loss_?|token_?)?(mask|valid|m)"


@reference(
    "the preference of scores at the ends of answers",
    r"bradley|reward model|pairwise (logistic|log|reward|rank)|preference|\brm loss",
    {
        "p": rf"(chosen|win\w*|pos\w*|accepted){_OF}|{_OF}_(chosen|w|pos)",
        "pm": rf"(chosen|win\w*|pos\w*|accepted){_MASK}|{_MASK}_(chosen|w|pos)",
        "n": rf"(reject\w*|los\w*|neg\w*){_OF}|{_OF}_(rejected|l|neg)",
        "nm": rf"(reject\w*|los\w*|neg\w*){_MASK}|{_MASK}_(rejected|l|neg)",
        "margin": r"\w*margin\w*",
    },
    answered,
    lambda s: {**answered(s), "p": answered(s)["p"][..., None], "n": answered(s)["n"][..., None]},
    lambda s: {**answered(s), "pm": answered(s)["pm"].bool(), "nm": answered(s)["nm"].bool()},
    optional=("margin",),
    trained=("p", "n"),
    by_name=True,
    unless=r"\bdpo|\bipo|hinge|\bkto\b|\borpo|simpo|direct pref",
)
def at_ends(g: Given, pick: Pick) -> Any:
    kind = pick("last", "mean", "sum")

    def score(x: Tensor, mask: Tensor) -> Tensor:
        x, mask = x.reshape(mask.shape), mask.double()
        if kind == "last":
            return x.gather(1, mask.long().sum(1, keepdim=True) - 1).squeeze(1)
        return (x * mask).sum(1) / (mask.sum(1) if kind == "mean" else 1.0)

    gap = score(g.p, g.pm) - score(g.n, g.nm)
    return -F.logsigmoid(gap - (g.margin if g.has("margin") else 0.0)).mean()


def heads(seed: int, *order: int) -> dict[str, Any]:
    mask = until(torch.tensor([6, 5]), 6).long()
    return {"x": real(seed, 3, 2, 6, 5).permute(*order, 3).contiguous(), "y": whole(seed, 5, 2, 6), "m": mask}


HEADS = r"(num|n)_?(heads|future\w*|pred\w*|tokens|steps|next\w*)|k|depth|horizon"


@reference(
    "the cross entropy of several predicted tokens",
    r"multi ?token|\bmtp\b|next ?n ?token|several next tokens|future tokens",
    {
        "x": r"\w*logits?\w*|pred\w*|out\w*|x|heads?",
        "y": r"input_?ids|labels?|targets?|tokens?|ids|y",
        "m": r"\w*mask\w*|valid\w*",
    },
    lambda s: heads(s, 0, 1, 2),
    lambda s: {**heads(s, 0, 1, 2), "x": list(heads(s, 0, 1, 2)["x"].unbind())},
    lambda s: heads(s, 1, 0, 2),
    lambda s: heads(s, 1, 2, 0),
    optional=("m",),
    trained=("x",),
    options=[Option("count", HEADS, 3)],
    lists=r"\w*weights?|lambdas?",
)
def several_tokens(g: Given, pick: Pick) -> Any:
    x = torch.stack(g.x) if isinstance(g.x, list) else g.x
    x = x if x.shape[0] == 3 else x.transpose(0, 1) if x.shape[1] == 3 else x.permute(2, 0, 1, 3)
    y = g.y.masked_fill(g.m == 0, -100) if g.has("m") else g.y
    first = pick(1, 0, 2)  # the token that the first head predicts; 0 where the labels are shifted before
    if first != 1 and not g.text.says(r"shifted|main head|beyond|besides|t ?\+ ?2|already"):
        return x.sum() * torch.nan
    terms = []
    for k, each in enumerate(x):
        off = k + first
        made = each[:, : each.shape[1] - off] if off else each
        terms.append(F.cross_entropy(made.reshape(-1, 5), y[:, off:].reshape(-1), ignore_index=-100))
    return tuple(terms) if g.listed else torch.stack(terms).mean()
