import torch
import torch.nn as nn
import torch.nn.functional as F


class ClassBalancedCE(nn.Module):
    """Class-balanced softmax loss (Cui et al. 2019).

    Weight of class c is (1 - beta) / (1 - beta^n_c), rescaled to sum to the number of classes.
    The weighted losses are averaged over the batch size.
    """

    def __init__(self, samples_per_cls=(500, 100, 20), beta=0.999):
        super().__init__()
        n = torch.tensor(samples_per_cls, dtype=torch.float64)
        weights = (1.0 - beta) / (1.0 - torch.pow(torch.tensor(beta, dtype=torch.float64), n))
        weights = weights / weights.sum() * len(samples_per_cls)
        self.register_buffer("weights", weights)

    def forward(self, logits, labels):
        ce = F.cross_entropy(logits, labels, reduction="none")
        w = self.weights.to(logits.dtype)[labels]
        return (w * ce).mean()
