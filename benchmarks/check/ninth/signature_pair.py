import torch
import torch.nn as nn
import torch.nn.functional as F


class SignaturePair(nn.Module):
    """Contrastive loss for signature verification.

    Embeddings of two genuine signatures of a writer are pulled together, while
    a genuine one and a forgery are pushed at least ``margin`` apart.

    Args:
        alpha (float): weight of the pulling term
        beta (float): weight of the pushing term
        margin (float): margin of the pushing term

    Shape:
        - x1, x2: (N, D) embeddings
        - y: (N,) or (N, 1), 1 = (genuine, genuine), 0 = (genuine, forged)
    """

    def __init__(self, alpha=1.0, beta=1.0, margin=1.0):
        super().__init__()
        self.alpha = alpha
        self.beta = beta
        self.margin = margin

    def forward(self, x1, x2, y):
        y = y.reshape(-1).to(x1.dtype)
        distance = F.pairwise_distance(x1, x2)
        loss = self.alpha * (1 - y) * distance**2 + self.beta * y * F.relu(self.margin - distance) ** 2
        return loss.mean()
