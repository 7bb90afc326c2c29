from typing import Tuple

import torch
import torch.nn as nn
import torch.nn.functional as F


class BetaVAELoss(nn.Module):
    """Gaussian decoder with unit variance: 0.5 * squared error summed over the
    pixels plus beta * KL, both averaged over the batch."""

    def __init__(self, beta: float = 4.0):
        super().__init__()
        self.beta = beta

    def forward(self, x_hat: torch.Tensor, x: torch.Tensor, mu: torch.Tensor,
                log_var: torch.Tensor) -> Tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        n = x.shape[0]
        rec = 0.5 * F.mse_loss(x_hat, x, reduction="sum") / n
        kl = 0.5 * (mu ** 2 + log_var.exp() - 1.0 - log_var).sum() / n
        return rec + self.beta * kl, rec, kl
