"""Valid inputs for losses of real numbers and of boxes; see inputs.py."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from inputs import Given, Shape, numbers, pair


def uniform(shape: tuple[int, ...], generator: Generator) -> Tensor:
    return torch.rand(shape, generator=generator, dtype=torch.float64)


def heat_maps(shape: Shape, generator: Generator) -> Given:
    (input, target), size = pair(shape, generator)
    return Given((input, target.sigmoid()), size)


def positives(shape: Shape, generator: Generator) -> Given:
    (input, target), size = pair(shape, generator)
    return Given((input.exp(), target.exp()), size)


def to_positives(shape: Shape, generator: Generator) -> Given:
    """Logarithms of means, and positive targets."""
    (input, target), size = pair(shape, generator)
    return Given((input, target.exp()), size)


def with_scale(shape: Shape, generator: Generator) -> Given:
    (input, target), size = pair(shape, generator)
    return Given((input, target, numbers(size, generator).exp()), size)


def counts_with_dispersion(shape: Shape, generator: Generator) -> Given:
    (input, target, scale), size = with_scale(shape, generator)
    return Given((input, (target.abs() * 3).floor(), scale), size)


def evidence(shape: Shape, generator: Generator) -> Given:
    """gamma, nu, alpha, beta and target."""
    (input, target, nu), size = with_scale(shape, generator)
    return Given((input, nu, 1 + numbers(size, generator).exp(), numbers(size, generator).exp(), target), size)


def mixtures(shape: Shape, generator: Generator) -> Given:
    size, positions = (shape.n, shape.c, *shape.spatial), (shape.n, *shape.spatial)
    parameters = numbers(size, generator), numbers(size, generator), numbers(size, generator).exp()
    return Given((*parameters, numbers(positions, generator)), positions)


def ensembles(shape: Shape, generator: Generator) -> Given:
    positions = (shape.n, *shape.spatial)
    return Given((numbers((shape.n, shape.c, *shape.spatial), generator), numbers(positions, generator)), positions)


def quantile_predictions(shape: Shape, generator: Generator) -> Given:
    """Predictions of three quantiles."""
    positions = (shape.n, shape.c, *shape.spatial)
    return Given((numbers((*positions, 3), generator), numbers(positions, generator)), positions)


def sample_pairs(shape: Shape, generator: Generator) -> Given:
    """Two numbers tensors of which each sample has one value."""
    tensors, _ = pair(shape, generator)
    return Given(tensors, (shape.n,))


def batches(shape: Shape, generator: Generator) -> Given:
    """At least three samples, since moments of one say nothing."""
    return pair(shape._replace(n=max(shape.n, 3) if shape.n else 0), generator)


def boxes(shape: Shape, generator: Generator, dimensions: int = 2) -> Given:
    """Positive corners, which can be read as a corner or the middle with sizes too; most pairs overlap."""
    size = (shape.n, dimensions)
    low = 1 + uniform(size, generator)
    corners = [low, low + 0.5 + uniform(size, generator)]
    moved = [corner + 0.3 * numbers(size, generator).clamp(-1, 1) for corner in corners]
    high = torch.maximum(moved[1], moved[0] + 0.1)
    return Given((torch.cat(corners, 1), torch.cat([moved[0], high], 1)), (shape.n,))


def volumes(shape: Shape, generator: Generator) -> Given:
    return boxes(shape, generator, 3)


def rotated(shape: Shape, generator: Generator) -> Given:
    """Middles, sizes and angles."""
    size = (shape.n, 5)
    input = torch.cat([numbers((shape.n, 2), generator), 0.5 + uniform((shape.n, 3), generator)], 1)
    return Given((input, input + 0.3 * uniform(size, generator)), (shape.n,))


def keypoints(shape: Shape, generator: Generator) -> Given:
    """Points, of which the first is visible, and areas."""
    size = (shape.n, 3, 2)
    visible = torch.rand((shape.n, 3), generator=generator) < 0.6
    visible[:, :1] = True
    area = 0.5 + uniform((shape.n,), generator)
    return Given((numbers(size, generator), numbers(size, generator), visible, area), (shape.n,))
