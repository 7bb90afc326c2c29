"""How much is tested: LOSSKIT_EFFORT, set by `make test-all`, multiplies the examples of each property."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from typing import Any

import pytest
from hypothesis import settings

EFFORT = int(os.environ.get("LOSSKIT_EFFORT", "1"))


def few(examples: int) -> settings:
    """Settings of a property that runs over the whole catalogue."""
    return settings(max_examples=examples * EFFORT)


def one_in(count: int, cases: list[Any], name: Callable[[Any], str] = str, always: Collection[str] = ()) -> list[Any]:
    """Parameters of a test that takes long: one case in so many, and those named; `make test-all` runs all."""
    return [
        pytest.param(c, marks=[pytest.mark.slow] if at % count and name(c) not in always else [], id=name(c))
        for at, c in enumerate(cases)
    ]
