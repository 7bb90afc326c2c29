import torch
import torch.nn as nn
import torch.nn.functional as F


class DigitsELBO(nn.Module):
    """Negative ELBO of a Bernoulli VAE, in nats per image.

    The decoder outputs logits. Both the reconstruction term and the KL to the
    standard normal prior are summed over their dimensions and averaged over
    the batch.

    Args:
        beta (float): weight of the KL. Default: 1.0

    Returns:
        tuple (loss, reconstruction, kl)

    Shape:
        - x_logits, x: (N, ...) with x in [0, 1]
        - mu, logvar: (N, Z)
    """

    def __init__(self, beta=1.0):
        super().__init__()
        self.beta = beta

    def forward(self, x_logits, x, mu, logvar):
        n = x.shape[0]
        rec = F.binary_cross_entropy_with_logits(x_logits, x, reduction="sum") / n
        kl = -0.5 * torch.sum(1 + logvar - mu**2 - logvar.exp()) / n
        return rec + self.beta * kl, rec, kl
