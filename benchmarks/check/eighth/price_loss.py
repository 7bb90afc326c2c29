from typing import Optional

import torch


def price_loss(pred: torch.Tensor, target: torch.Tensor, weight: Optional[torch.Tensor] = None,
               l1_ratio: float = 0.2) -> torch.Tensor:
    """Mix of squared and absolute error for a one-output regressor.

    Args:
        pred: (N, 1) output of the last linear layer.
        target: (N,) true values.
        weight: optional (N,) sample weights.
        l1_ratio: share of the absolute error, the rest is squared error.

    Returns:
        Mean over the samples (weighted mean if weights are given).
    """
    diff = pred - target
    per_sample = (1 - l1_ratio) * diff.pow(2) + l1_ratio * diff.abs()
    if weight is None:
        return per_sample.mean()
    return (per_sample * weight).sum() / weight.sum()
