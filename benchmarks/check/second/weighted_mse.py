import torch
import torch.nn as nn


class WeightedMSELoss(nn.Module):
    """mean_i w_i * (pred_i - target_i)^2

    pred, target: (N, 1) as they come from a regression head
    weight: (N,) importance of each sample
    """

    def forward(self, pred, target, weight=None):
        loss = (pred - target) ** 2
        if weight is not None:
            loss = loss * weight
        return loss.mean()
