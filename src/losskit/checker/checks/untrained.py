"""Learned tensors that change the loss and never get a gradient."""

from __future__ import annotations

import re
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from losskit.checker import draws
from losskit.checker.checks.tools import close, code
from losskit.checker.checks.unregistered import without_model
from losskit.checker.finding import Found, Severity
from losskit.checker.origin import Criterion
from losskit.checker.registry import check
from losskit.checker.subject import LossRaised, Subject

_BY_HAND = r"teacher|target|momentum|ema|key|frozen|fixed|prior|center|centre|queue|running|reference|anchor"
_EXAMPLES = 3


@check(
    "untrained-parameters",
    Severity.WRONG,
    why="An optimizer gets it and never changes it, although the loss depends on it.",
    fix="Let the graph reach it: no detach() or no_grad around it. If it is constant, make it a buffer.",
    anyhow=True,
    applies=without_model,
)
def untrained_parameters(subject: Subject) -> Iterator[Found]:
    """Does every parameter of the loss on which its value depends get a gradient?"""
    criterion = subject.build()
    if not isinstance(criterion, nn.Module):
        return
    for name, parameter in criterion.named_parameters():
        if not parameter.requires_grad or re.search(_BY_HAND, name.lower()):
            continue
        seen = [_call(subject, name, seed) for seed in range(_EXAMPLES)]
        if any(each is None or each[1] for each in seen):
            continue
        counts = [_depends(subject, name, seed) for seed in range(_EXAMPLES)]
        if all(counts):
            yield Found(
                f"{name} changes the loss and gets no gradient",
                {"value": seen[0][0] if seen[0] is not None else 0.0, "with another": counts[0]},
                code(subject, *subject.example(), lines=("{call}.mean().backward()", f"print(criterion.{name}.grad)")),
            )
            return


def _call(subject: Subject, name: str, seed: int) -> tuple[float, bool] | None:
    """The value, and whether a parameter gets a gradient or is changed by the call; None if there is no gradient."""
    criterion = subject.build()
    parameter = _parameter(criterion, name)
    before = parameter.detach().clone()
    made = _made(subject, criterion, seed)
    if made is None or not made.requires_grad:
        return None
    (found,) = torch.autograd.grad(made, parameter, allow_unused=True)
    return float(made.detach()), found is not None or not torch.equal(before, parameter.detach())


def _depends(subject: Subject, name: str, seed: int) -> float:
    """The value with another parameter; 0 if it is the same."""
    numbers = []
    for other in (False, True):
        criterion = subject.build()
        parameter = _parameter(criterion, name)
        if other:
            with torch.no_grad():
                parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(seed)))
        made = _made(subject, criterion, seed)
        numbers.append(float(made.detach()) if made is not None else 0.0)
    return 0.0 if close(*numbers) else numbers[1]


def _parameter(criterion: Criterion, name: str) -> Tensor:
    return dict(criterion.named_parameters())[name]  # type: ignore[attr-defined,no-any-return]


def _made(subject: Subject, criterion: Criterion, seed: int) -> Tensor | None:
    draws.seed(seed)
    tensors = [each.clone().requires_grad_(each.is_floating_point()) for each in subject.example(seed)]
    try:
        with torch.enable_grad():
            return subject.call(criterion, *tensors).mean()
    except (LossRaised, RuntimeError):
        return None
