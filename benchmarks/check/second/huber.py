import torch
import torch.nn as nn


class HuberLoss(nn.Module):
    def __init__(self, delta: float = 1.0, reduction: str = "mean"):
        super().__init__()
        self.delta = delta
        self.reduction = reduction

    def forward(self, pred: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        err = torch.abs(pred - target)
        quadratic = torch.clamp(err, max=self.delta)
        linear = err - quadratic
        loss = 0.5 * quadratic ** 2 + self.delta * linear
        return torch.mean(loss)
