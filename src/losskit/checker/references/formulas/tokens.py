"""Sequences of tokens: cross entropies with masks, lengths, padding and smoothed labels."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from losskit.checker.references.formulas.classification import LABELS, SCORES, SMOOTHING
from losskit.checker.references.reference import Given, Option, Pick, real, reference, whole, zeros_and_ones

TOKENS = {"x": SCORES + r"|\w*logits\w*|l(og_?)?prob\w*|decoder_out\w*", "y": LABELS + r"|\w*labels|\w*_ids|tgt\w*|trg"}
MASK = r"\w*mask\w*|weights?|w|valid(?!_?len)\w*|m"
LENGTHS = r"\w*len(gth)?s?\w*"
PAD = Option("pad", r"(ignore|pad\w*|blank)(_?(idx|id|index|token|token_id|value))*", 0, (-100, 0))
PADDING = Option("pad", PAD.names, 0, ())
VOCABULARY = Option("size", r"size|vocab\w*|(num|n)_?(class\w*|tokens|labels)|classes|tgt_vocab\w*", 5)
SMOOTH = Option("eps", SMOOTHING.names + r"|ls|label_smoothing\w*", 0.45, (0.1,), True)


def sequences(seed: int) -> dict[str, Any]:
    return {"x": 2 * real(seed, 3, 4, 5), "y": whole(seed, 5, 3, 4)}


def masked(seed: int) -> dict[str, Any]:
    return {**sequences(seed), "m": zeros_and_ones(seed + 3, 3, 4)}


def masked_channels(seed: int) -> dict[str, Any]:
    made = masked(seed)
    return {**made, "x": made["x"].transpose(1, 2).contiguous()}


def flat(seed: int) -> dict[str, Any]:
    return {"x": 2 * real(seed, 8, 5), "y": whole(seed, 5, 8)}


def with_lengths(seed: int) -> dict[str, Any]:
    lengths = torch.tensor([4, 1 + seed // 100 % 3, 2])
    return {**sequences(seed), "m": lengths}


def chosen(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Log-probabilities of all tokens, and of the right ones."""
    logs = x.log_softmax(-1)
    return logs, logs.gather(-1, y.clamp(min=0).unsqueeze(-1)).squeeze(-1)


def pads(g: Given, value: float = 0) -> bool:
    """Whether the loss leaves out a value of padding, which is this one in the examples."""
    return g.bound("pad") or value in g.free.get("pad", ())


def over_kept(each: Tensor, kept: Tensor, g: Given, pick: Pick) -> Tensor:
    """A mean over the kept tokens, of each sequence or of all; or a sum, unless a mean over tokens is documented."""
    said = r"(mean|averag\w*)\b.{0,25}\b(over|of|across)\b.{0,25}(mask|valid|token|real|non|target|within|label|remain)"
    of_tokens = g.text.says(said) or g.text.claims(r"\bmlm\b|masked (lm|language)")
    kinds = ["tokens", "sequences"] if of_tokens else ["tokens", "sequences", "sum"]
    kind = pick(*kinds)
    if kind == "sequences" and each.dim() > 1:
        return ((each * kept).sum(-1) / kept.sum(-1).clamp(min=1)).mean()
    return (each * kept).sum() / (1 if kind == "sum" else kept.sum())


MASKED = (
    r"mask\w* (soft ?max )?(ce|cross|lm|language|nll|token|softmax|seq)|\bmlm\b|seq\w* (ce|cross|nll|loss|mask)|"
    r"seq2seq|token (ce|cross|loss|level)|mask nll|padded (ce|cross)|(ce|cross ?entropy) (with )?(mask|len|pad)"
)


@reference(
    "the cross entropy of the tokens under a mask",
    MASKED,
    {**TOKENS, "m": MASK},
    masked,
    masked_channels,
    lambda s: {**flat(s), "m": zeros_and_ones(s + 3, 8)},
    lambda s: {**masked(s), "m": zeros_and_ones(s + 3, 3, 4).bool()},
    trained=("x",),
    unless=r"smooth|focal|distill|\bkd\b|causal|next|shift|gan|policy|image|patch|pixel|segm",
)
def under_mask(g: Given, pick: Pick) -> Any:
    if not g.called("m", MASK):
        return g.x.sum() * torch.nan
    x = g.x.transpose(1, 2) if g.x.dim() == 3 and g.x.shape[1] == 5 else g.x
    kept = g.m.double()
    kept = pick(kept, 1 - kept) if g.called("m", "pad") else kept
    return over_kept(-chosen(x, g.y)[1], kept, g, pick)


@reference(
    "the cross entropy of the tokens within lengths",
    MASKED + r"|length|d2l",
    {**TOKENS, "m": LENGTHS + "|m"},
    with_lengths,
    lambda s: {**with_lengths(s), "x": with_lengths(s)["x"].transpose(1, 2).contiguous()},
    lambda s: {
        name: each if name == "m" else each.transpose(0, 1).contiguous() for name, each in with_lengths(s).items()
    },
    trained=("x",),
    unless=r"smooth|focal|distill|\bkd\b|causal|next|shift|\bctc\b|image",
)
def within_lengths(g: Given, pick: Pick) -> Any:
    if not g.called("m", "len|^m$"):
        return g.x.sum() * torch.nan
    x, y = g.x, g.y
    if x.shape[1] == 5:
        x = x.transpose(1, 2)
    elif x.shape[0] == 4:
        x, y = x.transpose(0, 1), y.transpose(0, 1)
    kept = (torch.arange(4) < g.m[:, None]).double()
    return over_kept(-chosen(x, y)[1], kept, g, pick)


@reference(
    "the cross entropy of the tokens without padding",
    MASKED + r"|\bnmt\b|padding",
    TOKENS,
    sequences,
    flat,
    lambda s: {**sequences(s), "x": sequences(s)["x"].transpose(1, 2).contiguous()},
    options=[PADDING],
    trained=("x",),
    unless=r"smooth|focal|distill|\bkd\b|causal|next|shift|\bctc\b|image|segm|pixel|\bmask\b",
)
def without_padding(g: Given, pick: Pick) -> Any:
    if not pads(g):
        return g.x.sum() * torch.nan
    x = g.x.transpose(1, 2) if g.x.dim() == 3 and g.x.shape[1] == 5 else g.x
    kept = (g.y != 0).double()
    return over_kept(-chosen(x, g.y)[1], kept, g, pick)


@reference(
    "the smoothed cross entropy of tokens",
    r"label ?smooth|smooth\w* (ce|cross|label|nll|token|seq)|\bls (ce|loss|seq|annot|fair)|smoothed token",
    TOKENS,
    lambda s: {**sequences(s), "x": sequences(s)["x"].log_softmax(-1)},
    lambda s: {**flat(s), "x": flat(s)["x"].log_softmax(-1)},
    lambda s: {**sequences(s), "x": sequences(s)["x"].log_softmax(-1).transpose(1, 2).contiguous()},
    options=[SMOOTH, PAD, VOCABULARY],
    trained=("x",),
    unless=r"mixup|focal|online|binary|bce|ordinal|distill|ctc",
)
def smoothed_tokens(g: Given, pick: Pick) -> Any:
    x = g.x.transpose(1, 2) if g.x.dim() == 3 and g.x.shape[1] == 5 else g.x
    logs = pick(x.log_softmax(-1), x)
    right = logs.gather(-1, g.y.unsqueeze(-1)).squeeze(-1)
    pad = 0 if g.bound("pad") else g.pad
    kept = (g.y != pad).double()
    total, rest, constant = logs.sum(-1), 4.0, 0.0
    kind = pick("all", "others", "without padding") if pad == 0 else pick("all", "others")
    if kind == "without padding":
        total, rest = total - logs[..., 0], 3.0
        constant = pick(0, 1) * ((1 - g.eps) * math.log(1 - g.eps) + g.eps * math.log(g.eps / rest))
    if kind == "all":
        each = -(1 - g.eps) * right - g.eps * total / 5
    else:
        each = -(1 - g.eps) * right - g.eps / rest * (total - right)
    each = (each + constant) * kept
    return each.sum() / pick(kept.sum(), 1)


@reference(
    "the cross entropy with a z-loss",
    r"\bz ?loss",
    TOKENS,
    sequences,
    flat,
    options=[PADDING],
    trained=("x",),
    unless=r"router|moe|expert|focal",
)
def with_z(g: Given, pick: Pick) -> Any:
    x, y = g.x, g.y
    if x.dim() == 3 and pick(True, False):
        x, y = x[:, :-1], y[:, 1:]
    kept = (y != 0).double() if pads(g) else torch.ones(y.shape, dtype=torch.float64)
    square = x.logsumexp(-1).square()
    n = kept.sum()
    own = (square * kept).sum() / n if pick(True, False) else square.mean()
    return -(chosen(x, y)[1] * kept).sum() / n, own


@reference(
    "the causal language model's loss under a mask",
    r"causal|next ?token|\blm\b|language model|autoregress|sft",
    {**TOKENS, "m": MASK},
    masked,
    trained=("x",),
    unless=r"masked (lm|language)|\bmlm\b|prefix|distill|smooth|z ?loss|seq2seq|\borpo|\bdpo|preference|reward",
)
def causal_under_mask(g: Given, pick: Pick) -> Any:
    if not g.called("m", MASK):
        return g.x.sum() * torch.nan
    x, y, kept = g.x[:, :-1], g.y[:, 1:], g.m[:, 1:]
    kind = pick("shifted", "labels", "aligned")
    if kind == "labels":
        kept = g.m[:, :-1]
    if kind == "aligned":
        x, y, kept = g.x, g.y, g.m
    return over_kept(-chosen(x, y)[1], kept, g, pick)


@reference(
    "the causal language model's loss without padding",
    r"causal|next ?token|\blm\b|language model|autoregress",
    TOKENS,
    sequences,
    options=[PADDING],
    trained=("x",),
    unless=r"mask|prefix|distill|smooth|z ?loss|seq2seq|\borpo|\bdpo|preference|reward",
)
def causal_without_padding(g: Given, pick: Pick) -> Any:
    if not pads(g):
        return g.x.sum() * torch.nan
    aligned = g.text.says(r"shifted|already|aligned|next")
    x, y = (g.x, g.y) if aligned and pick(False, True) else (g.x[:, :-1], g.y[:, 1:])
    return over_kept(-chosen(x, y)[1], (y != 0).double(), g, pick)


@reference(
    "the cross entropy of labelled pixels",
    r"^(pixel\w* |spatial |segm\w* |seg )?(cross ?entropy|ce)( loss)?( 2 ?d| seg\w*| pixel\w*| ignor\w*)|"
    r"per.?pixel cross|^(pixel\w*|spatial|segm\w*|seg) (cross ?entropy|ce)\b",
    TOKENS,
    lambda s: {
        "x": 2 * real(s, 2, 3, 3, 3),
        "y": whole(s, 3, 2, 3, 3).masked_fill(zeros_and_ones(s + 3, 2, 3, 3) * zeros_and_ones(s + 4, 2, 3, 3) > 0, 255),
    },
    options=[Option("ignored", r"ignore\w*|void\w*", 255, (255,))],
    trained=("x",),
    unless=r"ohem|hard|top ?k|focal|dice|smooth|weighted|balanced|boundary|edge|distill|boot",
    free=True,
)
def of_pixels(g: Given, pick: Pick) -> Any:
    kept = (g.y != 255).double()
    x = g.x.movedim(1, -1)
    each = -chosen(x, g.y.masked_fill(g.y == 255, 0))[1]
    return over_kept(each.flatten(1), kept.flatten(1), g, pick)
