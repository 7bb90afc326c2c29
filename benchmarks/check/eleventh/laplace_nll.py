import math

import torch.nn as nn
import torch.nn.functional as F


class LaplaceNLLLoss(nn.Module):
    """Negative log likelihood of a Laplace distribution, scale = softplus(raw_scale) + min_scale."""

    def __init__(self, min_scale=1e-3):
        super().__init__()
        self.min_scale = min_scale

    def forward(self, loc, raw_scale, target):
        scale = F.softplus(raw_scale) + self.min_scale
        nll = math.log(2.0) + scale.log() + (target - loc).abs() / scale
        return nll.mean()
