import torch
import torch.nn as nn


class RMSLELoss(nn.Module):
    """
    Root mean squared log error.

    y_pred: output of the regression head (softplus), shape (N, 1)
    y_true: non-negative targets from the dataloader, shape (N,)
    """

    def __init__(self, eps=1e-12):
        super().__init__()
        self.eps = eps

    def forward(self, y_pred, y_true):
        diff = torch.log1p(y_pred) - torch.log1p(y_true)
        return torch.sqrt(torch.mean(diff ** 2) + self.eps)
