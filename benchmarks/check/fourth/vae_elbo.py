import torch
import torch.nn.functional as F


def vae_loss(recon_logits, x, mu, logvar):
    """Negative ELBO of a Bernoulli VAE in nats per image, averaged over the batch.

    recon_logits and x: (N, C, H, W), x in [0, 1]; mu and logvar: (N, Z)
    """
    recon = F.binary_cross_entropy_with_logits(recon_logits, x)
    kld = -0.5 * (1 + logvar - mu.pow(2) - logvar.exp()).sum(dim=1).mean()
    return recon + kld
