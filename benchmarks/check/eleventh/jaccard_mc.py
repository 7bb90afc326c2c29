import torch
import torch.nn as nn
import torch.nn.functional as F


class SoftJaccardLoss(nn.Module):
    """Multiclass soft IoU loss over the whole batch.

    logits: (B, C, H, W); target: (B, H, W), pixels with ignore_index do not count.
    """

    def __init__(self, ignore_index=255, smooth=1.0):
        super().__init__()
        self.ignore_index = ignore_index
        self.smooth = smooth

    def forward(self, logits, target):
        num_classes = logits.shape[1]
        valid = target != self.ignore_index
        safe_target = torch.where(valid, target, torch.zeros_like(target))
        one_hot = F.one_hot(safe_target, num_classes).permute(0, 3, 1, 2).to(logits.dtype)
        valid = valid.unsqueeze(1).to(logits.dtype)

        probs = F.softmax(logits, dim=1) * valid
        one_hot = one_hot * valid
        inter = (probs * one_hot).sum(dim=(0, 2, 3))
        union = (probs + one_hot).sum(dim=(0, 2, 3)) - inter
        iou = (inter + self.smooth) / (union + self.smooth)
        return 1 - iou.mean()
