import torch
import torch.nn as nn
import torch.nn.functional as F


class ClassBalancedCE(nn.Module):
    """Class balanced cross entropy (effective number of samples, Cui et al. 2019)."""

    def __init__(self, samples_per_cls, beta=0.999):
        super().__init__()
        n = torch.tensor(samples_per_cls, dtype=torch.float64)
        weights = (1.0 - beta) / (1.0 - beta ** n)
        weights = weights / weights.sum() * len(samples_per_cls)
        self.register_buffer('weights', weights)

    def forward(self, logits, labels):
        w = self.weights.to(logits.dtype)[labels]
        nll = -F.log_softmax(logits, dim=1).gather(1, labels[:, None]).squeeze(1)
        return (w * nll).sum() / w.sum()
