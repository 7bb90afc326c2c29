import torch
import torch.nn as nn


class QuantileLoss(nn.Module):
    def __init__(self, alpha=0.9):
        super().__init__()
        self.alpha = alpha

    def forward(self, pred, y):
        """pinball loss of the alpha quantile, pred and y have the same shape"""
        diff = y - pred
        loss = torch.where(y > pred, self.alpha * diff, (1.0 - self.alpha) * diff)
        return loss.mean()
