from typing import Sequence

import torch
import torch.nn as nn
import torch.nn.functional as F


class ClassBalancedLoss(nn.Module):
    """Class-balanced loss from the effective number of samples (Cui et al., 2019).

    Class c is weighted by ``(1 - beta) / (1 - beta^n_c)``; the weights are
    rescaled to sum to the number of classes. ``kind="softmax"`` is the
    weighted cross entropy, ``kind="sigmoid"`` the sum of binary cross
    entropies over the classes, both averaged over the samples (not over the
    weights).

    Args:
        samples_per_class: training set counts, all positive.
        beta: in [0, 1), 0 gives equal weights.
        kind: "softmax" or "sigmoid".
    """

    def __init__(self, samples_per_class: Sequence[int], beta: float = 0.999, kind: str = "softmax"):
        super().__init__()
        n = torch.tensor(samples_per_class, dtype=torch.float64)
        w = (1 - beta) / (1 - beta ** n)
        w = w / w.sum() * len(n)
        self.register_buffer("w", w)
        self.kind = kind

    def forward(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        w = self.w.to(logits)[labels]
        if self.kind == "softmax":
            loss = F.cross_entropy(logits, labels, reduction="none")
        else:
            onehot = F.one_hot(labels, logits.size(1)).to(logits.dtype)
            loss = F.binary_cross_entropy_with_logits(logits, onehot, reduction="none").sum(1)
        return (w * loss).mean()
