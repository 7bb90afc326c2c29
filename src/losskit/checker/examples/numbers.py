"""Examples of numbers: values, counts, distributions, quantiles and scores beside them."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from losskit.checker.draws import Draw, Tensors, away, labels_of, near, one_hot_of, scores_of, shaped


def values(draw: Draw) -> Tensors:
    target = draw.normal(*shaped(draw))
    return near(draw, target), target


def values_bare(draw: Draw) -> Tensors:
    target = draw.normal(draw.samples, *draw.spatial)
    return near(draw, target), target


def with_variance(draw: Draw) -> Tensors:
    input, target = values(draw)
    return input, target, draw.normal(*target.shape).abs() + 0.2


def log_variance(draw: Draw) -> Tensors:
    input, target, variance = with_variance(draw)
    return input, target, variance.log()


def between(make: Callable[[Draw], Tensors]) -> Callable[[Draw], Tensors]:
    """The same tensors with the target last."""
    return lambda draw: (made := make(draw))[:1] + made[2:] + made[1:2]


def counts(draw: Draw) -> Tensors:
    target = (draw.normal(*shaped(draw)).abs() * 3).floor() + (0 if draw.correct is None else 1)
    return near(draw, target.clamp_min(0.5).log()), target


def rates(draw: Draw) -> Tensors:
    target = (draw.normal(*shaped(draw)).abs() * 3).floor() + (0 if draw.correct is None else 1)
    if draw.correct is None:
        return draw.scale * draw.normal(*target.shape).abs() + 0.1, target
    return target.clone() if draw.correct else target + away(draw, target).abs(), target


def positives(draw: Draw) -> Tensors:
    """Positive numbers, as depths or magnitudes."""
    target = draw.normal(*shaped(draw)).abs() + 0.5
    if draw.correct:
        return target.clone(), target
    noise = 0.5 * draw.scale * (draw.normal(*target.shape) if draw.correct is None else away(draw, target))
    return target * noise.clamp(-2, 2).exp(), target


def _soft(draw: Draw) -> Tensor:
    return draw.normal(*shaped(draw)).softmax(1)


def distributions(draw: Draw) -> Tensors:
    target = _soft(draw)
    noise = 0.0 if draw.correct else draw.scale * draw.normal(*target.shape)
    return (target.log() + noise).log_softmax(1), target


def log_distributions(draw: Draw) -> Tensors:
    input, target = distributions(draw)
    return input, target.log()


def quantiles(draw: Draw) -> Tensors:
    target = draw.normal(draw.samples)
    answer = target.unsqueeze(1).expand(-1, draw.classes)
    return (draw.scale * draw.normal(*answer.shape) if draw.correct is None else near(draw, answer)), target


def teacher(draw: Draw) -> Tensors:
    target = 2 * draw.normal(*shaped(draw))
    return near(draw, target), target


def teacher_and_labels(draw: Draw) -> Tensors:
    labels = labels_of("multiclass", draw)
    hot = one_hot_of("multiclass", labels, draw.classes)
    teacher = 3 * hot + 0.3 * draw.normal(*shaped(draw))
    return scores_of("multiclass", labels, draw, "logits"), teacher, labels


def alone(draw: Draw) -> Tensors:
    return (draw.scale * draw.normal(*shaped(draw)),)


def label_lists(draw: Draw) -> Tensors:
    """One true class per sample, and nothing after it."""
    first = torch.randint(draw.classes, (draw.samples,), generator=draw.generator)
    target = torch.full((draw.samples, draw.classes), -1)
    target[:, 0] = first
    return scores_of("multiclass", first, draw, "logits"), target
