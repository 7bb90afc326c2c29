import torch
import torch.nn as nn


class LogCoshLoss(nn.Module):
    """log(cosh(error)): behaves like mse for small errors and like mae for big ones."""

    def forward(self, y_t, y_prime_t):
        ey_t = y_t - y_prime_t
        return torch.mean(torch.log(torch.cosh(ey_t)))
