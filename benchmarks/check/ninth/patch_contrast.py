import torch
import torch.nn as nn
import torch.nn.functional as F


class PatchContrast(nn.Module):
    """Contrastive loss with the label convention of Hadsell et al.

    ``y = 0`` marks similar and ``y = 1`` dissimilar pairs; the loss is
    ``mean((1 - y) * d2 / 2 + y * max(m - sqrt(d2 + 1e-8), 0)**2 / 2)`` with d2
    the squared Euclidean distance.

    Args:
        m (float): margin. Default: 2.0

    Shape:
        - u, v: (N, D)
        - y: (N,)
    """

    def __init__(self, m=2.0):
        super().__init__()
        self.m = m

    def forward(self, u, v, y):
        y = y.to(u.dtype)
        d2 = torch.sum((u - v) ** 2, dim=1)
        gap = F.relu(self.m - torch.sqrt(d2 + 1e-8))
        return torch.mean((1 - y) * d2 / 2 + y * gap**2 / 2)
