import torch
import torch.nn as nn
import torch.nn.functional as F


class BCEDiceLoss(nn.Module):
    """weighted sum of BCE-with-logits and (batch-wise) soft dice, binary masks.

    returns the total and a dict with detached parts for logging
    """

    def __init__(self, bce_weight=0.5, dice_weight=0.5, smooth=1.0, log_dice=False):
        super().__init__()
        self.bce_weight = bce_weight
        self.dice_weight = dice_weight
        self.smooth = smooth
        self.log_dice = log_dice

    def forward(self, logits, mask):
        assert logits.shape == mask.shape, (logits.shape, mask.shape)
        mask = mask.type_as(logits)
        bce = F.binary_cross_entropy_with_logits(logits, mask)

        m1 = torch.sigmoid(logits).reshape(-1)
        m2 = mask.reshape(-1)
        score = (2.0 * (m1 * m2).sum() + self.smooth) / (m1.sum() + m2.sum() + self.smooth)
        dice = -torch.log(score) if self.log_dice else 1 - score

        total = self.bce_weight * bce + self.dice_weight * dice
        return total, {"bce": bce.detach(), "dice": dice.detach()}
