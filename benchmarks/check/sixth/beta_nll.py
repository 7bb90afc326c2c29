import math

import torch
from torch import nn


class BetaNLLLoss(nn.Module):
    """beta-NLL for heteroscedastic regression (Seitzer et al., 2022).

    Each point's Gaussian NLL is weighted with its (detached) variance to the power of beta.
    beta = 0 is the ordinary NLL, beta = 1 has the mean gradients of MSE.

    The network predicts mean and an unconstrained scale; variance = softplus(raw) + min_var.
    """

    def __init__(self, beta: float = 0.5, min_var: float = 1e-6, full: bool = False):
        super().__init__()
        self.beta = beta
        self.min_var = min_var
        self.full = full

    def forward(self, mean, raw_var, target, mask=None):
        if mean.shape != target.shape:
            raise ValueError(f"mean {tuple(mean.shape)} and target {tuple(target.shape)} differ")
        variance = nn.functional.softplus(raw_var) + self.min_var
        loss = 0.5 * ((target - mean) ** 2 / variance + variance.log())
        if self.full:
            loss = loss + 0.5 * math.log(2 * math.pi)
        if self.beta > 0:
            loss = loss * variance.detach() ** self.beta
        if mask is None:
            return loss.mean()
        mask = mask.to(loss.dtype)
        return (loss * mask).sum() / mask.sum().clamp(min=1)
