import torch
import torch.nn as nn


class MASELoss(nn.Module):
    """Mean absolute scaled error for training forecasting models.

    The error of each series is scaled by the in-sample error of the seasonal
    naive forecast. Constant series (scale 0) are not scaled.

    Args:
        freq: seasonality, e.g. 12 for monthly and 24 for hourly data.
    """

    def __init__(self, freq=1):
        super().__init__()
        self.freq = freq

    def forward(self, insample, forecast, target, mask=None):
        """
        insample: (B, L) history with L > freq
        forecast, target: (B, H)
        mask: (B, H) 1 for observed targets; missing targets can be nan
        """
        scale = (insample[:, self.freq:] - insample[:, :-self.freq]).abs().mean(dim=1)
        scale = torch.where(scale > 0, scale, torch.ones_like(scale))

        if mask is None:
            mask = torch.ones_like(target)
        # where, not *: 0 * nan is nan
        safe_target = torch.where(mask > 0, target, forecast.detach())
        error = (safe_target - forecast).abs() / scale.unsqueeze(1)
        return (error * mask).sum() / mask.sum().clamp(min=1.0)
