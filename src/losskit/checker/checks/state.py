"""State: what a call leaves on the loss for the next one, and labels with a meaning of their own."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from losskit.checker import draws
from losskit.checker.checks.tools import close, code, tried, value
from losskit.checker.finding import Found, Severity
from losskit.checker.origin import call_parameters
from losskit.checker.subject import LossRaised, Subject
from losskit.checker.uses import MODE


def of_another_call(subject: Subject) -> Iterator[Found]:
    """Whether a call in another mode, or with another number of samples, changes the next one."""
    tensors = subject.example(0)
    flags = [each for each in subject.spec.way.extras if each.sort == MODE and isinstance(each.value, bool)]
    before: list[tuple[str, tuple[Tensor, ...], dict[str, Any]]] = [
        (f"{each.name}={not each.value}", tensors, {each.name: not each.value}) for each in flags
    ]
    before.append(("another number of samples", subject.example(1, batch=4), {}))
    right = tried(value, subject, *tensors)
    for what, others, given in before:
        criterion = subject.build()
        try:
            with torch.no_grad():
                subject.call(criterion, *others, **given)
        except LossRaised:
            continue
        try:
            draws.seed()
            with torch.no_grad():
                after = float(subject.call(criterion, *tensors).double().mean())
        except LossRaised:
            after = math.nan
        if right is not None and math.isfinite(right) and not close(after, right, 1e-5, 1e-8):
            lines = (f"print({subject.call_code(**given)}, {subject.call_code()})",)
            yield Found(
                f"a call with {what} changes what the next one returns: something of it is kept on the loss",
                {"after it": after, "alone": right},
                code(subject, *tensors, lines=lines),
                Severity.PROPERTY if keeps_average(subject, criterion) else None,
            )
            return


def keeps_average(subject: Subject, criterion: Any) -> bool:
    """Whether a loss says that it keeps a moving average or a queue, and a buffer of it has changed."""
    if not isinstance(criterion, nn.Module) or not re.search(
        r"momentum|\bema\b|ema_|decay|moving|queue", subject.words.code
    ):
        return False
    fresh = subject.build()
    before = dict(fresh.named_buffers()) if isinstance(fresh, nn.Module) else {}
    return any(not torch.equal(before[name], held) for name, held in criterion.named_buffers() if name in before)


def holds_labels(tensor: Tensor) -> bool:
    return not tensor.is_floating_point() and tensor.dtype != torch.bool and tensor.dim() > 0


def special_labels(subject: Subject) -> set[int]:
    """Labels that options name as padding, or as ignored."""
    defaults = {each.name: each.default for each in call_parameters(subject.build())}
    named = {**subject.origin.options, **defaults}
    return {
        each
        for name, each in named.items()
        if re.search(r"pad|ignore|blank|void", name.lower()) and isinstance(each, int) and not isinstance(each, bool)
    }
