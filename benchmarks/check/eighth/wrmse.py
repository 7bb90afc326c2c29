from typing import Optional

import torch
import torch.nn as nn


class WeightedRMSELoss(nn.Module):
    """Root mean squared error with optional sample weights.

    ``sqrt(sum_i w_i * (pred_i - target_i)^2 / sum_i w_i)``

    Without weights this is the usual RMSE used as a competition metric.
    All tensors have the shape (N,).
    """

    def forward(self, pred: torch.Tensor, target: torch.Tensor, weight: Optional[torch.Tensor] = None) -> torch.Tensor:
        sq_err = (pred - target) ** 2
        if weight is None:
            mse = sq_err.mean()
        else:
            mse = (weight * sq_err).sum() / weight.sum()
        return torch.sqrt(mse)
