"""The number of examples per property: LOSSKIT_EFFORT, set by `make test-all`, multiplies it."""

from __future__ import annotations

import os

from hypothesis import settings

EFFORT = int(os.environ.get("LOSSKIT_EFFORT", "1"))


def few(examples: int) -> settings:
    """Settings of a property that runs over the whole catalogue."""
    return settings(max_examples=examples * EFFORT)
