import torch
from torch import nn
import torch.nn.functional as F


class FocalLossMultiClass(nn.Module):
    """Focal loss for softmax classifiers.

    :param alpha: list with one weight per class, or None
    :param gamma: focusing parameter
    :param reduction: 'mean' | 'sum' | 'none'
    """

    def __init__(self, alpha=None, gamma=2.0, reduction='mean'):
        super().__init__()
        if alpha is not None:
            alpha = torch.as_tensor(alpha, dtype=torch.float32)
        self.register_buffer('alpha', alpha)
        self.gamma = gamma
        self.reduction = reduction

    def forward(self, inputs, targets):
        log_p = F.log_softmax(inputs, dim=-1)
        log_pt = log_p.gather(1, targets.view(-1, 1)).squeeze(1)
        pt = log_pt.exp()

        alpha_t = 1.0
        if self.alpha is not None:
            alpha_t = self.alpha.to(inputs.device)[targets]

        loss = -1 * (1 - pt) ** self.gamma * log_pt

        if self.reduction == 'mean':
            return loss.mean()
        elif self.reduction == 'sum':
            return loss.sum()
        return loss
