"""Examples of pairs: distances, rankings, embeddings and pairs of numbers."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from losskit.checker.draws import Draw, Tensors, shaped


def _signs(draw: Draw, *size: int) -> Tensor:
    return 2 * draw.flags(*size) - 1


def _right_signs(draw: Draw, signs: Tensor) -> Tensor:
    """The side on which a prediction is: the correct one, the wrong one, or either."""
    if draw.correct is None:
        return torch.sign(draw.normal(*signs.shape))
    return signs if draw.correct else -signs


def distances(draw: Draw) -> Tensors:
    target = _signs(draw, *shaped(draw))
    if draw.correct is None:
        return draw.scale * draw.normal(*target.shape).abs(), target
    return torch.where(_right_signs(draw, target) > 0, 0.0, 2.0 * draw.scale).double(), target


def ranking(draw: Draw) -> Tensors:
    target = _signs(draw, *shaped(draw))
    first = draw.scale * draw.normal(*target.shape)
    if draw.correct is None:
        return first, draw.scale * draw.normal(*target.shape), target
    return first, first - 2.0 * draw.scale * _right_signs(draw, target), target


def pairs(draw: Draw, yes: float, no: float) -> Tensors:
    target = _signs(draw, draw.samples)
    first = draw.scale * draw.normal(draw.samples, draw.classes)
    second = draw.scale * draw.normal(draw.samples, draw.classes)
    if draw.correct is not None:
        second = torch.where(_right_signs(draw, target).unsqueeze(1) > 0, first, -first)
    return first, second, torch.where(target > 0, yes, no).double()


def in_column(yes: float, no: float) -> Callable[[Draw], Tensors]:
    """Pairs whose labels are a column, (N, 1)."""

    def made(draw: Draw) -> Tensors:
        first, second, target = pairs(draw, yes, no)
        return first, second, target.unsqueeze(1)

    return made


def triplets(draw: Draw) -> Tensors:
    anchor, one, other = (draw.scale * draw.normal(draw.samples, draw.classes) for _ in range(3))
    if draw.correct is None:
        return anchor, one, other
    return (anchor, anchor.clone(), -anchor) if draw.correct else (anchor, -anchor, anchor.clone())


def partners(draw: Draw) -> Tensors:
    first = draw.scale * draw.normal(draw.samples, draw.classes)
    if draw.correct is None:
        return first, draw.scale * draw.normal(draw.samples, draw.classes)
    return first, first.clone() if draw.correct else first.roll(1, 0)


def groups(draw: Draw) -> Tensors:
    target = torch.arange(draw.samples) // 2
    centres = draw.normal(draw.samples, draw.classes)[target]
    if draw.correct is None:
        return draw.scale * draw.normal(draw.samples, draw.classes), target
    first = draw.scale * (centres + 0.01 * draw.normal(draw.samples, draw.classes))
    return first if draw.correct else first.roll(1, 0), target


def above(draw: Draw) -> Tensors:
    first, second = draw.normal(draw.samples), draw.normal(draw.samples)
    if draw.correct is None:
        return draw.scale * first, draw.scale * second
    high, low = draw.scale * (first.abs() + 0.5), -draw.scale * (second.abs() + 0.5)
    return (high, low) if draw.correct else (low, high)
