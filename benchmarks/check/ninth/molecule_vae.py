import torch
import torch.nn as nn
import torch.nn.functional as F


class MoleculeVAE(nn.Module):
    """Evidence lower bound (negated) of a VAE with a standard normal prior.

    Reconstruction: binary cross-entropy summed over the features. Regulariser:
    KL(N(mu, exp(logvar)) || N(0, 1)) summed over the latent dimensions. Both
    are averaged over the batch.

    Args:
        beta (float): weight of the KL term. Default: 1.0

    Shape:
        - recon, x: (N, F), recon as probabilities
        - mu, logvar: (N, Z), logvar is the logarithm of the variance
    """

    def __init__(self, beta=1.0):
        super().__init__()
        self.beta = beta

    def forward(self, recon, x, mu, logvar):
        rec = F.binary_cross_entropy(recon, x, reduction="none").sum(dim=1)
        var = logvar.pow(2)
        kl = 0.5 * (mu.pow(2) + var - torch.log(var + 1e-20) - 1).sum(dim=1)
        return (rec + self.beta * kl).mean()
