import torch
import torch.nn as nn
import torch.nn.functional as F


class BinaryFocalLoss(nn.Module):
    """Focal loss on logits for binary classification (Lin et al., 2017).

    ``alpha_t * (1 - p_t)^gamma * (-log p_t)``, averaged over all elements.

    Args:
        gamma: focusing parameter, any value >= 0. Larger values reduce the
            weight of easy examples more strongly.
        alpha: weight of the positive class, 1 - alpha is the weight of the
            negative class.
    """

    def __init__(self, gamma: float = 2.0, alpha: float = 0.25):
        super().__init__()
        if gamma < 0:
            raise ValueError("gamma must not be negative")
        self.gamma = gamma
        self.alpha = alpha

    def forward(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        targets = targets.to(logits.dtype)
        bce = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
        pt = torch.exp(-bce)
        alpha_t = self.alpha * targets + (1 - self.alpha) * (1 - targets)
        loss = alpha_t * (1 - pt) ** self.gamma * bce
        return loss.mean()
