import torch
import torch.nn as nn
import torch.nn.functional as F


class ContrastiveLoss(nn.Module):
    """Contrastive loss of Hadsell et al. (2006) for pairs of embeddings.

    With d the euclidean distance of a pair and y = 1 for a matching pair:

        0.5 * (y * d^2 + (1 - y) * max(margin - d, 0)^2)

    x1, x2: (N, D); y: (N,)
    """

    def __init__(self, margin=1.0):
        super().__init__()
        self.margin = margin

    def forward(self, x1, x2, y):
        y = y.to(x1.dtype)
        dist_sq = torch.sum((x1 - x2) ** 2, dim=1)
        pull = y * dist_sq
        push = (1 - y) * F.relu(self.margin - dist_sq)
        return 0.5 * (pull + push).mean()
