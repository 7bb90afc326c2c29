import torch
import torch.nn.functional as F


def vae_loss(recon_logits, x, mu, logvar, beta=1.0, free_bits=0.0):
    """Negative ELBO of a Bernoulli VAE, averaged over the batch.

    recon_logits, x: (B, ...) decoder logits and images in [0, 1]
    mu, logvar: (B, latent_dim)
    beta: weight of the KL term (beta-VAE)
    free_bits: minimum KL (nats) per latent dimension, on the batch average
    """
    batch_size = x.shape[0]
    bce = F.binary_cross_entropy_with_logits(recon_logits, x, reduction="sum")
    recon = bce / batch_size

    # 0.5 * (sigma^2 + mu^2 - 1 - log sigma^2), (B, latent_dim)
    kl = -0.5 * (1 + logvar - mu.pow(2) - logvar.exp())
    kl_per_dim = kl.mean(dim=0)
    if free_bits > 0:
        kl_per_dim = torch.clamp(kl_per_dim, min=free_bits)
    return recon + beta * kl_per_dim.sum()
