import torch
import torch.nn as nn
import torch.nn.functional as F


class ContrastiveLoss(nn.Module):
    """Contrastive loss for signature verification.

    x1, x2: embeddings (B, D)
    y: 1 if the two signatures belong to the same person, 0 if one is forged
    """

    def __init__(self, alpha=1.0, beta=1.0, margin=1.0):
        super().__init__()
        self.alpha = alpha
        self.beta = beta
        self.margin = margin

    def forward(self, x1, x2, y):
        y = y.to(x1.dtype)
        distance = F.pairwise_distance(x1, x2, p=2)
        loss = self.alpha * (1 - y) * distance ** 2 + \
               self.beta * y * torch.clamp(self.margin - distance, min=0.0) ** 2
        return torch.mean(loss)
