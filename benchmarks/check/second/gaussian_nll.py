import math

import torch


def gaussian_nll(y, mu, sigma, eps=1e-6):
    """Negative log likelihood of y under N(mu, sigma^2)."""
    sigma = sigma.clamp(min=eps)
    log_term = torch.log(sigma) + 0.5 * math.log(2 * math.pi)
    sq_term = (y - mu) ** 2 / (2 * sigma)
    return (log_term + sq_term).mean()
