import torch
import torch.nn as nn


class SequenceVAELoss(nn.Module):
    """ELBO for a VAE with one latent per time step, padded sequences.

    recon, target: (B, T, F); mu, log_var: (B, T, Z); mask: (B, T) with 1 for
    real steps and 0 for padding. Returns (loss, recon_term, kl_term), each
    averaged over the real steps.
    """

    def __init__(self, beta=1.0):
        super().__init__()
        self.beta = beta

    def forward(self, recon, target, mu, log_var, mask):
        mask = mask.to(recon.dtype)
        n = mask.sum().clamp(min=1.0)

        recon_loss = 0.5 * (recon - target).pow(2).sum(dim=-1) * mask
        kl_loss = (-0.5 * torch.sum(1 + log_var - mu.pow(2) - log_var.exp())) * mask

        recon_loss = recon_loss.sum() / n
        kl_loss = kl_loss.sum() / n
        return recon_loss + self.beta * kl_loss, recon_loss, kl_loss
