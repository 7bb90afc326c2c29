import torch
import torch.nn as nn
import torch.nn.functional as F


class BCEDiceLoss(nn.Module):
    def __init__(self, bce_weight=0.5, smooth=1.0):
        super().__init__()
        self.bce_weight = bce_weight
        self.smooth = smooth

    def forward(self, logits, masks):
        masks = masks.to(logits.dtype)
        bce = F.binary_cross_entropy_with_logits(logits, masks)
        p = torch.sigmoid(logits).flatten(1)
        t = masks.flatten(1)
        inter = (p * t).sum(1)
        dice = (2 * inter + self.smooth) / (p.sum(1) + t.sum(1) + self.smooth)
        return self.bce_weight * bce + (1 - self.bce_weight) * (1 - dice).mean()
