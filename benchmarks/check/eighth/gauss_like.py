import torch
import torch.nn as nn
import torch.nn.functional as F


class GaussianLikelihood(nn.Module):
    """Negative log-likelihood of a Gaussian forecast.

    The network has two outputs per target: the mean and a raw number that
    softplus turns into the standard deviation (plus ``min_std``). Returns the
    full average negative log-likelihood, constant included.

    Args:
        min_std: lower limit of the standard deviation.

    Shape:
        - output: (N, 2), columns mean and raw standard deviation
        - target: (N,)
    """

    def __init__(self, min_std: float = 1e-2):
        super().__init__()
        self.min_std = min_std

    def forward(self, output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        mean, raw = output[:, 0], output[:, 1]
        sigma = F.softplus(raw) + self.min_std
        return F.gaussian_nll_loss(mean, target, sigma, full=True)
