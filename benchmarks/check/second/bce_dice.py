import torch
import torch.nn as nn
import torch.nn.functional as F


class BCEDiceLoss(nn.Module):
    """Weighted sum of binary cross entropy and Dice loss.

    Both terms are trained: ``bce_weight * bce + (1 - bce_weight) * dice``.

    logits, target: (N, 1, H, W)
    """

    def __init__(self, bce_weight=0.5, threshold=0.5, eps=1e-6):
        super().__init__()
        self.bce_weight = bce_weight
        self.threshold = threshold
        self.eps = eps

    def dice(self, probs, target):
        pred = (probs > self.threshold).to(probs.dtype)
        inter = (pred * target).sum(dim=(1, 2, 3))
        total = pred.sum(dim=(1, 2, 3)) + target.sum(dim=(1, 2, 3))
        return 1 - ((2 * inter + self.eps) / (total + self.eps)).mean()

    def forward(self, logits, target):
        target = target.to(logits.dtype)
        bce = F.binary_cross_entropy_with_logits(logits, target)
        dice = self.dice(torch.sigmoid(logits), target)
        return self.bce_weight * bce + (1 - self.bce_weight) * dice
