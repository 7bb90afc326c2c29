import torch
import torch.nn as nn
import torch.nn.functional as F


class FocalLoss2d(nn.Module):
    """multi-class focal loss for segmentation, void pixels (ignore_index) are skipped"""

    def __init__(self, gamma=2, alpha=None, ignore_index=255):
        super().__init__()
        self.gamma = gamma
        self.alpha = None if alpha is None else torch.as_tensor(alpha, dtype=torch.float)
        self.ignore_index = ignore_index

    def forward(self, input, target):
        ce = F.cross_entropy(input, target, reduction='none', ignore_index=self.ignore_index)
        pt = torch.exp(-ce)
        focal = (1 - pt) ** self.gamma * ce
        valid = target != self.ignore_index
        if self.alpha is not None:
            safe = torch.where(valid, target, torch.zeros_like(target))
            focal = focal * self.alpha.to(input)[safe]
        focal = focal * valid
        return focal.sum() / valid.sum().clamp(min=1)
