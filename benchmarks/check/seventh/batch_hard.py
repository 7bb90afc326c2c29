import torch
import torch.nn as nn
import torch.nn.functional as F


def pairwise_distance(x, squared=False):
    """Euclidean distance matrix with a well defined gradient at zero."""
    sq = x.pow(2).sum(dim=1)
    dist = sq.unsqueeze(1) + sq.unsqueeze(0) - 2 * x @ x.t()
    dist = dist.clamp(min=0.0)
    if squared:
        return dist
    zero = dist <= 0
    dist = torch.sqrt(torch.where(zero, torch.ones_like(dist), dist))
    return dist.masked_fill(zero, 0.0)


class BatchHardTripletLoss(nn.Module):
    """Triplet loss with the hardest positive and negative of each anchor
    (Hermans et al. 2017).

    Anchors without a positive or without a negative in the batch are
    skipped.

    Args:
        margin: margin of the hinge, or 'soft' for softplus.
        squared: use squared distances.
    """

    def __init__(self, margin=0.3, squared=False):
        super().__init__()
        self.margin = margin
        self.squared = squared

    def forward(self, embeddings, labels):
        """embeddings: (N, D), labels: (N,)"""
        dist = pairwise_distance(embeddings, self.squared)
        same = labels.unsqueeze(0) == labels.unsqueeze(1)
        eye = torch.eye(len(labels), dtype=torch.bool, device=labels.device)
        pos_mask = same & ~eye
        neg_mask = ~same

        # hardest positive: all distances are >= 0
        hardest_pos = dist.masked_fill(~pos_mask, 0.0).max(dim=1).values
        # hardest negative: push the other entries above the row maximum
        far = dist.detach().max() + 1.0
        hardest_neg = torch.where(neg_mask, dist, far).min(dim=1).values

        diff = hardest_pos - hardest_neg
        if self.margin == "soft":
            loss = F.softplus(diff)
        else:
            loss = F.relu(diff + self.margin)

        valid = (pos_mask.any(dim=1) & neg_mask.any(dim=1)).to(loss.dtype)
        return (loss * valid).sum() / valid.sum().clamp(min=1.0)
