"""Every option that losses of labels share changes the number; test_authorities.py has those of each loss alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from torch import Tensor

from cases import CASES, LABELLED
from domains import values_of
from inputs import Case, Shape
from references import SHARED

NAMES = sorted({case.entry.name for case in LABELLED})
BESIDE = {"absent": {"smooth": 1.0}}  # what another option needs to change a number


def data(case: Case) -> Iterator[tuple[Tensor, Tensor]]:
    """Inputs of which one sample lacks a class, once more with fractions for targets where the loss takes them."""
    input, target = case.given(Shape(3, 3, (7,)), seed=2).tensors
    last = input.shape[1] - 1
    if not target.is_floating_point():
        target[0][target[0] == last] = 0
    elif not case.softmax:
        target[0, last] = 0.0
    yield input, target
    if case.kind in ("binary", "multilabel"):
        yield input, 0.75 * target


def settings(case: Case, option: str) -> list[Any]:
    declared = case.loss.options[option]
    found = (
        [0] if option == "ignore_index" else values_of(declared.domain.annotation, 1 if case.kind == "binary" else 3)
    )
    return [value for value in found if value != case.options.get(option, declared.default)]


def changes(case: Case, option: str, value: Any) -> bool:
    """Whether this value gives another number than the default does, on any of the data."""
    beside = {k: v for k, v in BESIDE.get(option, {}).items() if k in case.loss.options}
    for input, target in data(case):
        if option == "from_logits":
            input = input.softmax(1) if case.softmax else input.sigmoid()
        try:
            plain, other = (case(**beside, **more)(input, target) for more in ({}, {option: value}))
        except ValueError:  # no such value for these targets
            continue
        if plain.shape != other.shape or bool((plain - other).abs().max() > 1e-4):
            return True
    return False


@pytest.mark.parametrize("name", NAMES)
def test_every_shared_option_changes_the_number(name: str) -> None:
    cases = [case for case in CASES if case.entry.name == name]
    for option in (SHARED & cases[0].loss.options.keys()) - {"empty", "reduction"}:
        known = [(case, value) for case in cases for value in settings(case, option)]
        if option == "from_logits" and name == "nll_loss":  # it takes log-probabilities and refuses
            continue
        assert not known or any(changes(case, option, value) for case, value in known), f"{name}: {option}"
