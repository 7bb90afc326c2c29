import torch


def free_bits_kl(mu_q, std_q, mu_p, std_p, free_bits=0.1):
    """KL(q || p) of diagonal Gaussians with free bits.

    The KL of each latent dimension is averaged over the batch, limited from
    below to ``free_bits`` nats, and summed over the dimensions; dimensions under
    the limit thus give no gradient.

    Args:
        mu_q, std_q: posterior mean and standard deviation, (N, Z)
        mu_p, std_p: prior mean and standard deviation, (N, Z)
        free_bits: limit per dimension; 0 switches it off
    """
    ratio = std_q / std_p
    shift = (mu_q - mu_p) / std_p
    kl = 0.5 * (ratio**2 + shift**2 - 1) - torch.log(ratio)
    return kl.mean(0).clamp(min=free_bits).sum()
