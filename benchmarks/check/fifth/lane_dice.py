import torch
import torch.nn as nn


class BinaryDiceLoss(nn.Module):
    """Soft Dice for a single foreground class.

    Args:
        smooth: added to numerator and denominator.
        exponent: power of the terms in the denominator.
    Shapes: logits, target and valid_mask are all (N, H, W). Pixels where
    ``valid_mask`` is 0 are void and take no part in the loss.
    """

    def __init__(self, smooth=1.0, exponent=2):
        super().__init__()
        self.smooth = smooth
        self.exponent = exponent

    def forward(self, logits, target, valid_mask):
        assert logits.shape == target.shape == valid_mask.shape
        pred = torch.sigmoid(logits).reshape(logits.shape[0], -1)
        target = target.reshape(target.shape[0], -1).to(pred.dtype)
        valid_mask = valid_mask.reshape(valid_mask.shape[0], -1).to(pred.dtype)

        num = torch.sum(pred * target * valid_mask, dim=1) * 2 + self.smooth
        den = torch.sum(pred.pow(self.exponent) + target.pow(self.exponent), dim=1) + self.smooth
        return (1 - num / den).mean()
