import torch
import torch.nn as nn
import torch.nn.functional as F


class LongTailFocal(nn.Module):
    r"""Focal loss for long-tailed classification.

    For every sample :math:`FL = -(1 - p_t)^\gamma \log p_t` where :math:`p_t`
    is the softmax probability of its class. Well classified samples are
    down-weighted; the result is averaged over the batch.

    Args:
        gamma (float): focusing parameter; 0 gives plain cross-entropy

    Shape:
        - logits: (N, C)
        - target: (N,)
    """

    def __init__(self, gamma=2.0):
        super().__init__()
        assert gamma >= 0
        self.gamma = gamma

    def forward(self, logits, target):
        ce = F.cross_entropy(logits, target)
        pt = torch.exp(-ce)
        loss = (1 - pt) ** self.gamma * ce
        return loss.mean()
