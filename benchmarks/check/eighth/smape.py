import torch
import torch.nn as nn


class SMAPELoss(nn.Module):
    """Symmetric mean absolute percentage error for demand forecasting.

    ``mean( 2 * |forecast - actual| / (|forecast| + |actual|) )``, between 0
    (all forecasts exact) and 2. The sales series are counts per day and the
    forecasts are the outputs of a ReLU layer.

    Shape: forecast and actual are (N, horizon).
    """

    def __init__(self, reduction: str = "mean"):
        super().__init__()
        self.reduction = reduction

    def forward(self, forecast: torch.Tensor, actual: torch.Tensor) -> torch.Tensor:
        num = 2.0 * torch.abs(forecast - actual)
        den = torch.abs(forecast) + torch.abs(actual)
        loss = num / den
        if self.reduction == "mean":
            return loss.mean()
        if self.reduction == "sum":
            return loss.sum()
        return loss
