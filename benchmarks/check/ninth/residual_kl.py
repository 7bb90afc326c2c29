import torch


def residual_kl(delta_mu, delta_log_var, mu, log_var):
    """KL of the relative posterior used by hierarchical VAEs.

    Computes KL(N(mu + delta_mu, var * delta_var) || N(mu, var)), summed over
    the latent dimensions of a sample and averaged over the batch.

    Args:
        delta_mu: shift of the mean, (N, ...)
        delta_log_var: log of the variance ratio, (N, ...)
        mu: prior mean, (N, ...)
        log_var: prior log variance, (N, ...)
    """
    var = torch.exp(log_var)
    delta_var = torch.exp(delta_log_var)
    kl = -0.5 * torch.sum(1 + delta_log_var - delta_mu**2 / var - delta_var)
    return torch.mean(kl, dim=0)
