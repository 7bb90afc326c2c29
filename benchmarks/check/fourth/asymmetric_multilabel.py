import torch
import torch.nn as nn
import torch.nn.functional as F


class AsymmetricLoss(nn.Module):
    """Asymmetric loss for multi-label classification (Ridnik et al. 2021).

    x: (N, L) logits, y: (N, L) multi-hot. Summed over labels, mean over N.
    """

    def __init__(self, gamma_pos=1, gamma_neg=4, clip=0.05):
        super().__init__()
        self.gamma_pos = gamma_pos
        self.gamma_neg = gamma_neg
        self.clip = clip

    def forward(self, x, y):
        y = y.to(x.dtype)
        p = torch.sigmoid(x)
        log_pos = F.logsigmoid(x)
        if self.clip > 0:
            # shifted probability of the negatives
            p_neg = (p - self.clip).clamp(min=0)
            log_neg = torch.log1p(-p_neg)
        else:
            p_neg = p
            log_neg = F.logsigmoid(-x)

        pos = y * (1 - p) ** self.gamma_pos * log_pos
        neg = (1 - y) * p_neg ** self.gamma_neg * log_neg
        return -(pos + neg).sum(dim=1).mean()
