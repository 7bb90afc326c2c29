import torch
import torch.nn as nn


class FocalLoss(nn.Module):
    """Focal loss for single-label classification.

    ``FL = mean_i (1 - p_i)^gamma * (-log p_i)`` where ``p_i`` is the softmax
    probability of the true class of sample ``i``. Well classified samples are
    down-weighted so that training focuses on the hard ones. ``gamma = 0``
    gives the ordinary cross entropy.

    Args:
        gamma: focusing parameter, 0 or at least 1.
    """

    def __init__(self, gamma: float = 2.0):
        super().__init__()
        self.gamma = gamma
        self.ce = nn.CrossEntropyLoss()

    def forward(self, input: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        logp = self.ce(input, target)
        p = torch.exp(-logp)
        loss = (1 - p) ** self.gamma * logp
        return loss.mean()
