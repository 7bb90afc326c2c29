import torch
import torch.nn as nn


class SensorHuberLoss(nn.Module):
    """Huber loss for measurements with gaps.

    ``0.5 * e^2`` if ``|e| <= delta``, otherwise ``delta * (|e| - 0.5 * delta)``.
    Missing measurements are NaN in the target and are skipped, the average
    runs over the available ones. If a batch has none the loss is 0.

    Args:
        delta: point where the loss becomes linear.

    Shape: pred and target are equally shaped.
    """

    def __init__(self, delta: float = 1.0):
        super().__init__()
        self.delta = delta

    def forward(self, pred: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        available = ~torch.isnan(target)
        err = (pred - torch.where(available, target, pred.detach())).abs()
        inner = err.clamp(max=self.delta)
        huber = 0.5 * inner ** 2 + self.delta * (err - inner)
        return huber.sum() / available.sum().clamp(min=1)
