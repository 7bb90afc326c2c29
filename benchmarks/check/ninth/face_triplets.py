import torch
import torch.nn as nn


class FaceTriplets(nn.Module):
    """Batch-all triplet loss.

    All valid (anchor, positive, negative) triplets of the batch are formed with
    squared Euclidean distances, and ``max(d_ap - d_an + margin, 0)`` is
    averaged over the triplets that still violate the margin.

    Args:
        margin (float): default 0.2

    Shape:
        - embeddings: (N, D)
        - ids: (N,)
    """

    def __init__(self, margin=0.2):
        super().__init__()
        self.margin = margin

    def forward(self, embeddings, ids):
        dist = (embeddings.unsqueeze(0) - embeddings.unsqueeze(1)).pow(2).sum(-1)
        same = ids.view(-1, 1) == ids.view(1, -1)
        eye = torch.eye(len(ids), dtype=torch.bool, device=ids.device)
        valid = (same & ~eye).unsqueeze(2) & (~same).unsqueeze(1)
        loss = dist.unsqueeze(2) - dist.unsqueeze(1) + self.margin
        loss = torch.relu(loss) * valid.to(dist.dtype)
        active = (loss > 0).sum()
        return loss.sum() / active
