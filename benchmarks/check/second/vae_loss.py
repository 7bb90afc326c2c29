import torch
import torch.nn as nn
import torch.nn.functional as F


class VAELoss(nn.Module):
    """Reconstruction + KL for a Gaussian VAE.

    Both parts are summed over the features of a sample (pixels for the
    reconstruction, latent dimensions for the KL) and averaged over the batch.

    recon, x: (N, ...); mu, log_var: (N, L)
    """

    def __init__(self, kld_weight=1.0):
        super().__init__()
        self.kld_weight = kld_weight

    def forward(self, recon, x, mu, log_var):
        recon_loss = F.mse_loss(recon, x, reduction="sum") / x.size(0)
        kld = -0.5 * torch.mean(1 + log_var - mu ** 2 - log_var.exp(), dim=1)
        return recon_loss + self.kld_weight * kld.mean()
