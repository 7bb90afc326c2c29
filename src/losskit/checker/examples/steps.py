"""Examples of steps: sequences, ranks and survival times."""

from __future__ import annotations

from collections.abc import Callable

import torch

from losskit.checker.draws import Draw, Tensors


def sequences(draw: Draw) -> Tensors:
    """Seven steps, two different labels per sample."""
    steps, classes = 7, max(draw.classes, 3)
    targets = torch.tensor([[1, 2]] * draw.samples)
    labels = torch.tensor([0, 1, 1, 0, 2, 2, 0])
    said = labels if draw.correct else (labels + 1) % 3
    logits = draw.scale * (2 * torch.nn.functional.one_hot(said, classes).double() - 1)
    logits = logits.unsqueeze(1).expand(steps, draw.samples, classes)
    if draw.correct is None:
        logits = draw.scale * draw.normal(steps, draw.samples, classes)
    lengths = torch.full((draw.samples,), steps), torch.full((draw.samples,), 2)
    return logits.log_softmax(2), targets, *lengths


def batch_first(draw: Draw) -> Tensors:
    """Logits (N, T, C) of sequences."""
    logs, *others = sequences(draw)
    return logs.transpose(0, 1), *others


def tokens(draw: Draw) -> Tensors:
    """Logits (N, 6, V), each of the token at the next position, and tokens from 1 on."""
    classes = max(draw.classes, 3)
    target = torch.randint(1, classes, (draw.samples, 6), generator=draw.generator)
    following = target.roll(-1, 1)
    said = following if draw.correct else (following % (classes - 1)) + 1
    logits = draw.scale * (2 * torch.nn.functional.one_hot(said, classes).double() - 1)
    return (draw.scale * draw.normal(*logits.shape) if draw.correct is None else logits), target


def ranks(draw: Draw) -> Tensors:
    target = torch.arange(draw.samples) % (draw.classes + 1)
    above = (target.unsqueeze(1) > torch.arange(draw.classes)).double()
    if draw.correct is None:
        return draw.scale * draw.normal(draw.samples, draw.classes), target
    return draw.scale * (2 * above - 1) * (1 if draw.correct else -1), target


def survival(draw: Draw) -> Tensors:
    time = draw.normal(draw.samples).abs() + 0.1 * torch.arange(draw.samples) + 0.1
    event = draw.flags(draw.samples)
    event[time.argmin()] = 1.0
    if draw.correct is None:
        return draw.scale * draw.normal(draw.samples), time, event
    risk = -draw.scale * (time - time.mean())
    return (risk if draw.correct else -risk), time, event


def bins(draw: Draw) -> Tensors:
    bins = torch.arange(draw.samples) % draw.classes
    event = draw.flags(draw.samples)
    steps = torch.arange(draw.classes)
    at = (steps == bins.unsqueeze(1)) & (event.unsqueeze(1) > 0)
    if draw.correct is None:
        return draw.scale * draw.normal(draw.samples, draw.classes), bins, event
    return draw.scale * (2.0 * at - 1).double() * (1 if draw.correct else -1), bins, event


def censored_bins(draw: Draw) -> Tensors:
    input, at, event = bins(draw)
    return input, at, 1 - event


def hazards(make: Callable[[Draw], Tensors]) -> Callable[[Draw], Tensors]:
    """The same with the probability of an event in each bin."""
    return lambda draw: ((made := make(draw))[0].sigmoid(), *made[1:])
