"""Curves: the factor that a loss of labels multiplies the cross-entropy by, over the probability of the label."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from losskit.checker.checks.tools import tried, value
from losskit.checker.subject import Subject

_SCALES = (-2.5, -1.5, -0.7, 0.4, 1.1, 2.0)  # of the scores, on the side of the label


@dataclass(frozen=True)
class Curve:
    """The loss over the cross-entropy, for one label."""

    sure: Tensor  # probability of the label
    ratio: Tensor

    def power_of(self, base: Tensor) -> tuple[float, float] | None:
        """The factor and the exponent if the ratio is a power of this base."""
        if not bool((self.ratio > 0).all()):
            return None
        x, y = base.log(), self.ratio.log()
        slope = float(((x - x.mean()) * (y - y.mean())).sum() / (x - x.mean()).square().sum())
        rest = y - y.mean() - slope * (x - x.mean())
        fits = float(rest.abs().max()) < 5e-3
        return (math.exp(float(y.mean() - slope * x.mean())), slope) if fits else None


def curve_of(subject: Subject, label: int, options: dict[str, float]) -> Curve | None:
    """The curve of samples of one label; None if the loss is not finite there."""
    labels = torch.full_like(subject.labels(batch=1), label)
    target = subject.target_of(labels)
    sure, ratios = [], []
    for scale in _SCALES:
        input = subject.input_of(labels, abs(scale), scale > 0, torch.float64)
        others = 1 if subject.spec.kind != "multiclass" else 0
        if others:
            p = 1 / (1 + math.exp(-scale))
        else:
            wide = input if subject.spec.scores == "logits" else input.log()
            p = float(wide.softmax(1).gather(1, labels.reshape(len(labels), 1, *input.shape[2:])).mean())
        cost = tried(value, subject, input, target, options=options)
        if cost is None or not math.isfinite(cost):
            return None
        sure.append(p)
        ratios.append(cost / -math.log(p))
    return Curve(torch.tensor(sure).double(), torch.tensor(ratios).double())
