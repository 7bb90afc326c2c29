"""Detection by heatmaps and by distributions over bins."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from losskit.checker.checks.tools import BACKWARD, code, pull, tried
from losskit.checker.claims.kinds import kind, taken_as
from losskit.checker.finding import Found
from losskit.checker.subject import Subject


@kind(r"heat_?map|centernet|cornernet|penalty.reduced|center_?focal")
def heatmaps(subject: Subject) -> Iterator[Found]:
    """Whether an image without objects has a finite loss, and pixels near an object are spared."""
    spec = subject.spec
    if spec.layout != "heatmap":
        return
    target = torch.zeros(1, spec.classes, 5, 6)
    even = torch.full_like(target, 0.5 if spec.scores == "probabilities" else 0.0)
    found = tried(pull, subject, even, target)
    if found is not None and not found.finite:
        yield Found(
            "without any object in the batch the loss is not finite",
            {"value": float(found.value)},
            code(subject, even, target, lines=BACKWARD),
            None,
            "Divide by num_pos.clamp(min=1).",
        )
        return
    target[:, :, 2, 2], target[:, :, 2, 3] = 1.0, 0.8
    found = tried(pull, subject, even, target)
    if found is None or not found.finite:
        return
    peak, near, far = (float(found.gradient[0, 0, 2, n]) for n in (2, 3, 5))
    if near > 0.9 * far and near > 0:
        yield Found(
            "a pixel beside an object is pushed down as much as one far from all objects",
            {"gradient where the heatmap is 0.8": near, "where it is 0": far},
            code(subject, even, target, lines=BACKWARD),
            None,
            "Weight negatives by (1 - gt) ** 4.",
        )
    elif peak >= 0:
        yield Found(
            "the centre of an object is not raised",
            {"gradient where the heatmap is 1": peak},
            code(subject, even, target, lines=BACKWARD),
            None,
            "Positives are where gt == 1: (1 - p) ** 2 * log(p).",
        )


@kind(r"distribution.?focal|\bdfl\b|dfl_?loss|dfloss|\bdfl")
def bins(subject: Subject) -> Iterator[Found]:
    """Whether the two bins around a position get the shares that its distances give."""
    if not subject.spec.two:
        return
    taken = taken_as(subject, ("regression", "values", "quantiles"))
    for count in (17, 16, subject.spec.classes):
        input, target = torch.zeros(1, count), torch.tensor([3.25 if count > 5 else 0.25])
        found = tried(pull, taken, input, target)
        if found is None or not found.finite:
            continue
        at = int(target)
        shares = (1 / count - found.gradient[0]).tolist()
        if abs(shares[at] - 0.25) < 1e-3 and abs(shares[at + 1] - 0.75) < 1e-3:
            yield Found(
                "the bins on both sides of a position have each other's weight: the farther one gets more",
                {f"weight of bin {at} for {float(target):g}": shares[at], f"of bin {at + 1}": shares[at + 1]},
                code(taken, input, target, lines=BACKWARD),
                None,
                "weight_left = right - target, weight_right = target - left",
            )
        return
