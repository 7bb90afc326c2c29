from typing import Tuple

import torch
import torch.nn as nn
import torch.nn.functional as F


class BetaVAELoss(nn.Module):
    """Objective of a beta-VAE with free bits.

    The reconstruction term is the Bernoulli negative log-likelihood of the
    decoder logits, summed over the pixels and averaged over the batch. The KL
    divergence to N(0, I) is averaged over the batch for each latent dimension,
    raised to at least ``free_nats``, and summed over the dimensions.

    Args:
        beta: weight of the KL term.
        free_nats: lower limit of the KL per dimension; 0 to disable.

    Returns:
        (loss, reconstruction, kl), with ``loss = reconstruction + beta * kl``.
    """

    def __init__(self, beta: float = 4.0, free_nats: float = 0.0):
        super().__init__()
        self.beta = beta
        self.free_nats = free_nats

    def forward(self, x: torch.Tensor, x_logits: torch.Tensor, mu: torch.Tensor,
                log_sigma: torch.Tensor) -> Tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """log_sigma is the logarithm of the standard deviation."""
        recon = F.binary_cross_entropy_with_logits(x_logits, x, reduction="sum") / x.size(0)
        kl = 0.5 * (mu ** 2 + torch.exp(2 * log_sigma) - 1) - log_sigma
        kl = kl.mean(dim=0)
        if self.free_nats > 0:
            kl = kl.clamp(min=self.free_nats)
        kl = kl.sum()
        return recon + self.beta * kl, recon, kl
