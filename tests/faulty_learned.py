"""Losses with learned parameters, with differentiated models, and with terms of two shapes, faulty and sound."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from faulty import NUMBERS, twin


class Learned(nn.Module):
    """A squared error weighed by a learned log variance."""

    def __init__(self) -> None:
        super().__init__()
        self.log_var = nn.Parameter(torch.zeros(()))

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        if input.shape != target.shape:
            raise ValueError("shapes differ")
        return ((input - target).square() * (-self.log_var).exp() + self.log_var).mean()


@twin("untrained-parameters", Learned, NUMBERS)
class Detached(Learned):
    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        if input.shape != target.shape:
            raise ValueError("shapes differ")
        with torch.no_grad():
            scale = (-self.log_var).exp()
        return ((input - target).square() * scale + self.log_var.detach()).mean()


@twin("unregistered-parameters", Learned, NUMBERS)
class InAList(Learned):
    def __init__(self) -> None:
        super().__init__()
        del self.log_var
        self.held = [torch.zeros((), requires_grad=True)]

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        self.__dict__["log_var"] = self.held[0]
        return super().forward(input, target)


def of_rows(input: Tensor, target: Tensor) -> Tensor:
    """The root of two errors of each row."""
    if input.shape != target.shape:
        raise ValueError("shapes differ")
    squared = (input - target).square().flatten(1).mean(1)
    return (squared + (input - target).abs().flatten(1).mean(1) + 1e-6).sqrt().mean()


@twin("samples-crossed", of_rows, NUMBERS)
def of_crossed_rows(input: Tensor, target: Tensor) -> Tensor:
    if input.shape != target.shape:
        raise ValueError("shapes differ")
    squared = (input - target).square().flatten(1).mean(1, keepdim=True)
    return (squared + (input - target).abs().flatten(1).mean(1) + 1e-6).sqrt().mean()


def laplacian(model: nn.Module, points: Tensor) -> Tensor:
    """The mean square of the Laplacian of model at points (N, 2)."""
    points = points.clone().requires_grad_()
    slope = torch.autograd.grad(model(points).sum(), points, create_graph=True)[0]
    second = [torch.autograd.grad(slope[:, n].sum(), points, create_graph=True)[0][:, n] for n in range(2)]
    return (second[0] + second[1]).square().mean()


@twin("mixed-derivatives", laplacian)
def mixed_laplacian(model: nn.Module, points: Tensor) -> Tensor:
    """The mean square of the Laplacian of model at points (N, 2)."""
    points = points.clone().requires_grad_()
    slope = torch.autograd.grad(model(points).sum(), points, create_graph=True)[0]
    second = torch.autograd.grad(slope.sum(), points, create_graph=True)[0]
    return second.sum(1).square().mean()


def one_step(q: Tensor, rewards: Tensor, not_done: Tensor, next_q: Tensor, gamma: float = 0.9) -> Tensor:
    """Squared error of one step, beside a penalty of large values; all (B,)."""
    target = rewards + gamma * not_done * next_q
    return F.mse_loss(q, target.detach()) + 0.01 * q.square().mean()


@twin("differs-from-name", one_step)
def never_ending(q: Tensor, rewards: Tensor, not_done: Tensor, next_q: Tensor, gamma: float = 0.9) -> Tensor:
    """Squared error of one step, beside a penalty of large values; all (B,)."""
    target = rewards + gamma * (not_done + next_q)
    return F.mse_loss(q, target.detach()) + 0.01 * q.square().mean()


def of_differences(input: Tensor, target: Tensor) -> Tensor:
    """The mean squared difference of neighbours along both directions of (N, H, W)."""
    if input.shape != target.shape:
        raise ValueError("shapes differ")
    off = input - target
    grad_x = (off[:, :, 1:] - off[:, :, :-1]).square().mean()
    grad_y = (off[:, 1:, :] - off[:, :-1, :]).square().mean()
    return grad_x + grad_y


@twin("copied-unchanged", of_differences)
def of_one_direction(input: Tensor, target: Tensor) -> Tensor:
    """The mean squared difference of neighbours along both directions of (N, H, W)."""
    if input.shape != target.shape:
        raise ValueError("shapes differ")
    off = input - target
    grad_x = (off[:, :, 1:] - off[:, :, :-1]).square().mean()
    grad_y = (off[:, :, 1:] - off[:, :, :-1]).square().mean()
    return grad_x + grad_y
