"""User-defined formulas: as plain PyTorch, and as losskit losses from the same function."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

import losskit


def my_mse(input: Tensor, target: Tensor) -> Tensor:
    return (input - target) ** 2


def my_huber(input: Tensor, target: Tensor, delta: float = 1.0) -> Tensor:
    error = (input - target).abs()
    return torch.where(error < delta, 0.5 * error**2, delta * (error - 0.5 * delta))


def my_log_cosh(input: Tensor, target: Tensor) -> Tensor:
    error = input - target
    return error + F.softplus(-2 * error) - math.log(2)


def my_charbonnier(input: Tensor, target: Tensor, eps: float = 1e-3) -> Tensor:
    return torch.sqrt((input - target) ** 2 + eps**2)


def my_wing(input: Tensor, target: Tensor, width: float = 10.0, curvature: float = 2.0) -> Tensor:
    error = (input - target).abs()
    offset = width - width * math.log(1 + width / curvature)
    return torch.where(error < width, width * torch.log(1 + error / curvature), error - offset)


def my_tukey(input: Tensor, target: Tensor, c: float = 4.685) -> Tensor:
    error = (input - target) / c
    inside = c**2 / 6 * (1 - (1 - error**2) ** 3)
    return torch.where(error.abs() <= 1, inside, torch.full_like(inside, c**2 / 6))


def my_quantile(input: Tensor, target: Tensor, q: float = 0.9) -> Tensor:
    error = target - input
    return torch.max(q * error, (q - 1) * error)


def my_barron(input: Tensor, target: Tensor, alpha: float = 1.5, scale: float = 1.0) -> Tensor:
    size = abs(alpha - 2)
    return size / alpha * ((((input - target) / scale) ** 2 / size + 1) ** (alpha / 2) - 1)


def my_smape(input: Tensor, target: Tensor) -> Tensor:
    return 2 * (input - target).abs() / (input.abs() + target.abs()).clamp(min=1e-8)


def my_focal(log_p: Tensor, gamma: float = 1.5) -> Tensor:
    return -((1 - log_p.exp()).clamp(min=1e-7) ** gamma) * log_p


def my_gce(log_p: Tensor, q: float = 0.7) -> Tensor:
    return (1 - torch.exp(q * log_p)) / q


def my_odd(log_p: Tensor) -> Tensor:
    return torch.tanh(-log_p) * (1 - torch.exp(0.5 * log_p))


ELEMENTS: dict[str, Callable[..., Tensor]] = {
    "own-mse": my_mse,
    "own-huber": my_huber,
    "own-log_cosh": my_log_cosh,
    "own-charbonnier": my_charbonnier,
    "own-wing": my_wing,
    "own-tukey": my_tukey,
    "own-quantile": my_quantile,
    "own-barron": my_barron,
    "own-smape": my_smape,
}
TERMS: dict[str, Callable[..., Tensor]] = {"own-focal": my_focal, "own-gce": my_gce, "own-odd": my_odd}


def plain(name: str, input: Tensor, target: Tensor) -> Tensor:
    """The mean as a user writes it in PyTorch; a soft label is a weighted mean of both labels."""
    if name in ELEMENTS:
        return ELEMENTS[name](input, target).mean()
    term = TERMS[name]
    if input.shape[1] > 1:
        return term(F.log_softmax(input, 1).gather(1, target.unsqueeze(1))).mean()
    return (target * term(F.logsigmoid(input)) + (1 - target) * term(F.logsigmoid(-input))).mean()


def loss(name: str) -> losskit.Loss:
    """The same function as a losskit loss."""
    made: losskit.Loss = _FORMS[name].Module()
    return made


_FORMS = {name: losskit.regression_loss(function) for name, function in ELEMENTS.items()}
_FORMS |= {name: losskit.classification_loss(function) for name, function in TERMS.items()}
