"""Contrastive losses with positives and negatives: who is pulled, who is pushed, and who is held constant."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn.functional import normalize

from losskit.checker.checks.tools import is_random
from losskit.checker.claims.kinds import kind
from losskit.checker.claims.named import Named, short
from losskit.checker.finding import Found
from losskit.checker.subject import Subject

_QUERY = r"q|quer(y|ies)|anchors?|z|z_?a(nchor)?|user(s|_emb\w*)?|feat_q|q_?emb\w*|query_\w+|anchor_\w+|f_q"
_POSITIVE = r"k|keys?|pos(itives?)?|pos(itive)?_\w+|z_?pos|k_?pos|feat_k|f_k|\w+_pos(itive)?"
_NEGATIVE = r"neg(atives?)?|neg(ative)?_\w+|queue|memory|bank|\w+_neg(ative)?s?|hard_neg\w*"
_NO_EMBEDDINGS = r"score|logit|dist|prob|reward|label|logp|sim\b"
_CONTRAST = r"nce\b|nce_?loss|infonce|contrast|moco|triplet|n_?pairs?|supervised|\bclip\b|margin|negatives?"
_TAU = ("temperature", "tau", "temp", "T", "t")


def _roles(call: Named) -> tuple[str, str, str] | None:
    """The names of a query, its positive and the negatives, (N, D) or (M, D), or (D, K) for the last."""
    found = []
    for pattern in (_QUERY, _POSITIVE, _NEGATIVE):
        names = [
            name
            for name in call.numbers(pattern)
            if call[name].dim() == 2 and not re.search(_NO_EMBEDDINGS, name.lower()) and name not in found
        ]
        if len(names) != 1:
            return None
        found += names
    return found[0], found[1], found[2]


def _filled(like: Tensor, direction: Tensor) -> Tensor:
    """Negatives that all have this direction, as rows or, for a queue (D, K), as columns."""
    size = len(direction)
    if like.shape[1] == size:
        return direction.expand(like.shape).contiguous()
    return direction.unsqueeze(1).expand(like.shape).contiguous() if like.shape[0] == size else like


@kind(_CONTRAST)
def pulled_and_pushed(subject: Subject) -> Iterator[Found]:
    """Whether a positive near the query has a lower loss than one far away, and negatives the other way round."""
    if subject.spec.way.inside or is_random(subject):
        return
    call = Named(subject, batch=5)
    roles = _roles(call)
    if roles is None:
        return
    query, positive, negatives = roles
    one = normalize(short(call[query].shape[1], seed=3), dim=0)
    rows = one.expand_as(call[query]).contiguous()
    if call[positive].shape != rows.shape:
        return
    other = normalize(torch.roll(one, 1) - (torch.roll(one, 1) @ one) * one, dim=0)

    def cost(of_positive: Tensor, of_negatives: Tensor) -> float:
        return call.value(
            {
                query: rows,
                positive: of_positive.expand_as(rows).contiguous(),
                negatives: _filled(call[negatives], of_negatives),
            }
        )

    right, wrong = cost(one, other), cost(other, one)
    if not (math.isfinite(right) and math.isfinite(wrong)):
        return
    if right > wrong + 1e-4:
        changed = {query: rows, positive: rows, negatives: _filled(call[negatives], other)}
        yield Found(
            f"a {positive} equal to the {query} has a higher loss than {negatives} equal to it: the labels do not "
            "point at the positives",
            {"equal to the positive": right, "to the negatives": wrong},
            call.code(changed),
            None,
            "Class 0 is the positive if it is the first column: torch.cat([positive, negatives], dim=1).",
        )
        return
    yield from _one_temperature(call, roles, rows)


def _one_temperature(call: Named, roles: tuple[str, str, str], rows: Tensor) -> Iterator[Found]:
    """Equal similarities leave a uniform softmax, whatever the temperature."""
    subject = call.subject
    option = next((each for each in _TAU if each in subject.spec.options), None)
    if option is None or re.search(r"margin|triplet", subject.words.all) or "softmax" not in _code(subject):
        return
    query, positive, negatives = roles
    changed = {query: rows, positive: rows, negatives: _filled(call[negatives], rows[0])}
    costs = [call.value(changed, {option: each}) for each in (0.5, 2.0)]
    if all(map(math.isfinite, costs)) and abs(costs[0] - costs[1]) > 1e-3 * max(map(abs, costs)):
        yield Found(
            f"with a positive and negatives of one similarity the loss depends on {option}: it does not divide all of "
            "them",
            {f"{option}=0.5": costs[0], f"{option}=2": costs[1]},
            call.code(changed),
            None,
            f"logits = torch.cat([positive, negatives], dim=1) / {option}",
        )


def _code(subject: Subject) -> str:
    code = subject.words.code
    return "softmax" if re.search(r"softmax|cross_?entropy|logsumexp|\.exp\(|torch\.exp", code) else ""


_SELF = r"\bbyol|simsiam|sim siam|bootstrap your own"
_HELD = r"moving.?average|\bema\b|momentum|stop.?grad|target (network|branch|projection|encoder)|detach"
_CALLER = r"caller|already (detached|without)|computed (under|with)|no_grad|outside"


@kind(_SELF)
def held_constant(subject: Subject) -> Iterator[Found]:
    """Whether the branch of BYOL and SimSiam that is not predicted gets no gradient."""
    if subject.spec.way.inside or not subject.spec.layout.startswith("several"):
        return
    said = f"{subject.words.all} {subject.words.code}"
    call = Named(subject)
    siam = re.search(r"sim_?siam|sim siam", said) is not None
    held = call.numbers(r"target_?\w+|z_?\w*target|teacher_\w+|ema_\w+|momentum_\w+|proj_target\w*")
    held = held or (call.numbers(r"z_?\w{0,2}|proj\w*") if siam and call.numbers(r"p_?\w{0,2}|pred\w*") else [])
    if len(held) < 2 or len(held) == len(call.places) or re.search(_CALLER, subject.words.all):
        return
    if not siam and not re.search(_HELD, said):
        return
    for name in held:
        found = call.pull(name, {})
        if found is not None and found.finite and found.gradient.any():
            yield Found(
                f"{name} gets a gradient: without the stop-gradient both branches may collapse to one point",
                {"largest": float(found.gradient.abs().max())},
                call.code({}),
                None,
                f"{name}.detach()",
            )
            return
