import torch
import torch.nn as nn
import torch.nn.functional as F


class GCELoss(nn.Module):
    """Generalized cross entropy for noisy labels."""

    def __init__(self, q=0.7):
        super().__init__()
        if not 0 < q <= 1:
            raise ValueError("q must be in (0, 1]")
        self.q = q

    def forward(self, logits, labels):
        log_py = -F.cross_entropy(logits, labels, reduction="none")
        return (-torch.expm1(self.q * log_py) / self.q).mean()
