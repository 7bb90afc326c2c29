import torch
import torch.nn as nn
import torch.nn.functional as F


class SCELoss(nn.Module):
    """Symmetric cross entropy for noisy labels (Wang et al. 2019): alpha * CE + beta * RCE.

    The log of the zeros of the one-hot label is set to log(1e-4), as in the public code.
    """

    def __init__(self, alpha=0.1, beta=1.0):
        super().__init__()
        self.alpha = alpha
        self.beta = beta

    def forward(self, pred, labels):
        ce = F.cross_entropy(pred, labels)
        prob = F.softmax(pred, dim=1)
        one_hot = F.one_hot(labels, pred.size(1)).to(pred.dtype)
        log_label = torch.log(one_hot.clamp(min=1e-4, max=1.0))
        rce = -(prob * log_label).sum(dim=1)
        return self.alpha * ce + self.beta * rce.mean()
