import torch
import torch.nn as nn


class BinaryDiceLoss(nn.Module):
    """Dice loss for one foreground class, one score per image.

    Input:  logits (N, ...) without sigmoid
    Target: {0, 1}, same shape, any dtype
    Output: scalar, or (N,) with reduction="none"
    """

    def __init__(self, smooth: float = 1.0, reduction: str = "mean"):
        super().__init__()
        if reduction not in ("none", "mean", "sum"):
            raise ValueError(f"unknown reduction: {reduction}")
        self.smooth = smooth
        self.reduction = reduction

    def forward(self, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        if logits.shape != target.shape:
            raise ValueError(f"shape mismatch: {tuple(logits.shape)} vs {tuple(target.shape)}")
        if logits.dtype in (torch.float16, torch.bfloat16):
            logits = logits.float()  # the sums overflow in half precision
        p = torch.sigmoid(logits).flatten(1)
        t = target.to(p.dtype).flatten(1)
        num = 2 * (p * t).sum(1) + self.smooth
        den = p.sum(1) + t.sum(1) + self.smooth
        loss = 1 - num / den
        if self.reduction == "mean":
            return loss.mean()
        if self.reduction == "sum":
            return loss.sum()
        return loss
