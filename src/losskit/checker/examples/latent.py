"""Examples of latent variables."""

from __future__ import annotations

import torch

from losskit.checker.draws import Draw, Tensors, away, shaped


def prior(draw: Draw) -> Tensors:
    if draw.correct:
        return torch.zeros(shaped(draw)).double(), torch.zeros(shaped(draw)).double()
    return draw.scale * draw.normal(*shaped(draw)), draw.normal(*shaped(draw))


def elbo(draw: Draw) -> Tensors:
    """A reconstruction that is correct or wrong, and a posterior that equals the prior or not."""
    size = draw.samples, draw.classes
    target, none = draw.flags(*size), torch.zeros(size).double()
    if draw.correct is None:
        return draw.scale * draw.normal(*size), target, draw.scale * draw.normal(*size), 0.3 * draw.normal(*size)
    return target.clone(), target, none if draw.correct else away(draw, none), none


def elbo_of_shares(draw: Draw) -> Tensors:
    """The same with a reconstruction in (0, 1)."""
    size = draw.samples, draw.classes
    _, target, mean, log_var = elbo(draw)
    wrong = torch.rand(size, generator=draw.generator, dtype=torch.float64)
    near = (0.1 + 0.8 * wrong) if draw.correct is None else (0.05 + 0.9 * (target if draw.correct else 1 - target))
    return near, target, mean, log_var
