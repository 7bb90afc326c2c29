import torch
import torch.nn as nn


class MQLoss(nn.Module):
    """Multi-quantile loss for probabilistic forecasting.

    Averages the quantile (pinball) loss over the quantiles, series and the
    horizon; under-estimation of a high quantile costs more than
    over-estimation.

    Args:
        quantiles: list of the quantile levels.
    """

    def __init__(self, quantiles=(0.1, 0.5, 0.9)):
        super().__init__()
        self.register_buffer("quantiles", torch.tensor(quantiles, dtype=torch.float32))

    def forward(self, y, y_hat, mask=None):
        """
        y: (B, H) actual values
        y_hat: (B, H, Q) predicted quantiles
        mask: (B, H) 1 for the available time stamps
        """
        if mask is None:
            mask = torch.ones_like(y)
        q = self.quantiles.to(y_hat.dtype)

        delta_y = torch.abs(y_hat - y.unsqueeze(-1))
        loss = torch.maximum(q * delta_y, (q - 1) * delta_y)

        loss = loss.mean(dim=-1) * mask
        return loss.sum() / mask.sum().clamp(min=1.0)
