import math

import torch
import torch.nn.functional as F


def mdn_loss(pi_logits, mu, sigma, y):
    """Negative log likelihood of a 1-d Gaussian mixture.

    pi_logits, mu, sigma: (N, K), sigma > 0 (softplus output); y: (N,)
    """
    pi = F.softmax(pi_logits, dim=1)
    z = (y.unsqueeze(1) - mu) / sigma
    pdf = torch.exp(-0.5 * z ** 2) / (sigma * math.sqrt(2 * math.pi))
    likelihood = (pi * pdf).sum(dim=1)
    return -torch.log(likelihood).mean()
