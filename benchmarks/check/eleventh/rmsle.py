import torch
import torch.nn as nn


class RMSLELoss(nn.Module):
    """Root mean squared logarithmic error.

    log_pred: the network's estimate of log(1 + sales), any real number
    sales: the observed sales, >= 0
    """

    def __init__(self, eps=1e-8):
        super().__init__()
        self.eps = eps

    def forward(self, log_pred, sales):
        mse = torch.mean((log_pred - torch.log1p(sales)) ** 2)
        return torch.sqrt(mse + self.eps)
