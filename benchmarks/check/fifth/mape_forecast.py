import torch
import torch.nn as nn


def _divide_no_nan(a, b):
    """a / b where the resulting NaN or Inf are replaced by 0."""
    result = a / b
    result[result != result] = 0.0
    result[result == float("inf")] = 0.0
    return result


class MapeLoss(nn.Module):
    """Mean absolute percentage error, skipping the zero actuals.

    Args:
        in_percent: multiply by 100.
    forecast, actual: (B, horizon).
    """

    def __init__(self, in_percent=False):
        super().__init__()
        self.in_percent = in_percent

    def forward(self, forecast, actual):
        if forecast.shape != actual.shape:
            raise ValueError("shape mismatch")
        ape = _divide_no_nan((actual - forecast).abs(), actual.abs())
        nonzero = (actual != 0).sum().clamp(min=1)
        loss = ape.sum() / nonzero
        return 100 * loss if self.in_percent else loss
