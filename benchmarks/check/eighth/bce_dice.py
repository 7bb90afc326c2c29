import torch
import torch.nn as nn
import torch.nn.functional as F


class BCEDiceLoss(nn.Module):
    """Weighted sum of binary cross entropy and soft Dice.

    ``loss = bce_weight * BCE + (1 - bce_weight) * (1 - Dice)``

    Args:
        bce_weight: share of the cross entropy term, in [0, 1].
        smooth: Laplace smoothing of the Dice coefficient.

    Inputs are the raw outputs of the network (no final activation) and a
    float mask of zeros and ones of the same shape.
    """

    def __init__(self, bce_weight: float = 0.5, smooth: float = 1.0):
        super().__init__()
        self.bce_weight = bce_weight
        self.smooth = smooth

    def dice(self, probs, target):
        probs = probs.flatten(1)
        target = target.flatten(1)
        inter = (probs * target).sum(1)
        score = (2 * inter + self.smooth) / (probs.sum(1) + target.sum(1) + self.smooth)
        return 1 - score.mean()

    def forward(self, inputs: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        inputs = torch.sigmoid(inputs)
        bce = F.binary_cross_entropy_with_logits(inputs, target)
        dice = self.dice(inputs, target)
        return self.bce_weight * bce + (1 - self.bce_weight) * dice
