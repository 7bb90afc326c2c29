import torch
import torch.nn as nn
import torch.nn.functional as F


class WeightedFocalLoss(nn.Module):
    """Multi-class focal loss with per-class weights.

        FL(p_y) = - w_y * (1 - p_y) ** gamma * log(p_y)

    where p_y is the softmax probability of the ground-truth class.

    Args:
        class_weights: list or tensor with one weight per class
        gamma: focusing parameter, 0 gives plain weighted cross entropy
        reduction: 'mean' | 'sum' | 'none'
    """

    def __init__(self, class_weights, gamma=2.0, reduction='mean'):
        super(WeightedFocalLoss, self).__init__()
        self.register_buffer('weight', torch.as_tensor(class_weights, dtype=torch.float32))
        self.gamma = gamma
        self.reduction = reduction

    def forward(self, input, target):
        ce_loss = F.cross_entropy(input, target, weight=self.weight, reduction='none')
        pt = torch.exp(-ce_loss)
        focal_loss = (1 - pt) ** self.gamma * ce_loss
        if self.reduction == 'mean':
            return focal_loss.mean()
        if self.reduction == 'sum':
            return focal_loss.sum()
        return focal_loss
