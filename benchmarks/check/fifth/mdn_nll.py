import math

import torch
import torch.nn as nn


class MDNLoss(nn.Module):
    """Negative log likelihood of a mixture density network.

    The head outputs K Gaussian components per sample for a scalar target:
    ``pi_logits``, ``mu`` and ``log_sigma`` are (N, K), ``y`` is (N,).
    """

    def __init__(self, min_log_sigma=-5.0):
        super().__init__()
        self.min_log_sigma = min_log_sigma

    def gaussian(self, y, mu, sigma):
        z = (y.unsqueeze(1) - mu) / sigma
        return torch.exp(-0.5 * z * z) / (sigma * math.sqrt(2 * math.pi))

    def forward(self, pi_logits, mu, log_sigma, y):
        pi = torch.softmax(pi_logits, dim=1)
        sigma = torch.exp(log_sigma.clamp(min=self.min_log_sigma))
        likelihood = torch.sum(pi * self.gaussian(y, mu, sigma), dim=1)
        return -torch.log(likelihood).mean()
