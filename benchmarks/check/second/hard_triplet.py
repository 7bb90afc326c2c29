import torch
import torch.nn.functional as F


def hard_triplet_loss(emb, labels, margin=0.3):
    """Batch-hard triplet loss."""
    sq = ((emb.unsqueeze(0) - emb.unsqueeze(1)) ** 2).sum(2)
    dist = torch.sqrt(sq + 1e-12)

    same = (labels.unsqueeze(0) == labels.unsqueeze(1)).to(dist.dtype)
    positives = dist * same
    negatives = dist * (1.0 - same)

    hardest_pos = positives.max(dim=1)[0]
    hardest_neg = negatives.min(dim=1)[0]
    return F.relu(hardest_pos - hardest_neg + margin).mean()
