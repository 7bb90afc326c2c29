"""Language models: which token each position predicts."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from losskit.checker.calling import MASKS
from losskit.checker.checks.tools import code, tried, value
from losskit.checker.claims.kinds import kind, taken_as
from losskit.checker.finding import Found
from losskit.checker.roles import masks_out
from losskit.checker.subject import Subject

_INSIDE = r"copy of the input|t ?\+ ?1\b|next.?token|shift\w* (inside|here|internally)|causal"
_BEFORE = (
    r"(already|pre-?)\W?shifted|shifted (by|in|before|outside)|labels (are|come) shifted|masked language|\bmlm\b|"
    r"seq2seq|encoder.?decoder|decoder_input"
)
_IDS = r"input_ids"
_STEPS = 9
_TOKENS = 7


def _aligned(tokens: Tensor, by: int) -> Tensor:
    """Logits (N, T, V) at position t of the token at t + by, correct where there is one."""
    return 6.0 * (2 * one_hot(tokens.roll(-by, 1), _TOKENS).float() - 1)


@kind(
    r"next.?token|causal|autoregress|language.?model|\blm_?loss|lmloss|\bgpt|decoder|perplexity|token",
    code=r"\[\.\.\., :-1, :\]|\[:, :-1\]",
)
def next_tokens(subject: Subject) -> Iterator[Found]:
    said = subject.words.all
    spec = subject.spec
    of_tokens = re.fullmatch(r"several \w+:\w+,\w+,\w+;index\w*:\w+,\w+", spec.layout) is not None
    if re.search(r"log_?p(rob)?s", subject.name.lower()):
        return  # log-probabilities, which correct logits raise
    if not spec.two or not (of_tokens or spec.scores in ("logits", "log_probabilities", "probabilities")):
        return
    subject = taken_as(subject, ("sequence", "logits", "next"))
    generator = torch.Generator().manual_seed(2)
    tokens = torch.stack([torch.randperm(_TOKENS - 1, generator=generator)[: _TOKENS - 1] + 1 for _ in range(3)])
    costs: dict[int, float] = {}
    for by in (-2, -1, 0, 1, 2):
        logits = _aligned(tokens, by)
        cost = tried(value, subject, logits, tokens)
        if cost is None or not math.isfinite(cost):
            return
        costs[by] = cost
    by = min(costs, key=lambda each: costs[each])
    if costs[by] > 0.6 * min(cost for n, cost in costs.items() if n != by):
        return
    inside = re.search(_INSIDE, said) or re.search(_IDS, " ".join(subject.parameters).lower())
    before = re.search(_BEFORE, said)
    what = ""
    if by not in (0, 1):
        where = {-2: "two positions before it", -1: "before it", 2: "two positions after it"}[by]
        what = f"each position is trained to predict the token {where}, not the next one"
    elif by == 0 and inside and not before:
        what = "each position is compared with its own token, not with the next one"
    elif by == 1 and before and not re.search(r"shift\w* (inside|here|internally)", said):
        what = "labels that are documented as shifted already are shifted once more"
    if what:
        logits = _aligned(tokens[:1, :4], by)
        names = {0: "own token", 1: "next token", -1: "token before", 2: "token after the next", -2: "second before"}
        fix = "logits[:, :-1] against labels[:, 1:]" if not before else "No shift: logits and labels as given."
        wanted = 0 if before else 1
        numbers = {names[by]: costs[by], names[wanted]: costs[wanted]}
        yield Found(what, numbers, code(subject, logits, tokens[:1, :4]), None, fix)


@kind(r"next.?token|causal|autoregress|language.?model|\blm_?loss|lmloss|\bgpt|decoder", code=r":-1\]|:-1, :\]")
def shifted_masks(subject: Subject) -> Iterator[Found]:
    """Whether a mask of tokens is shifted with the labels."""
    masks = [each for each in subject.spec.way.extras if each.is_mask and not each.per_sample]
    names = [each.name for each in masks] or [each for each in subject.spec.arguments if each in MASKS]
    if len(names) != 1 or not subject.spec.two:
        return
    subject = taken_as(subject, ("sequence", "logits", "next"))
    tokens = torch.arange(12).reshape(2, 6) % (_TOKENS - 1) + 1
    logits = torch.randn(2, 6, _TOKENS, generator=torch.Generator().manual_seed(0))
    mask = torch.ones(2, 6)
    mask[:, 4:] = 0
    out, boolean = (masks[0].out, masks[0].boolean) if masks else (masks_out(names[0], subject.words), False)
    mask = 1 - mask if out else mask
    given = {names[0]: mask.bool() if boolean else mask}
    before = tried(value, subject, logits, tokens, **given)

    def moved(at: int) -> bool | None:
        other = tokens.clone()
        other[:, at] = other[:, at] % (_TOKENS - 1) + 1
        cost = tried(value, subject, logits, other, **given)
        return None if cost is None or before is None else abs(cost - before) > 1e-6

    last, padding = moved(3), moved(4)
    what = ""
    if padding:
        what = "the first padding token is trained on: the mask is not shifted with the labels"
    elif last is False and padding is False:
        what = "the last token before the padding is not trained on: the mask is not shifted with the labels"
    if what:
        numbers = {"tokens before the padding": 4, "value": before}
        fix = "mask[:, 1:] with labels[:, 1:]"
        yield Found(what, numbers, code(subject, logits, tokens, arguments=given), None, fix)
