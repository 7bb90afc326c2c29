"""How many examples a property takes: `make test-all` sets LOSSKIT_EFFORT to take so many times as many."""

from __future__ import annotations

import os

from hypothesis import settings

EFFORT = int(os.environ.get("LOSSKIT_EFFORT", "1"))


def few(examples: int) -> settings:
    """Settings of a property that runs over the whole catalogue."""
    return settings(max_examples=examples * EFFORT)
