import torch
import torch.nn as nn
import torch.nn.functional as F


class DiceCELoss(nn.Module):
    """Soft Dice + cross entropy for multi-class semantic segmentation.

    Args:
        num_classes: number of classes.
        ignore_index: label of the void pixels, excluded from both terms.
        dice_weight: weight of the Dice term.
        smooth: smoothing of the Dice ratio.
    """

    def __init__(self, num_classes, ignore_index=255, dice_weight=1.0, smooth=1.0):
        super().__init__()
        self.num_classes = num_classes
        self.ignore_index = ignore_index
        self.dice_weight = dice_weight
        self.smooth = smooth

    def dice(self, logits, target, valid):
        probs = logits.softmax(dim=1) * valid.unsqueeze(1)
        safe = torch.where(valid.bool(), target, torch.zeros_like(target))
        one_hot = F.one_hot(safe, self.num_classes).permute(0, 3, 1, 2).to(probs.dtype)
        one_hot = one_hot * valid.unsqueeze(1)

        inter = (probs * one_hot).sum(dim=(2, 3))
        union = probs.sum(dim=(2, 3)) + one_hot.sum(dim=(2, 3))
        score = (2 * inter + self.smooth) / (union + self.smooth)
        return 1 - score.mean()

    def forward(self, logits, target):
        """logits: (B, C, H, W), target: (B, H, W) long"""
        valid = (target != self.ignore_index).to(logits.dtype)
        # F.cross_entropy(reduction='mean') is nan for a batch without labels
        ce = F.cross_entropy(
            logits, target, ignore_index=self.ignore_index, reduction="sum")
        ce = ce / valid.sum().clamp(min=1.0)
        return ce + self.dice_weight * self.dice(logits, target, valid)
