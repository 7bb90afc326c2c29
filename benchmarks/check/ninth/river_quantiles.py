import torch
import torch.nn as nn


class RiverQuantiles(nn.Module):
    """Pinball loss of several quantiles at once.

    Args:
        quantiles (tuple of float): one per output column.
            Default: (0.1, 0.5, 0.9)
        reduction (str): 'mean' over samples and quantiles, or 'sum' over the
            quantiles followed by the mean over samples. Default: 'mean'

    Shape:
        - y_pred: (N, Q)
        - y: (N,)
    """

    def __init__(self, quantiles=(0.1, 0.5, 0.9), reduction="mean"):
        super().__init__()
        self.quantiles = tuple(quantiles)
        self.reduction = reduction

    def forward(self, y_pred, y):
        q = y_pred.new_tensor(self.quantiles)
        e = y.unsqueeze(-1) - y_pred
        loss = torch.maximum(q * e, (q - 1) * e)
        if self.reduction == "sum":
            return loss.sum(-1).mean()
        return loss.mean()
