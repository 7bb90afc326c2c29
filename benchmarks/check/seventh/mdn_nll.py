import math

import torch


def gaussian_probability(sigma, mu, target):
    """Probability of the target under every mixture component.

    sigma, mu: (B, K, D); target: (B, D). Returns (B, K).
    """
    target = target.unsqueeze(1).expand_as(sigma)
    norm = 1.0 / (math.sqrt(2 * math.pi) * sigma)
    prob = norm * torch.exp(-0.5 * ((target - mu) / sigma) ** 2)
    return torch.prod(prob, 2)


def mdn_loss(pi, sigma, mu, target):
    """Error of a mixture density network: the negative log likelihood of the
    target given the mixture of diagonal Gaussians.

    pi: (B, K) mixing coefficients (after the softmax)
    sigma, mu: (B, K, D) standard deviations (positive) and means
    target: (B, D)
    """
    prob = pi * gaussian_probability(sigma, mu, target)
    nll = -torch.log(torch.sum(prob, dim=1))
    return torch.mean(nll)
