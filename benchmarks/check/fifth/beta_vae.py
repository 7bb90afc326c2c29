import torch
import torch.nn as nn
import torch.nn.functional as F


class BetaVAELoss(nn.Module):
    """Negative ELBO for images in [0, 1] with a Bernoulli decoder.

    Args:
        beta: weight of the KL term.
    Inputs: recon_logits and x of the same shape (N, ...), mu and logvar (N, Z).
    Both terms are summed over their dimensions and averaged over the batch.
    """

    def __init__(self, beta=1.0):
        super().__init__()
        self.beta = beta

    def forward(self, recon_logits, x, mu, logvar):
        n = x.shape[0]
        recon = F.binary_cross_entropy_with_logits(recon_logits, x, reduction="sum") / n
        kl = 0.5 * (mu.pow(2) + torch.expm1(logvar) - logvar).sum() / n
        return {"loss": recon + self.beta * kl, "recon": recon.detach(), "kl": kl.detach()}
