from typing import Optional

import torch
import torch.nn as nn
import torch.nn.functional as F


class PixelBCELoss(nn.Module):
    """Binary cross entropy with logits for masks with unlabeled pixels.

    Args:
        ignore_index: value in the target marking pixels that have no label.
            They contribute neither to the loss nor to its gradient and are
            not counted in the average.
        smooth_factor: optional label smoothing, targets become
            ``y * (1 - s) + (1 - y) * s``.
        reduction: ``"mean"`` (over the labeled pixels), ``"sum"`` or ``"none"``.
    """

    def __init__(self, ignore_index: int = 255, smooth_factor: Optional[float] = None, reduction: str = "mean"):
        super().__init__()
        self.ignore_index = ignore_index
        self.smooth_factor = smooth_factor
        self.reduction = reduction

    def forward(self, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """logits, target: (N, H, W); the target holds 0, 1 or ignore_index."""
        not_ignored = target != self.ignore_index
        y = torch.where(not_ignored, target, torch.zeros_like(target)).to(logits.dtype)
        if self.smooth_factor is not None:
            y = (1 - y) * self.smooth_factor + y * (1 - self.smooth_factor)

        loss = F.binary_cross_entropy_with_logits(logits, y, reduction="none")
        loss = loss * not_ignored.to(loss.dtype)

        if self.reduction == "mean":
            loss = loss.mean()
        elif self.reduction == "sum":
            loss = loss.sum()
        return loss
