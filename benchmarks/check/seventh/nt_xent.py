import torch
import torch.nn as nn
import torch.nn.functional as F


class NTXentLoss(nn.Module):
    """Normalised temperature-scaled cross entropy of SimCLR.

    Every one of the 2N views has exactly one positive (the other view of the
    same image) and 2N - 2 negatives.
    """

    def __init__(self, temperature=0.5):
        super().__init__()
        self.temperature = temperature

    def forward(self, z_i, z_j):
        """z_i, z_j: (N, D) projections, not normalised"""
        n = z_i.shape[0]
        z = F.normalize(torch.cat([z_i, z_j], dim=0), dim=1)
        sim = z @ z.t() / self.temperature

        # a view is never its own negative
        self_mask = torch.eye(2 * n, dtype=torch.bool, device=z.device)
        sim = sim.masked_fill(self_mask, float("-inf"))

        labels = torch.arange(2 * n, device=z.device)
        labels = (labels + n) % (2 * n)
        return F.cross_entropy(sim, labels)
