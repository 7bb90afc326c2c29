from typing import Optional

import torch
import torch.nn as nn
import torch.nn.functional as F


class WeightMapCrossEntropy(nn.Module):
    """Pixel-wise cross entropy with a weight map, as in the U-Net paper.

    The sum of weighted pixel losses is divided by the sum of the weights, so
    the scale of the map does not matter. Pixels with weight 0 are left out. A
    batch whose weights are all zero gives 0.

    Args:
        class_weight: optional (C,) tensor that multiplies the map according
            to the label of the pixel.
    """

    def __init__(self, class_weight: Optional[torch.Tensor] = None):
        super().__init__()
        self.register_buffer("class_weight", class_weight)

    def forward(self, logits: torch.Tensor, labels: torch.Tensor, weight_map: torch.Tensor) -> torch.Tensor:
        """logits: (N, C, H, W), labels: (N, H, W) long, weight_map: (N, H, W) >= 0."""
        w = weight_map.to(logits.dtype)
        if self.class_weight is not None:
            w = w * self.class_weight.to(logits)[labels]
        nll = F.cross_entropy(logits, labels, reduction="none")
        total = w.sum()
        return (w * nll).sum() / torch.where(total > 0, total, torch.ones_like(total))
