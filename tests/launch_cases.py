"""Launches that are recorded but not executed, of plans for a simulated device."""

from contextlib import contextmanager
from unittest.mock import patch

import triton_builds
from losskit.ops import first_use, native, triton, values
from losskit.ops.triton import plan, prepared


@contextmanager
def stubbed():
    """The launches of plans, in order: nothing runs, so nothing is compared, and labels are reported late."""
    first_use.forget()
    with (
        triton_builds.recorded() as launches,
        patch.object(native, "AVAILABLE", False),
        patch.object(native, "warn_missing", lambda: None),
        patch.object(triton, "unavailable", lambda _: ""),
        patch.object(first_use, "verdict", lambda *_, **__: first_use.Verdict()),
        patch.object(plan.DevicePlan, "prove", lambda plan, _: setattr(plan, "define", None) or ""),
        patch.object(plan, "IMMEDIATE", ()),
        patch.object(prepared, "stream_of", lambda _: 0),
    ):
        yield launches
    first_use.forget()
    values.open_rows.clear()
