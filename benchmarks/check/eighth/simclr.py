import torch
import torch.nn as nn
import torch.nn.functional as F


class NTXent(nn.Module):
    """Normalized temperature-scaled cross entropy of SimCLR.

    Each of the 2N views has to pick its partner among the 2N - 1 other
    views (the partner is part of the denominator). The loss is the mean over
    the 2N views.

    Args:
        tau: temperature.

    Shape: z1 and z2 are (N, D), row i of both comes from image i.
    """

    def __init__(self, tau: float = 0.5):
        super().__init__()
        self.tau = tau

    def forward(self, z1: torch.Tensor, z2: torch.Tensor) -> torch.Tensor:
        n = z1.size(0)
        z = F.normalize(torch.cat([z1, z2]), dim=1)
        sim = torch.mm(z, z.t()) / self.tau
        sim.fill_diagonal_(float("-inf"))
        partner = torch.arange(2 * n, device=z.device).roll(n)
        return F.cross_entropy(sim, partner)
