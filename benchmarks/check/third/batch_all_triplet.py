import torch
import torch.nn as nn


class BatchAllTripletLoss(nn.Module):
    """all valid triplets (a, p, n) of the batch, squared euclidean distance.

    The loss is averaged over the triplets that still violate the margin.
    embeddings: (N, D), labels: (N,)
    """

    def __init__(self, margin=0.3):
        super().__init__()
        self.margin = margin

    def forward(self, embeddings, labels):
        dist = (embeddings.unsqueeze(1) - embeddings.unsqueeze(0)).pow(2).sum(2)

        same = labels.unsqueeze(0) == labels.unsqueeze(1)
        eye = torch.eye(len(labels), dtype=torch.bool, device=labels.device)
        pos = same & ~eye
        neg = ~same
        valid = pos.unsqueeze(2) & neg.unsqueeze(1)

        triplet = dist.unsqueeze(2) - dist.unsqueeze(1) + self.margin
        triplet = torch.relu(triplet[valid])

        num_hard = (triplet > 0).sum()
        return triplet.sum() / num_hard
