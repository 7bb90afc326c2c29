from typing import List, Optional

import torch
from torch import nn


class MultiHorizonQuantileLoss(nn.Module):
    """Pinball loss of a multi-horizon forecaster.

    Channel i of the prediction is trained to be the ``quantiles[i]`` quantile of the
    target, e.g. the last channel of the default is exceeded by 10% of the targets.
    The loss is summed over the quantiles and averaged over series and horizon.
    """

    def __init__(self, quantiles: Optional[List[float]] = None):
        super().__init__()
        self.quantiles = quantiles if quantiles is not None else [0.1, 0.5, 0.9]

    def forward(self, y_pred: torch.Tensor, target: torch.Tensor,
                weight: Optional[torch.Tensor] = None) -> torch.Tensor:
        """y_pred: (batch, horizon, n_quantiles), target and weight: (batch, horizon)"""
        losses = []
        for i, q in enumerate(self.quantiles):
            errors = y_pred[..., i] - target
            losses.append(torch.max((q - 1) * errors, q * errors).unsqueeze(-1))
        losses = torch.cat(losses, dim=-1).sum(dim=-1)
        if weight is not None:
            return (losses * weight).sum() / weight.sum().clamp(min=1e-8)
        return losses.mean()
