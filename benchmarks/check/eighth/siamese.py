import torch
import torch.nn as nn
import torch.nn.functional as F


class ContrastiveLoss(nn.Module):
    """Contrastive loss for a siamese signature verifier.

    Pairs with label 1 come from the same writer and are pulled together,
    pairs with label 0 (genuine / forged) are pushed apart until their
    distance reaches the margin.

    Args:
        alpha: factor of the pulling term.
        beta: factor of the pushing term.
        margin: distance beyond which different pairs cost nothing.
    """

    def __init__(self, alpha: float = 1.0, beta: float = 1.0, margin: float = 1.0):
        super().__init__()
        self.alpha = alpha
        self.beta = beta
        self.margin = margin

    def forward(self, x1: torch.Tensor, x2: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """x1, x2: (N, D) embeddings, y: (N,) with 0 / 1."""
        distance = F.pairwise_distance(x1, x2)
        y = y.to(distance.dtype)
        loss = self.alpha * (1 - y) * distance ** 2 + \
            self.beta * y * F.relu(self.margin - distance) ** 2
        return loss.mean()
