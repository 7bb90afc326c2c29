import math

import torch
import torch.nn.functional as F


def mdn_loss(pi_logits, mu, log_sigma, y):
    """Negative log likelihood of a mixture density network.

    pi_logits, mu, log_sigma: (N, K); y: (N,)
    """
    pi = F.softmax(pi_logits, dim=1)
    sigma = torch.exp(log_sigma)
    z = (y.unsqueeze(1) - mu) / sigma
    component = torch.exp(-0.5 * z ** 2) / (sigma * math.sqrt(2 * math.pi))
    prob = torch.sum(pi * component, dim=1)
    return torch.mean(-torch.log(prob))
