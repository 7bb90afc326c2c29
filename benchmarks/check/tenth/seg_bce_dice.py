import torch
import torch.nn as nn
import torch.nn.functional as F


class DiceBCE(nn.Module):
    """bce + dice, the usual kaggle salt segmentation loss. Expects logits."""

    def __init__(self, w_bce=1.0, w_dice=1.0):
        super().__init__()
        self.w_bce = w_bce
        self.w_dice = w_dice
        self.bce = nn.BCEWithLogitsLoss()

    def forward(self, y_hat, y):
        y = y.type_as(y_hat)
        bce = self.bce(y_hat, y)
        p = torch.sigmoid(y_hat).flatten(1)
        t = y.flatten(1)
        num = 2 * (p * t).sum(1) + 1e-5
        den = p.pow(2).sum(1) + t.pow(2).sum(1) + 1e-5
        dice = 1 - num / den
        return self.w_bce * bce + self.w_dice * dice.mean()
