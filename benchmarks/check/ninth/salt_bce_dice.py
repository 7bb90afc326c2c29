import torch
import torch.nn as nn
import torch.nn.functional as F


class SaltBCEDice(nn.Module):
    """Sum of binary cross-entropy and Dice, trained jointly.

    ``loss = bce_weight * BCE + (1 - bce_weight) * (1 - Dice)``

    Args:
        bce_weight (float): share of the BCE term, in [0, 1]. Default: 0.5
        smooth (float): Dice smoothing. Default: 1.0

    Shape:
        - logits, target: (N, 1, H, W)
    """

    def __init__(self, bce_weight=0.5, smooth=1.0):
        super().__init__()
        self.bce_weight = bce_weight
        self.smooth = smooth

    def dice(self, logits, target):
        pred = (torch.sigmoid(logits) > 0.5).float()
        pred = pred.flatten(1)
        target = target.flatten(1)
        inter = (pred * target).sum(1)
        score = (2 * inter + self.smooth) / (pred.sum(1) + target.sum(1) + self.smooth)
        return score.mean()

    def forward(self, logits, target):
        target = target.float()
        bce = F.binary_cross_entropy_with_logits(logits, target)
        return self.bce_weight * bce + (1 - self.bce_weight) * (1 - self.dice(logits, target))
