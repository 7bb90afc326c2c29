"""Lists of outputs: each scale, head or stage changes the loss."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
    silent = _silent(subject, places[0], tensors, 3)
    if silent == [2] and _weighs_two(subject) and not _silent(subject, places[0], tensors, 2):
        return  # it has weights for two outputs
    if silent and len(silent) < 3:
        name = names[places[0]]
        shown = (
            f"outputs {' and '.join(map(str, silent))} of 3 in {name} do"
            if len(silent) > 1
            else (f"output {silent[0]} of 3 in {name} does")
        )
        yield Found(f"{shown} not change the loss", {"outputs without gradient": len(silent)}, "", None, _FIX)


def _silent(subject: Subject, place: int, tensors: Sequence[torch.Tensor], count: int) -> list[int]:
    """Which of so many outputs get no gradient; none where the loss refuses so many."""
    heads = [(by * tensors[0]).requires_grad_() for by in (1.0, 0.7, 0.4)[:count]]

    def criterion(*arguments: Any, **named: Any) -> torch.Tensor:
        given = [heads if at == place else each for at, each in enumerate(arguments)]
        return loss_of(subject.build()(*given, **named))[0]

    try:
        made = subject.spec.way.call(criterion, tensors, {}).mean()
        slopes = torch.autograd.grad(made, heads, allow_unused=True)
    except Exception:  # noqa: BLE001 - it may take exactly two
        return []
    return [at for at, each in enumerate(slopes) if each is None or not each.any()]


def _weighs_two(subject: Subject) -> bool:
    """Whether the loss holds two numbers, the weights of as many outputs."""
    held = [*vars(subject.build()).values()] if hasattr(subject.build(), "__dict__") else []
    held += subject.origin.options.values()
    return any(isinstance(each, (list, tuple)) and len(each) == 2 for each in held)
