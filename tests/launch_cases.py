"""Launches that are recorded but not executed, of plans for a simulated device."""

from contextlib import contextmanager
from unittest.mock import patch

import torch

import losskit
import triton_builds
from device_cases import labels
from device_formulas import numbers
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


WARM = {  # losses whose warm calls are measured
    "cross-entropy": (losskit.CrossEntropyLoss, lambda: labels((2, 5, 32, 32))),
    "Dice + cross-entropy": (losskit.DiceCELoss, lambda: labels((2, 5, 32, 32))),
    "Dice + BCE": (losskit.DiceBCELoss, lambda: labels((2, 1, 64, 64), multilabel=True)),
    "Huber": (losskit.HuberLoss, lambda: numbers((64, 640))),
}


@contextmanager
def silent():
    """Warm calls with their gradient, by the name of the loss: launches do nothing."""
    one = torch.ones(())

    def call_of(loss, x, t):
        return lambda: torch.autograd.grad(loss(x, t), x, one)

    with stubbed():
        calls = {}
        for name, (make, tensors) in WARM.items():
            loss, (x, t) = make(), tensors()
            calls[name] = call_of(loss, x.requires_grad_(), t)
            calls[name]()
            for of_layout in loss.plans.values():
                for steps in (of_layout.backward, *of_layout.forward):
                    for step in steps.steps:
                        step.run = lambda *_: None
        yield calls
