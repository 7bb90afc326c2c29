"""Options and histories: a margin raises the loss, a constant history leaves it finite."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

import torch

from losskit.checker.checks.tools import code, is_random, tried, value
from losskit.checker.claims.kinds import kind
from losskit.checker.claims.named import Named
from losskit.checker.finding import Found
from losskit.checker.subject import Subject

_TOLERANCES = (
    r"insensitive|toleran|slack|dead.?zone|ignor|false.?negative|filter|mining|miner|easy|relax|adaptive|"
    r"lower\w* (the )?loss"
)


@kind(r"margin|simpo")
def margin_raises(subject: Subject) -> Iterator[Found]:
    """Whether a larger margin demands more: it raises the loss, or leaves it."""
    spec = subject.spec
    option = next(
        (n for n in ("margin", "gamma" if re.search("simpo", subject.words.all) else "margin") if n in spec.options), ""
    )
    if not option or spec.kind == "regression" or re.search(_TOLERANCES, subject.words.all):
        return
    if is_random(subject) or (spec.kind == "pairs" and "cos" in subject.words.all):
        return  # a cosine up to the margin costs a pair of different samples nothing
    examples = [subject.example(seed, batch=4) for seed in range(3)]
    costs = [[tried(value, subject, *each, options={option: m}) for m in (0.1, 0.3)] for each in examples]
    if any(each is None or not math.isfinite(each) for pair in costs for each in pair):
        return
    falls = [(pair[0] or 0.0) - (pair[1] or 0.0) for pair in costs]
    if all(each > 1e-5 for each in falls):
        yield Found(
            f"a larger {option} lowers the loss: the margin is added to the difference that it should reduce",
            {f"{option}=0.3": costs[0][1], f"{option}=0.1": costs[0][0]},
            code(subject, *examples[0], options={option: 0.3}),
            None,
            "Subtract the margin from positive - negative, or add it to negative - positive.",
        )


_HISTORY = r"\w*in_?sample\w*|history|hist|past\w*|y_?train\w*|train(ing)?_(y|series|target)|seasonal_\w+"


@kind(r"sample|histor|past|train|mase|scaled")
def constant_history(subject: Subject) -> Iterator[Found]:
    """Whether a history that does not change leaves the loss finite."""
    if subject.spec.way.inside:
        return
    call = Named(subject)
    for name in call.numbers(_HISTORY):
        before = call.value({})
        changed = {name: torch.ones_like(call[name])}
        pulled = call.pull(subject.parameters[subject.order(0)], changed)
        if not math.isfinite(before) or pulled is None or pulled.finite:
            continue
        yield Found(
            f"a history in {name} that does not change over time makes the loss infinite or NaN: its scale is 0",
            {"value": float(pulled.value), "before": before},
            call.code(changed),
            None,
            "scale.clamp(min=1e-8), or leave such series out.",
        )
        return
