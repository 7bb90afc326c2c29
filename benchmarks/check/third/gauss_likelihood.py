import torch
import torch.nn as nn
import torch.nn.functional as F


class GaussianLikelihoodLoss(nn.Module):
    """NLL of a Normal(mu, sigma) head.

    model_output: (..., 2), [..., 0] is mu and softplus([..., 1]) is the standard deviation
    target:       (...)
    """

    def __init__(self, min_sigma=1e-3, reduction="mean"):
        super().__init__()
        self.min_sigma = min_sigma
        self.reduction = reduction

    def _params(self, model_output):
        mu = model_output[..., 0]
        sigma = F.softplus(model_output[..., 1]) + self.min_sigma
        return mu, sigma

    def forward(self, model_output, target):
        mu, sigma = self._params(model_output)
        return F.gaussian_nll_loss(mu, target, sigma, full=True, reduction=self.reduction)
