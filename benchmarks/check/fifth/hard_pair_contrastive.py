import torch
import torch.nn as nn


class OnlineContrastiveLoss(nn.Module):
    """Contrastive loss on the pairs of a mini-batch.

    All positive pairs are used together with an equal number of the hardest
    negative pairs. Embeddings (N, D), labels (N,).
    """

    def __init__(self, margin=1.0):
        super().__init__()
        self.margin = margin

    def select_hard_negatives(self, neg_dist, k):
        k = min(k, neg_dist.numel())
        return torch.topk(neg_dist, k).values

    def forward(self, embeddings, labels):
        i, j = torch.triu_indices(len(labels), len(labels), offset=1, device=labels.device)
        dist2 = (embeddings[i] - embeddings[j]).pow(2).sum(1)
        dist = torch.sqrt(dist2 + 1e-12)
        same = labels[i] == labels[j]

        pos = dist2[same]
        neg = self.select_hard_negatives(dist[~same], max(int(same.sum()), 1))
        loss = pos.sum() + (self.margin - neg).clamp(min=0).pow(2).sum()
        return loss / max(pos.numel() + neg.numel(), 1)
