import torch
import torch.nn as nn


class LogCoshLoss(nn.Module):
    def forward(self, y_pred, y_true):
        diff = y_pred - y_true
        return torch.mean(torch.log(torch.cosh(diff)))
