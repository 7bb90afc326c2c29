import torch
import torch.nn as nn


class OverlapLoss(nn.Module):
    """Dice loss, or Jaccard (IoU) loss when jaccard=True.

    input: probabilities, target: {0,1}, both (B, C, H, W). Lies in [0, 1].
    """

    def __init__(self, jaccard=False, smooth=1e-5):
        super().__init__()
        self.jaccard = jaccard
        self.smooth = smooth

    def forward(self, input, target):
        dims = tuple(range(2, input.dim()))
        intersection = torch.sum(input * target, dim=dims)
        ground_o = torch.sum(target, dim=dims)
        pred_o = torch.sum(input, dim=dims)
        denominator = ground_o + pred_o
        if self.jaccard:
            denominator = denominator - intersection
        f = 1.0 - (2.0 * intersection + self.smooth) / (denominator + self.smooth)
        return torch.mean(f)
