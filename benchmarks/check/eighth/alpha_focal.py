from typing import Optional, Sequence

import torch
import torch.nn as nn
import torch.nn.functional as F


class AlphaFocalLoss(nn.Module):
    """Multi-class focal loss with per-class alpha and ignored labels.

    ``-alpha_y * (1 - p_y)^gamma * log p_y``. With ``reduction="mean"`` the sum is
    divided by the number of labels that are not ignored; 0 is returned if
    there are none. With ``"none"`` ignored positions hold 0.

    Args:
        alpha: one factor per class, default 1 for all.
        gamma: focusing parameter, at least 1 or exactly 0.
        ignore_index: label to skip.
        reduction: "mean", "sum" or "none".

    Works for (N, C) / (N,) as well as (N, C, ...) / (N, ...).
    """

    def __init__(self, alpha: Optional[Sequence[float]] = None, gamma: float = 2.0,
                 ignore_index: int = -100, reduction: str = "mean"):
        super().__init__()
        self.alpha = None if alpha is None else torch.tensor(alpha)
        self.gamma = gamma
        self.ignore_index = ignore_index
        self.reduction = reduction

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        keep = y != self.ignore_index
        idx = torch.where(keep, y, torch.zeros_like(y))
        log_pt = F.log_softmax(x, dim=1).gather(1, idx.unsqueeze(1)).squeeze(1)
        loss = -((1 - log_pt.exp()) ** self.gamma) * log_pt
        if self.alpha is not None:
            loss = loss * self.alpha.to(x)[idx]
        loss = loss * keep

        if self.reduction == "none":
            return loss
        loss = loss.sum()
        return loss / keep.sum().clamp(min=1) if self.reduction == "mean" else loss
