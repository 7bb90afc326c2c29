import torch
import torch.nn as nn


class SmoothL1Loss(nn.Module):
    """Smooth L1 for box deltas: quadratic for errors below ``beta``, linear
    with slope 1 above.

    Args:
        beta: the change point between the two regimes (RetinaNet uses 1/9).
        reduction: "mean", "sum" or "none".
    """

    def __init__(self, beta=1.0 / 9, reduction="mean"):
        super().__init__()
        if beta <= 0:
            raise ValueError("beta must be positive")
        self.beta = beta
        self.reduction = reduction

    def forward(self, pred, target, weight=None):
        if pred.shape != target.shape:
            raise ValueError("pred and target must have the same shape")
        diff = torch.abs(pred - target)
        loss = torch.where(diff < self.beta, 0.5 * diff * diff, diff - 0.5 * self.beta)
        if weight is not None:
            loss = loss * weight
        if self.reduction == "mean":
            return loss.mean()
        return loss.sum() if self.reduction == "sum" else loss
