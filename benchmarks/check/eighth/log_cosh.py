import torch
import torch.nn as nn


class LogCoshLoss(nn.Module):
    """Log-cosh regression loss.

    ``log(cosh(y_pred - y_true))`` behaves like ``x^2 / 2`` for small errors and
    like ``|x| - log 2`` for large ones, so a few wild outliers in the
    data do not dominate training.

    Args:
        reduction: "mean" or "sum".

    Shape: both inputs have the same shape.
    """

    def __init__(self, reduction: str = "mean"):
        super().__init__()
        self.reduction = reduction

    def forward(self, y_pred: torch.Tensor, y_true: torch.Tensor) -> torch.Tensor:
        err = y_pred - y_true
        loss = torch.log((torch.exp(err) + torch.exp(-err)) / 2)
        return loss.sum() if self.reduction == "sum" else loss.mean()
