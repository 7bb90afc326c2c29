import math

import torch
import torch.nn as nn


def isotropic_gauss_loglike(x, mu, sigma):
    return -0.5 * math.log(2 * math.pi) - math.log(sigma) - 0.5 * ((x - mu) / sigma) ** 2


class SpikeSlab2GMM(nn.Module):
    """Complexity cost of Bayes by Backprop for a scale mixture prior on the weights

        p(w) = pi1 * N(w; 0, sigma1) + (1 - pi1) * N(w; 0, sigma2)

    Returns sum(log q(w) - log p(w)) / num_batches for one sample w of the posterior
    N(mu, softplus(rho)).
    """

    def __init__(self, sigma1=1.0, sigma2=0.05, pi1=0.5):
        super().__init__()
        self.sigma1 = sigma1
        self.sigma2 = sigma2
        self.pi1 = pi1
        self.pi2 = 1 - pi1

    def log_prior(self, x):
        N1_ll = isotropic_gauss_loglike(x, 0.0, self.sigma1)
        N2_ll = isotropic_gauss_loglike(x, 0.0, self.sigma2)
        # log-sum-exp over the two components
        max_loglike = torch.max(N1_ll, N2_ll)
        normalised_like = self.pi1 + torch.exp(N1_ll - max_loglike) + self.pi2 + torch.exp(N2_ll - max_loglike)
        return torch.log(normalised_like) + max_loglike

    def log_posterior(self, w, mu, rho):
        std = nn.functional.softplus(rho).clamp(min=1e-6)
        return -0.5 * math.log(2 * math.pi) - std.log() - 0.5 * ((w - mu) / std) ** 2

    def forward(self, w, mu, rho, num_batches=1):
        kl = self.log_posterior(w, mu, rho).sum() - self.log_prior(w).sum()
        return kl / num_batches
