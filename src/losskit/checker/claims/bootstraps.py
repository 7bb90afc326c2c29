"""Bootstrapped targets: the values of the next state are constants of a temporal difference."""

from __future__ import annotations

import re
from collections.abc import Iterator

from losskit.checker.checks.tools import BACKWARD, code, pull, tried
from losskit.checker.claims.kinds import kind
from losskit.checker.finding import Found
from losskit.checker.subject import Subject

_NEXT = r"next_\w+|\w+_next|target_q(?!uant)\w*|q_target\w*"


@kind(r"critic|bellman|\btd\b|q.?learning|\bd?dqn|\bsac\b|td3|ddpg|temporal difference")
def next_values(subject: Subject) -> Iterator[Found]:
    """Whether the values of the next state get a gradient."""
    if re.search(r"residual gradient|model|penalty", subject.words.all):
        return
    tensors = subject.example()
    for at, name in enumerate(subject.parameters[: len(tensors)]):
        place = subject.place(at)
        if not re.fullmatch(_NEXT, name.lower()) or not tensors[place].is_floating_point():
            continue
        found = tried(pull, subject, *tensors, of=place)
        if found is not None and found.finite and found.gradient.any():
            yield Found(
                f"{name} gets a gradient: the target is trained towards the current values",
                {"largest": float(found.gradient.abs().max())},
                code(subject, *tensors, lines=BACKWARD),
                None,
                "target = (reward + gamma * (1 - done) * next_value).detach(), or compute it under torch.no_grad().",
            )
            return
