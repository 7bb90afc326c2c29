from typing import Callable

import torch
import torch.nn as nn


class SobolevLoss(nn.Module):
    """Fit a scalar function together with its derivatives (Sobolev training).

    ``mean((f(x) - y)^2) + grad_weight * mean(|grad f(x) - dy|^2)``, where
    ``|.|^2`` sums over the input dimensions.

    Args:
        grad_weight: weight of the derivative term.

    Shape:
        - net: callable mapping (N, D) to (N, 1)
        - x: (N, D) sample points
        - y: (N, 1) function values
        - dy: (N, D) known derivatives at the points
    """

    def __init__(self, grad_weight: float = 1.0):
        super().__init__()
        self.grad_weight = grad_weight

    def forward(self, net: Callable, x: torch.Tensor, y: torch.Tensor, dy: torch.Tensor) -> torch.Tensor:
        x = x.detach().requires_grad_(True)
        pred = net(x)
        grad = torch.autograd.grad(pred.sum(), x, retain_graph=True)[0]
        value_term = (pred - y).pow(2).mean()
        grad_term = (grad - dy).pow(2).sum(dim=1).mean()
        return value_term + self.grad_weight * grad_term
