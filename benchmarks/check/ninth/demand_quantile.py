import torch
import torch.nn as nn


class DemandQuantile(nn.Module):
    """Quantile (pinball) loss for demand forecasts.

    An under-forecast by d costs ``q * d`` and an over-forecast by d costs
    ``(1 - q) * d``. The costs are averaged.

    Args:
        q (float): the quantile to forecast, in (0, 1). Default: 0.9
    """

    def __init__(self, q=0.9):
        super().__init__()
        assert 0.0 < q < 1.0
        self.q = q

    def forward(self, forecast, demand):
        diff = demand - forecast
        cost = torch.where(diff > 0, self.q * diff, (1 - self.q) * diff)
        return cost.mean()
