import torch
import torch.nn as nn
import torch.nn.functional as F


class PlantFocal(nn.Module):
    """Multi-class focal loss for leaf diseases.

    ``-alpha[y] * (1 - p_y) ** gamma * log p_y`` with p the softmax of the
    logits.

    Args:
        alpha (sequence or None): one weight per class
        gamma (float): 0 or at least 1. Default: 2
        reduction (str): 'mean' divides by the number of samples (not by the
            weights), 'sum' or 'none'

    Shape:
        - logits: (N, C)
        - y: (N,)
    """

    def __init__(self, alpha=None, gamma=2.0, reduction="mean"):
        super().__init__()
        if gamma != 0 and gamma < 1:
            raise ValueError("gamma must be 0 or >= 1")
        self.register_buffer("alpha", None if alpha is None else torch.as_tensor(alpha, dtype=torch.float32))
        self.gamma = gamma
        self.reduction = reduction

    def forward(self, logits, y):
        logp = F.log_softmax(logits, dim=1).gather(1, y.unsqueeze(1)).squeeze(1)
        loss = -logp
        if self.gamma:
            loss = loss * (1 - logp.exp()) ** self.gamma
        if self.alpha is not None:
            loss = loss * self.alpha.to(loss.dtype)[y]
        return {"mean": torch.mean, "sum": torch.sum, "none": lambda v: v}[self.reduction](loss)
