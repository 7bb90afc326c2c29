import torch


def kl_free_bits(mu_q, logvar_q, mu_p, logvar_p, free_bits=0.1):
    """KL(q || p) of diagonal Gaussians (N, D) with free bits.

    The KL of each latent dimension is averaged over the batch, and values under
    `free_bits` (in nats) are replaced by it, so those dimensions are not pushed.
    """
    kl = 0.5 * (logvar_p - logvar_q
                + torch.exp(logvar_q - logvar_p)
                + (mu_q - mu_p) ** 2 * torch.exp(-logvar_p)
                - 1.0)
    per_dim = kl.mean(dim=0)
    return per_dim.clamp(min=free_bits).sum()
