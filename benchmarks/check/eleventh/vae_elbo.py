import torch
import torch.nn.functional as F


def vae_loss(recon_logits, x, mu, logvar, beta=1.0):
    """Negative ELBO of a VAE with Bernoulli decoder, averaged over the batch.

    recon_logits, x: (B, ...), x in [0, 1]; mu, logvar: (B, latent)
    """
    recon = F.binary_cross_entropy_with_logits(recon_logits, x, reduction="none").flatten(1).sum(1)
    kld = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp(), dim=1)
    return (recon + beta * kld).mean()
