import torch
import torch.nn as nn


class PairContrastiveLoss(nn.Module):
    """Contrastive loss of Hadsell et al. with y = 1 for a similar pair and
    y = 0 for a dissimilar pair."""

    def __init__(self, margin=1.0):
        super().__init__()
        self.margin = margin

    def forward(self, a, b, y):
        d2 = ((a - b) ** 2).sum(dim=1)
        d = torch.sqrt(d2 + 1e-12)
        y = y.to(d.dtype)
        loss = y * d2 + (1 - y) * (self.margin - d).clamp(min=0) ** 2
        return 0.5 * loss.mean()
