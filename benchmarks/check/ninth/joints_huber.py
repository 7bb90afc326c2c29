import torch
import torch.nn as nn


class JointsHuber(nn.Module):
    """Huber loss of 2D joints with visibility flags.

    The Huber penalty is applied to the Euclidean distance r of a joint:
    ``0.5 * r**2`` up to ``delta`` and ``delta * (r - 0.5 * delta)`` beyond. It is
    averaged over the visible joints of the batch; 0 if none is visible.

    Args:
        delta (float): default 1.0

    Shape:
        - joints, truth: (N, J, 2)
        - visible: (N, J)
    """

    def __init__(self, delta=1.0):
        super().__init__()
        self.delta = delta

    def forward(self, joints, truth, visible):
        r2 = (joints - truth).pow(2).sum(-1)
        small = r2 <= self.delta**2
        r = torch.where(small, torch.ones_like(r2), r2).sqrt()
        loss = torch.where(small, 0.5 * r2, self.delta * (r - 0.5 * self.delta))
        visible = visible.to(loss.dtype)
        return (loss * visible).sum() / visible.sum().clamp(min=1.0)
