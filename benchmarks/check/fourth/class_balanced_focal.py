import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F


class ClassBalancedFocalLoss(nn.Module):
    """Softmax focal loss with class-balanced weights (Cui et al. 2019).

    Args:
        samples_per_class: number of training samples of each class
        beta: effective number parameter
        gamma: focusing parameter
        ignore_index: label that is left out
        reduction: "mean" (over the labels that count), "sum" or "none"

    Shape: logits (N, C) or (N, C, ...), labels (N) or (N, ...)
    """

    def __init__(self, samples_per_class, beta=0.999, gamma=2.0, ignore_index=-100, reduction="mean"):
        super().__init__()
        n = np.maximum(np.asarray(samples_per_class, dtype=np.float64), 1)
        w = (1.0 - beta) / (1.0 - np.power(beta, n))
        w = w / w.sum() * len(n)
        self.register_buffer("alpha", torch.from_numpy(w).float())
        self.gamma = gamma
        self.ignore_index = ignore_index
        self.reduction = reduction

    def forward(self, logits, labels):
        valid = labels != self.ignore_index
        safe = labels.masked_fill(~valid, 0)

        logpt = F.log_softmax(logits, dim=1).gather(1, safe.unsqueeze(1)).squeeze(1)
        pt = logpt.exp()
        alpha = self.alpha.to(logits.dtype)[safe]
        loss = -alpha * (1 - pt).clamp(min=1e-8) ** self.gamma * logpt
        loss = loss * valid

        if self.reduction == "mean":
            return loss.sum() / valid.sum().clamp(min=1)
        if self.reduction == "sum":
            return loss.sum()
        return loss
