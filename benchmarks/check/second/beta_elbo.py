import torch
import torch.nn.functional as F


def beta_vae_loss(recon_logits, x, mu, logvar, beta=1.0):
    """Negative ELBO per sample, averaged over the batch.

    Bernoulli decoder (logits), x in [0, 1]; q(z|x) = N(mu, exp(logvar)), prior N(0, 1).
    Both terms are summed over their own dimensions.
    """
    rec = F.binary_cross_entropy_with_logits(recon_logits, x, reduction="none").flatten(1).sum(1)
    kl = -0.5 * (1 + logvar - mu.pow(2) - logvar.exp()).flatten(1).sum(1)
    return (rec + beta * kl).mean()
