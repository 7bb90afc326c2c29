import torch
from torch import nn


class MaskedL1Loss(nn.Module):
    '''L1 on pixels having a valid ground truth depth (> 0).'''

    def __init__(self):
        super(MaskedL1Loss, self).__init__()

    def forward(self, pred, target):
        assert pred.dim() == target.dim(), "inconsistent dimensions"
        valid_mask = (target > 0).detach()
        if valid_mask.sum() == 0:
            return (pred * 0).sum()
        diff = target - pred
        diff = diff[valid_mask]
        self.loss = diff.abs().mean()
        return self.loss
