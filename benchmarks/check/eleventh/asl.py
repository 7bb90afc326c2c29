import torch
import torch.nn as nn


class AsymmetricLoss(nn.Module):
    """ASL for multi-label classification (Ridnik et al. 2020).

    x: (N, C) logits, y: (N, C) with 0/1. The sum over all entries is returned, as in the paper's code.
    """

    def __init__(self, gamma_neg=4, gamma_pos=1, clip=0.05, eps=1e-8):
        super().__init__()
        self.gamma_neg = gamma_neg
        self.gamma_pos = gamma_pos
        self.clip = clip
        self.eps = eps

    def forward(self, x, y):
        y = y.to(x.dtype)
        xs_pos = torch.sigmoid(x)
        xs_neg = 1 - xs_pos
        if self.clip is not None and self.clip > 0:
            xs_neg = (xs_neg + self.clip).clamp(max=1)

        los_pos = y * torch.log(xs_pos.clamp(min=self.eps))
        los_neg = (1 - y) * torch.log(xs_neg.clamp(min=self.eps))
        pt = xs_pos * y + xs_neg * (1 - y)
        gamma = self.gamma_pos * y + self.gamma_neg * (1 - y)
        weight = torch.pow(1 - pt, gamma)
        return -(weight * (los_pos + los_neg)).sum()
