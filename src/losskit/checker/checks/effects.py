"""Effects: whether an option changes the loss, alone or together with another one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from losskit.checker import draws
from losskit.checker.checks.dead import compared_with
from losskit.checker.checks.tools import built, close, code, tried, warned
from losskit.checker.finding import Found
from losskit.checker.origin import CannotRebuild
from losskit.checker.spec import Spec
from losskit.checker.subject import LossRaised, Subject

CLASS_WEIGHTS = ("class_weight", "class_weights", "weight", "ce_weight", "focal_weight", "weights")


def class_numbers(classes: int) -> Tensor:
    return torch.linspace(0.25, 3.0, classes)


def trials(spec: Spec) -> dict[str, list[Any]]:
    """Other values for the options that affect every example, by their usual names."""
    numbers = class_numbers(spec.classes)
    known: dict[str, list[Any]] = {
        "size_average": [False],
        "reduce": [False],
        "gamma": [0.6, 3.0],
        "alpha": [0.15, 0.85],
        "beta": [0.1, 0.9],
        "delta": [0.05, 1.0],
        "pos_weight": [torch.tensor([5.0]), 5.0],
        "label_smoothing": [0.3],
        "smooth": [7.0],
        "temperature": [0.2, 3.0],
        "tau": [0.2, 3.0],
    }
    if spec.labels and spec.classes > 1:
        known |= {each: [numbers, numbers.tolist()] for each in CLASS_WEIGHTS}
    return known


def has_effect(
    subject: Subject, option: str, other: Any, examples: list[tuple[Tensor, ...]], before: list[float]
) -> bool | None:
    """Whether an option changes the value; None if it is refused or announced to have no effect."""
    with warned() as heard:
        try:
            made = [shown(subject, each, option, other) for each in examples]
        except (LossRaised, CannotRebuild):
            return None
    if any(option in str(each.message) for each in heard):
        return None
    return any(
        not isinstance(now, float) or not close(now, then, 1e-6, 1e-9) for now, then in zip(made, before, strict=True)
    )


def helped(subject: Subject, option: str, others: list[Any], examples: list[tuple[Tensor, ...]]) -> bool:
    """Whether an option has an effect together with another one that switches it on."""
    known = trials(subject.spec)
    for name in subject.spec.options:
        default = subject.origin.options.get(name)
        switched: list[Any] = [not default] if isinstance(default, bool) else list(known.get(name, [])[:1])
        if name == "reduction" or name == option:
            continue
        switched += compared_with(subject.build(), name) if isinstance(default, str) else []
        for value_ in switched or ([1.0, 1] if default in (0, None) else []):
            before = [tried(shown, subject, each, name, value_) for each in examples]
            for other in others:
                after = [tried(shown, subject, each, option, other, {name: value_}) for each in examples]
                if None not in after and None not in before and after != before:
                    return True
    return False


def shown(
    subject: Subject, tensors: tuple[Tensor, ...], option: str, other: Any, also: dict[str, Any] | None = None
) -> float | tuple[int, ...]:
    """The loss as a number, or its shape if it is not a single number."""
    draws.seed()
    with torch.no_grad():
        made = subject.call(built(subject, {option: other, **(also or {})}), *(t.clone() for t in tensors))
    return float(made.mean()) if made.dim() == 0 or not subject.spec.scalar else tuple(made.shape)


_WEIGHTS = r"(\w*_)?(weights?|weightings?|coef\w*|factors?|lambdas?|alphas?|gains?)"


def lists_without_effect(subject: Subject, examples: list[tuple[Tensor, ...]], before: list[float]) -> Iterator[Found]:
    """Lists of weights that change nothing."""
    for option, default in subject.origin.options.items():
        held = isinstance(default, (list, tuple)) and len(default) > 1 and option not in trials(subject.spec)
        if not held or not re.fullmatch(_WEIGHTS, option.lower()):
            continue
        if not all(isinstance(each, (int, float)) and not isinstance(each, bool) for each in default):
            continue
        other = type(default)(each * (n + 2) + 0.5 for n, each in enumerate(default))
        unused = has_effect(subject, option, other, examples, before) is False
        if unused and not helped(subject, option, [other], examples):
            yield Found(
                f"{option} is accepted and changes nothing",
                {"value": before[0], f"with other {option}": before[0]},
                code(subject, *examples[0], options={option: other}),
            )
