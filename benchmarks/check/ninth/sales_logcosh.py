import torch
import torch.nn as nn


class SalesLogCosh(nn.Module):
    """Mean of ``log(cosh(prediction - target))``.

    Behaves like half the squared error for small residuals and like the
    absolute error minus log 2 for large ones, which makes it robust to
    occasional huge orders.

    Args:
        reduction (str): 'mean' or 'sum'
    """

    def __init__(self, reduction="mean"):
        super().__init__()
        if reduction not in ("mean", "sum"):
            raise ValueError(reduction)
        self.reduction = reduction

    def forward(self, prediction, target):
        r = prediction - target
        loss = torch.log(torch.cosh(r))
        return loss.mean() if self.reduction == "mean" else loss.sum()
