"""Losses of rotation matrices: the angle between two of them, and its gradient where they are equal."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from losskit.checker.checks.tools import BACKWARD, code, pull, tried, value
from losskit.checker.claims.kinds import kind
from losskit.checker.finding import Found
from losskit.checker.subject import Subject


def _turned(angle: float) -> Tensor:
    """Two rotations by this angle about an axis, in float32."""
    cos, sin = math.cos(angle), math.sin(angle)
    return torch.tensor([[[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]]]).repeat(2, 1, 1)


@kind(r"rotation matri")
def angle_between(subject: Subject) -> Iterator[Found]:
    """Whether equal rotations have a finite gradient, and a larger angle a larger loss."""
    if subject.spec.layout.count("rotation") != 2 or len(subject.spec.tensors) != 2:
        return
    one, other = _turned(0.0), _turned(0.5)
    for what, tensors in (("equal rotations", (one, one)), ("opposite rotations", (_turned(math.pi), one))):
        found = tried(pull, subject, *tensors)
        if found is not None and not found.finite:
            which = "value" if not found.value.isfinite().all() else "gradient"
            fix = "Keep the cosine off -1 and 1, or use atan2 of the sine and the cosine."
            numbers = {"value": float(found.value)}
            yield Found(
                f"the {which} of {what} is not finite", numbers, code(subject, *tensors, lines=BACKWARD), None, fix
            )
            return
    costs = [tried(value, subject, *pair) for pair in ((one, one), (other, one), (_turned(1.5), one))]
    if None not in costs and not costs[0] < costs[1] < costs[2]:  # type: ignore[operator]
        yield Found(
            "a larger angle between two rotations does not have a larger loss",
            {"at 0.5": costs[1], "at 1.5": costs[2], "equal": costs[0]},
            code(subject, other, one),
        )
