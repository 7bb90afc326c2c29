import torch
import torch.nn as nn


class MASELoss(nn.Module):
    """Mean absolute scaled error.

    Args:
        seasonality: lag of the naive forecast that sets the scale.
    y_hat, y, mask: (B, H); insample: (B, T) with T > seasonality. A series
    whose naive error is zero (constant history) is not scaled. Steps with mask
    0 are missing and may hold any value.
    """

    def __init__(self, seasonality=1):
        super().__init__()
        self.seasonality = seasonality

    def forward(self, y_hat, y, insample, mask=None):
        if mask is None:
            mask = torch.ones_like(y)
        y = torch.where(mask > 0, y, torch.zeros_like(y))
        m = self.seasonality
        scale = (insample[:, m:] - insample[:, :-m]).abs().mean(dim=1, keepdim=True)
        scale = torch.where(scale > 0, scale, torch.ones_like(scale))
        return ((y - y_hat).abs() / scale * mask).sum() / mask.sum().clamp(min=1)
