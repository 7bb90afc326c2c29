import torch
import torch.nn as nn
import torch.nn.functional as F


def D(p, z):
    """Negative cosine similarity, z is the target branch (stop-gradient)."""
    p = F.normalize(p, dim=1)
    z = F.normalize(z, dim=1)
    return -(p * z).sum(dim=1).mean()


class SimSiamLoss(nn.Module):
    """Symmetric SimSiam loss: p1, p2 from the predictor, z1, z2 from the projector."""

    def forward(self, p1, p2, z1, z2):
        return 0.5 * D(p1, z2) + 0.5 * D(p2, z1)
