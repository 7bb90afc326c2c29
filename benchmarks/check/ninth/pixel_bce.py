import torch
import torch.nn as nn
import torch.nn.functional as F


class PixelBCE(nn.Module):
    """Binary cross-entropy with logits for partially annotated masks.

    Pixels whose label equals ``ignore_index`` take no part in the loss; the
    result is the mean over all the remaining pixels (0 if there are none).

    Args:
        ignore_index (int): label of unannotated pixels. Default: 255
        smooth_factor (float): label smoothing in [0, 1); 0 disables it
    """

    def __init__(self, ignore_index=255, smooth_factor=0.0):
        super().__init__()
        self.ignore_index = ignore_index
        self.smooth_factor = smooth_factor

    def forward(self, y_pred, y_true):
        keep = y_true != self.ignore_index
        target = torch.where(keep, y_true, torch.zeros_like(y_true)).to(y_pred.dtype)
        if self.smooth_factor > 0:
            target = target * (1 - self.smooth_factor) + 0.5 * self.smooth_factor
        loss = F.binary_cross_entropy_with_logits(y_pred, target, reduction="none")
        loss = loss * keep.to(loss.dtype)
        return loss.mean()
