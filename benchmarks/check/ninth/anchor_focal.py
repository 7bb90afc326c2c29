import torch
import torch.nn as nn
import torch.nn.functional as F


class AnchorFocal(nn.Module):
    r"""Sigmoid focal loss of RetinaNet.

    :math:`FL = -\alpha_t (1 - p_t)^\gamma \log p_t`, with
    :math:`\alpha_t = \alpha` for positive anchors and
    :math:`\alpha_t = 1 - \alpha` for negative ones.

    Args:
        alpha (float): weight of the positives, in (0, 1). Default: 0.25
        gamma (float): focusing parameter. Default: 2.0
        reduction (str): 'mean', 'sum' or 'none'

    Inputs are logits and {0, 1} targets of the same shape.
    """

    def __init__(self, alpha=0.25, gamma=2.0, reduction="mean"):
        super().__init__()
        self.alpha = alpha
        self.gamma = gamma
        self.reduction = reduction

    def forward(self, inputs, targets):
        targets = targets.to(inputs.dtype)
        bce = F.binary_cross_entropy_with_logits(inputs, targets, reduction="none")
        prob = torch.sigmoid(inputs)
        p_t = prob * targets + (1 - prob) * (1 - targets)
        loss = self.alpha * (1 - p_t) ** self.gamma * bce
        if self.reduction == "mean":
            return loss.mean()
        if self.reduction == "sum":
            return loss.sum()
        return loss
