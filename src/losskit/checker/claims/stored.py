"""Tensors that a loss computes in its constructor: none of them is NaN."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor, nn

from losskit.checker.claims.kinds import kind
from losskit.checker.finding import Found
from losskit.checker.repro import script
from losskit.checker.subject import Subject


@kind(says=".")
def stored_numbers(subject: Subject) -> Iterator[Found]:
    """Whether a buffer of a newly constructed loss is NaN, as after a division by a sum of 0."""
    criterion = subject.build()
    if not isinstance(criterion, nn.Module):
        return
    kept = [*criterion.named_buffers(), *((n, x) for n, x in vars(criterion).items() if isinstance(x, Tensor))]
    for name, each in kept:
        if each.is_floating_point() and each.numel() and bool(each.isnan().any()):
            brought = "\n".join(part for part in ("import torch", subject.origin.imports) if part)
            yield Found(
                f"{name}, which the constructor computes, is NaN",
                {"elements that are NaN": int(each.isnan().sum()), "elements": each.numel()},
                script(brought, subject.origin.construction(), {}, (f"print(criterion.{name})",)),
                None,
                "Leave out a division by a sum that may be 0, or refuse such options.",
            )
            return
