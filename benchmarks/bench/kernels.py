"""The kernels alone: the C entry points of a loss, called with precomputed addresses.

The gradient is written to memory of its own in every call, as autograd requires: for large tensors the pages are fresh.
"""

from __future__ import annotations

import torch
from torch import Tensor

from bench.contenders import Call, Contender
from losskit.ops.constants import GRADIENTS, RESULTS
from losskit.ops.layouts import layout_of

KERNELS = "kernels"
_LATER = GRADIENTS.index("gradient_later")


def kernels(loss: Call, x: Tensor, t: Tensor) -> Contender | None:
    """A forward and a backward pass; None for a loss without a plan, such as rank losses."""
    plan = getattr(loss, "plans", {}).get(layout_of(x, t, None, None))
    if plan is None or not plan.serves:
        return None
    value, coefficients = torch.empty(()), plan.room()
    later, threads = plan.mode == _LATER, torch.get_num_threads()
    given = plan.address, x.data_ptr(), t.data_ptr(), None, None, None
    left = coefficients.data_ptr() if later else None

    def both(_x: Tensor, _t: Tensor) -> Tensor:
        gradient = torch.empty_like(x)
        room = gradient.data_ptr() if plan.saves or not later else None
        flags = plan.run(
            *given, room, left, None, None, float("nan"), value.data_ptr(), None, plan.mode, threads
        )  # fmt: skip
        if later:
            saved = bool(flags & RESULTS["saved"])
            plan.run_gradient(*given, gradient.data_ptr(), coefficients.data_ptr(), 1.0, saved, threads)
        return gradient

    return Contender(KERNELS, "losskit_loss, losskit_loss_gradient", both)
