from typing import Optional, Sequence

import torch
import torch.nn as nn
import torch.nn.functional as F


class WeightedFocalLoss(nn.Module):
    """Multi-class focal loss with a weight per class.

    For a sample of class y the loss is ``w_y * (1 - p_y)^gamma * (-log p_y)``,
    p_y being the softmax probability of the class.

    Args:
        class_weights: one factor per class, or None for equal weights.
        gamma: focusing parameter, 0 or at least 1.
        reduction: "mean" (plain average over the samples), "sum" or "none".
    """

    def __init__(self, class_weights: Optional[Sequence[float]] = None, gamma: float = 2.0, reduction: str = "mean"):
        super().__init__()
        weight = None if class_weights is None else torch.as_tensor(class_weights, dtype=torch.float32)
        self.register_buffer("weight", weight)
        self.gamma = gamma
        self.reduction = reduction

    def forward(self, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        weight = None if self.weight is None else self.weight.to(logits)
        ce_loss = F.cross_entropy(logits, target, weight=weight, reduction="none")
        pt = torch.exp(-ce_loss)
        focal_loss = (1 - pt) ** self.gamma * ce_loss
        if self.reduction == "mean":
            return focal_loss.mean()
        if self.reduction == "sum":
            return focal_loss.sum()
        return focal_loss
