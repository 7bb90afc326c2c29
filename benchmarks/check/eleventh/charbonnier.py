import torch
import torch.nn as nn


class CharbonnierLoss(nn.Module):
    def __init__(self, eps=1e-3):
        super().__init__()
        self.eps = eps

    def forward(self, sr, hr):
        diff = sr - hr
        return torch.mean(torch.sqrt(diff * diff + self.eps ** 2))
