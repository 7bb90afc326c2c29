import torch
import torch.nn as nn
import torch.nn.functional as F


class BinaryFocalLoss(nn.Module):
    """Focal loss for foreground/background segmentation.

    logits: (N, 1, H, W) raw scores
    target: (N, 1, H, W) with 0 (background) or 1 (foreground)
    """

    def __init__(self, gamma=2.0):
        super().__init__()
        self.gamma = gamma

    def forward(self, logits, target):
        target = target.to(logits.dtype)
        bce = F.binary_cross_entropy_with_logits(logits, target)
        pt = torch.exp(-bce)
        return (1 - pt) ** self.gamma * bce
