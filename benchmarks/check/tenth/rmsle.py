import torch
import torch.nn as nn


class RMSLELoss(nn.Module):
    """Root mean squared log error (kaggle metric), pred and actual are >= 0"""

    def __init__(self):
        super().__init__()
        self.mse = nn.MSELoss()

    def forward(self, pred, actual):
        return torch.sqrt(self.mse(torch.log(pred + 1), torch.log(actual + 1)))
