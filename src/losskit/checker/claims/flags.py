"""Flags of a call, such as ends of episodes and observed events: what they switch, in every dtype."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

import torch
from torch import Tensor

from losskit.checker.checks.tools import close, is_random
from losskit.checker.claims.kinds import kind
from losskit.checker.claims.named import Named, is_flag
from losskit.checker.finding import Found
from losskit.checker.subject import Subject

_ENDS = r"(is_)?(done|dones|terminal|terminals|terminated|terminations?|done_?mask|end_?of_?episode)"
_FOLLOWING = r"next_\w+|\w+_next|\w*bootstrap\w*|v_?tp1|q_?tp1(_\w+)?|target_q\w*|q_target\w*"
_SHARES = r"\w*(prob|dist|pmf)\w*"  # of values: moved, they would be no distribution


@kind(r"done|termina|end_of_episode")
def ended(subject: Subject) -> Iterator[Found]:
    """Whether the values of the next state count before the end of an episode, and not after it."""
    if is_random(subject):
        return
    call = Named(subject)
    ends, following = call.like(_ENDS), call.numbers(_FOLLOWING, _SHARES)
    if len(ends) != 1 or not following or not is_flag(call[ends[0]]):
        return
    (end,) = ends
    moved = {name: call[name] + 3 for name in following}

    def effect(number: float) -> float:
        """By how much other values of the next state move the loss."""
        flag = {end: torch.full_like(call[end], number)}
        return abs(call.value({**flag, **moved}) - call.value(flag))

    after, before = effect(1), effect(0)
    if not (math.isfinite(after) and math.isfinite(before)) or after < 1e-5:
        return
    what = "the values of the next state change the loss after the end of an episode"
    if before < 1e-5:
        what = (
            f"the values of the next state count where {end} is 1 and not where it is 0: it is read the other way round"
        )
    changed = {end: torch.ones_like(call[end]), **moved}
    yield Found(
        what,
        {"with other next values": call.value(changed), "before": call.value({end: changed[end]})},
        call.code(changed),
        None,
        f"reward + gamma * (1 - {end}) * next_value",
    )


_FLAGS = rf"{_ENDS}|(is_)?(events?|status|observed|uncensored|censor(ed|ing)?|event_\w+|\w+_event|delta)|e"
_INTEGERS = r"\b(int|integers?|int64|long)\b"
_BOOLEANS = r"\bbool(ean)?s?\b"


@kind(r"done|termina|event|censor|observed|status|surviv|hazard|cox")
def dtypes_of_flags(subject: Subject) -> Iterator[Found]:
    """Whether 0 and 1 as integers, numbers and booleans have one loss."""
    if is_random(subject):
        return
    call = Named(subject, batch=6)
    for name in call.like(_FLAGS):
        if call[name].dim() != 1 or len(call[name]) != 6 or re.search(_BOOLEANS, subject.words.clauses.get(name, "")):
            continue
        flags = torch.tensor([1, 0, 0, 1, 1, 0])
        casts: dict[str, Tensor] = {"integers": flags, "numbers": flags.float(), "booleans": flags.bool()}
        costs = {sort: call.value({name: each}) for sort, each in casts.items()}
        right = costs["booleans"] if math.isfinite(costs["booleans"]) else costs["numbers"]
        if not math.isfinite(costs["integers"]) or not math.isfinite(right) or close(costs["integers"], right, 1e-4):
            continue
        yield Found(
            f"integers 0 and 1 in {name} have another loss than the same as "
            f"{'booleans: they are indices of two samples' if right == costs['booleans'] else 'numbers'}",
            {"integers": costs["integers"], "the same flags": right},
            call.code({name: flags}),
            None,
            f"{name} = {name}.bool() before it selects, or multiply by {name}.",
        )
        return
