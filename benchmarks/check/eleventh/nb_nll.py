import torch


def negative_binomial_nll(mu, theta, counts, eps=1e-8):
    """Negative log likelihood of counts under NB with mean mu and inverse dispersion theta.

    mu, theta: positive; counts: non-negative integers stored as floats. Variance is mu + mu^2 / theta.
    """
    log_theta_mu = torch.log(theta + mu + eps)
    log_lik = (
        theta * (torch.log(theta + eps) - log_theta_mu)
        + counts * (torch.log(mu + eps) - log_theta_mu)
        + torch.lgamma(counts + theta)
        - torch.lgamma(theta)
        - torch.lgamma(counts + 1)
    )
    return -log_lik.mean()
