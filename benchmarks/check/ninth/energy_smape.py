import torch
import torch.nn as nn


class EnergySMAPE(nn.Module):
    """Symmetric mean absolute percentage error, in percent (0 to 200).

    ``100 * mean(|f - a| / max((|f| + |a|) / 2, floor))``; hours in which both
    the forecast and the actual load are 0 contribute 0. NaN in the actual load
    marks missing hours, which are left out of the mean.

    Args:
        floor (float): smallest denominator. Default: 1e-3
    """

    def __init__(self, floor=1e-3):
        super().__init__()
        self.floor = floor

    def forward(self, f, a):
        known = ~torch.isnan(a)
        f, a = f[known], a[known]
        scale = ((f.abs() + a.abs()) / 2).clamp(min=self.floor)
        return 100 * ((f - a).abs() / scale).sum() / max(f.numel(), 1)
