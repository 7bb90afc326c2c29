"""Draws: the size and correctness of an example, its labels, and scores that are correct, wrong or random."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

Tensors = tuple[Tensor, ...]


def seed(number: int = 0) -> None:
    """Seed the random numbers of the CPU; torch.manual_seed also records a trace of the stack for each accelerator."""
    torch.default_generator.manual_seed(number)


@dataclass(frozen=True)
class Draw:
    """The size and correctness of an example."""

    samples: int
    classes: int
    spatial: tuple[int, ...]
    generator: Generator
    correct: bool | None  # correct, wrong, or random scores
    scale: float  # distance of scores from 0
    ignored: int | None = None  # a class that the loss ignores

    def normal(self, *size: int) -> Tensor:
        return torch.randn(size, generator=self.generator, dtype=torch.float64).round(decimals=4)  # short to write

    def flags(self, *size: int) -> Tensor:
        """0 and 1, each at least once where there is room."""
        drawn = (torch.rand(size, generator=self.generator) < 0.4).double()
        flat = drawn.view(-1)
        if flat.numel() > 1:
            flat[0], flat[-1] = 1.0, 0.0
        return drawn


def shaped(draw: Draw) -> tuple[int, ...]:
    """The shape (N, C, *) of its tensors."""
    return (draw.samples, draw.classes, *draw.spatial)


def away(draw: Draw, like: Tensor) -> Tensor:
    """Numbers at least `scale` from 0, on either side."""
    noise = draw.normal(*like.shape)
    return draw.scale * (noise + torch.where(noise < 0, -1.0, 1.0).to(noise))


def near(draw: Draw, target: Tensor) -> Tensor:
    """A prediction for a target of numbers."""
    if draw.correct is None:
        return draw.scale * draw.normal(*target.shape)
    return target.clone() if draw.correct else target + away(draw, target)


def labels_of(kind: str, draw: Draw) -> Tensor:
    """Labels: classes (N, *) if there is one class per position, otherwise 0 or 1, (N, C, *)."""
    if kind != "multiclass":
        return draw.flags(draw.samples, draw.classes, *draw.spatial).long()
    size = (draw.samples, *draw.spatial)
    drawn = torch.randint(draw.classes, size, generator=draw.generator)
    flat = drawn.view(-1)
    flat[: draw.classes] = torch.arange(draw.classes)[: flat.numel()]
    return drawn if draw.ignored is None else torch.where(drawn == draw.ignored, (drawn + 1) % draw.classes, drawn)


def scores_of(kind: str, labels: Tensor, draw: Draw, scores: str) -> Tensor:
    """Scores (N, C, *): `scale` from 0 on the correct or wrong side of every label, or random."""
    size = (draw.samples, draw.classes, *draw.spatial)
    if draw.correct is None:
        logits = draw.scale * draw.normal(*size)
    else:
        said = labels if draw.correct else wrong_of(kind, labels, draw.classes)
        logits = draw.scale * (2 * one_hot_of(kind, said, draw.classes) - 1)
    return activated(logits, kind, scores)


def wrong_of(kind: str, labels: Tensor, classes: int) -> Tensor:
    """Labels that are all wrong."""
    return (labels + 1) % classes if kind == "multiclass" else 1 - labels


def one_hot_of(kind: str, labels: Tensor, classes: int) -> Tensor:
    """0 or 1 for each class, (N, C, *)."""
    if kind != "multiclass":
        return labels.double()
    return torch.nn.functional.one_hot(labels, classes).movedim(-1, 1).double()


def activated(logits: Tensor, kind: str, scores: str) -> Tensor:
    """Logits as the probabilities or log-probabilities that a loss takes instead."""
    exclusive = kind in ("multiclass", "distribution") and logits.shape[1] > 1
    if scores == "probabilities":
        return logits.softmax(1) if exclusive else logits.sigmoid()
    if scores == "log_probabilities":
        return logits.log_softmax(1) if exclusive else torch.nn.functional.logsigmoid(logits)
    return logits


def laid_out(kind: str, layout: str, labels: Tensor, classes: int) -> Tensor:
    """Labels as a target of this layout."""
    hot = one_hot_of(kind, labels, classes)
    return {
        "same": lambda: hot,
        "same-integers": lambda: hot.long(),
        "no-channel": lambda: hot.squeeze(1),
        "bare": lambda: hot.squeeze(1),
        "signs": lambda: 2 * hot - 1,
        "indices": lambda: labels,
        "indices-channel": lambda: labels.unsqueeze(1),
        "one-hot": lambda: hot,
        "soft": lambda: 0.9 * hot + 0.1 / classes,
    }[layout]()
