import torch
import torch.nn as nn


class SiamesePair(nn.Module):
    """Contrastive loss of Hadsell et al. for a siamese network.

    ``0.5 * y * d**2 + 0.5 * (1 - y) * max(margin - d, 0)**2`` averaged over
    the pairs, where d is the Euclidean distance of the two embeddings.

    Args:
        margin (float): distance beyond which negatives cost nothing

    Shape:
        - emb1, emb2: (N, D)
        - y: (N,), 1 for pairs of the same identity and 0 otherwise
    """

    def __init__(self, margin=1.0):
        super().__init__()
        self.margin = margin

    def forward(self, emb1, emb2, y):
        y = y.to(emb1.dtype)
        d = (emb1 - emb2).pow(2).sum(dim=1).sqrt()
        pull = y * d.pow(2)
        push = (1 - y) * torch.clamp(self.margin - d, min=0).pow(2)
        return 0.5 * (pull + push).mean()
