"""Lists of outputs: each scale, head or stage changes the loss."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

from losskit.checker.calling import HEADS, loss_of
from losskit.checker.claims.kinds import kind
from losskit.checker.finding import Found
from losskit.checker.origin import call_parameters
from losskit.checker.subject import Subject
from losskit.checker.uses import LIST

_FIX = "total = total + weight * loss inside the loop, and return after it."


@kind(".")
def every_output(subject: Subject) -> Iterator[Found]:
    """Whether every element of a list of outputs gets a gradient."""
    way = subject.spec.way
    places = [each.at for each in way.wraps if each.sort == LIST] or [e.at for e in way.extras if e.name in HEADS]
    tensors = subject.example(batch=2)
    names = [each.name for each in call_parameters(subject.build())]
    if len(places) != 1 or places[0] >= len(names):
        return
    heads = [(by * tensors[0]).requires_grad_() for by in (1.0, 0.7, 0.4)]
    given: list[Any] = []

    def criterion(*arguments: Any, **named: Any) -> torch.Tensor:
        given[:] = [heads if at == places[0] else each for at, each in enumerate(arguments)]
        return loss_of(subject.build()(*given, **named))[0]

    try:
        made = way.call(criterion, tensors, {}).mean()
        slopes = torch.autograd.grad(made, heads, allow_unused=True)
    except Exception:  # noqa: BLE001 - it may take exactly two
        return
    silent = [at for at, each in enumerate(slopes) if each is None or not each.any()]
    if silent and len(silent) < len(heads):
        name = names[places[0]]
        shown = (
            f"outputs {' and '.join(map(str, silent))} of 3 in {name} do"
            if len(silent) > 1
            else (f"output {silent[0]} of 3 in {name} does")
        )
        yield Found(f"{shown} not change the loss", {"outputs without gradient": len(silent)}, "", None, _FIX)
