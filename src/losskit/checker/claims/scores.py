"""Scores: what the name of the input says that it is."""

from __future__ import annotations

import re
from collections.abc import Iterator

from losskit.checker.checks.tools import code, labelled, value
from losskit.checker.claims.kinds import kind
from losskit.checker.finding import Found
from losskit.checker.listening import heard
from losskit.checker.subject import Subject

_ACTIVATES = r"sigmoid|softmax|activation|nonlin|from_logits|exp\b|expit|softplus|entropy|tanh"


@kind(r"\blogits?\b")
def takes_logits(subject: Subject) -> Iterator[Found]:
    """Whether an input called logits is not taken as probabilities."""
    spec, words = subject.spec, subject.words
    name = subject.parameters[subject.order(0)] if labelled(spec) else ""
    if not re.fullmatch(r"logits?|\w+_logits?", name.lower()) or spec.scores != "probabilities":
        return
    if words.say("probabilit") or re.search(_ACTIVATES, words.code):
        return
    shares, target = subject.example(scale=60.0, correct=True, batch=4)
    called = {call.name for call in heard(subject, shares, target)}
    if not called or "data_ptr" in called or any(re.search(_ACTIVATES, each) for each in called):
        return
    logits = 8 * (2 * shares - 1)
    yield Found(
        f"{name} are taken as probabilities: the loss applies no sigmoid and no softmax to them",
        {"correct logits": value(subject, logits, target), "0 and 1": value(subject, shares, target)},
        code(subject, logits, target),
        None,
        f"probs = {name}.sigmoid(), or {name}.softmax(1) for exclusive classes.",
    )
