import torch
import torch.nn as nn
import torch.nn.functional as F


class PairMarginLoss(nn.Module):
    """Contrastive loss of Hadsell, Chopra and LeCun (2006).

    As in the paper, Y = 0 marks a similar pair and Y = 1 a dissimilar one:
    ``(1 - Y) / 2 * D^2 + Y / 2 * max(0, m - D)^2`` with the Euclidean distance D.

    Args:
        m: margin.
        average: return the mean over the pairs (default) or the sum.
    """

    def __init__(self, m: float = 2.0, average: bool = True):
        super().__init__()
        self.m = m
        self.average = average

    def forward(self, a: torch.Tensor, b: torch.Tensor, Y: torch.Tensor) -> torch.Tensor:
        d2 = (a - b).pow(2).sum(dim=1)
        d = (d2 + 1e-12).sqrt()
        Y = Y.to(d.dtype)
        per_pair = 0.5 * ((1 - Y) * d2 + Y * F.relu(self.m - d).pow(2))
        return per_pair.mean() if self.average else per_pair.sum()
