import math

import torch
import torch.nn as nn


class DoseGaussian(nn.Module):
    """Gaussian negative log-likelihood with predicted log-variance.

    ``0.5 * (s + (y - mean)**2 * exp(-s))`` with ``s`` the log-variance limited
    to [-10, 10], plus ``0.5 * log(2 pi)`` if ``full``. The result may be
    negative. Averaged over all elements.

    Args:
        full (bool): include the constant. Default: False
    """

    def __init__(self, full=False):
        super().__init__()
        self.full = full

    def forward(self, mean, log_var, y):
        s = log_var.clamp(-10.0, 10.0)
        nll = 0.5 * (s + (y - mean) ** 2 * torch.exp(-s))
        if self.full:
            nll = nll + 0.5 * math.log(2 * math.pi)
        return nll.mean()
