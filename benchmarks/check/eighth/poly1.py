from typing import Optional

import torch
import torch.nn as nn
import torch.nn.functional as F


class Poly1CrossEntropy(nn.Module):
    """Poly-1 loss (Leng et al., 2022): ``CE + epsilon * (1 - p_t)``.

    Args:
        epsilon: coefficient of the first polynomial term. Negative values
            down to -1 are allowed.
        weight: optional class weights, applied to the whole loss of a sample.
        reduction: "mean" (over the samples), "sum" or "none".
    """

    def __init__(self, epsilon: float = 1.0, weight: Optional[torch.Tensor] = None, reduction: str = "mean"):
        super().__init__()
        self.epsilon = epsilon
        self.register_buffer("weight", weight)
        self.reduction = reduction

    def forward(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        ce = F.cross_entropy(logits, labels, reduction="none")
        pt = torch.exp(-ce)
        poly = ce + self.epsilon * (1 - pt)
        if self.weight is not None:
            poly = poly * self.weight.to(poly)[labels]
        return {"mean": torch.mean, "sum": torch.sum, "none": lambda t: t}[self.reduction](poly)
