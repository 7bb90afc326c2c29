import math

import torch
import torch.nn as nn
import torch.nn.functional as F


class MDNLoss(nn.Module):
    """Mixture density network with K diagonal Gaussians in D dimensions.

    pi_logits (N, K), mu (N, K, D), log_sigma (N, K, D), y (N, D)
    """

    def forward(self, pi_logits, mu, log_sigma, y):
        z = (y.unsqueeze(1) - mu) * torch.exp(-log_sigma)
        log_normal = (-0.5 * z ** 2 - log_sigma - 0.5 * math.log(2 * math.pi)).sum(dim=-1)
        log_pi = F.log_softmax(pi_logits, dim=-1)
        return -torch.logsumexp(log_pi + log_normal, dim=-1).mean()
