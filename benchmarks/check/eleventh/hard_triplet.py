import torch
import torch.nn as nn
import torch.nn.functional as F


class HardTripletLoss(nn.Module):
    """Batch-hard triplet loss (Hermans et al. 2017) on squared euclidean distances.

    embeddings: (N, D), labels: (N,). Anchors without a positive or a negative are skipped.
    """

    def __init__(self, margin=0.5):
        super().__init__()
        self.margin = margin

    def forward(self, embeddings, labels):
        diff = embeddings.unsqueeze(0) - embeddings.unsqueeze(1)
        dist = diff.pow(2).sum(-1)
        same = labels.unsqueeze(0) == labels.unsqueeze(1)
        eye = torch.eye(len(labels), dtype=torch.bool, device=labels.device)
        pos = same & ~eye

        hardest_pos = dist.masked_fill(~pos, 0.0).max(dim=1)[0]
        hardest_neg = dist.masked_fill(same, float("inf")).min(dim=1)[0]
        valid = pos.any(dim=1) & (~same).any(dim=1)
        if not valid.any():
            return embeddings.sum() * 0.0
        return F.relu(hardest_pos[valid] - hardest_neg[valid] + 0.1).mean()
