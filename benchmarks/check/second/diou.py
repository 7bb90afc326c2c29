import torch
import torch.nn as nn


class DIoULoss(nn.Module):
    def __init__(self, eps=1e-12):
        super().__init__()
        self.eps = eps

    @staticmethod
    def corners(b):
        half = b[:, 2:] / 2
        return b[:, :2] - half, b[:, :2] + half

    def forward(self, pred, target):
        if pred.dtype in (torch.float16, torch.bfloat16):
            pred, target = pred.float(), target.float()
        p1, p2 = self.corners(pred)
        t1, t2 = self.corners(target)
        inter = (torch.min(p2, t2) - torch.max(p1, t1)).clamp(min=0).prod(dim=1)
        union = pred[:, 2] * pred[:, 3] + target[:, 2] * target[:, 3] - inter
        iou = inter / union.clamp(min=self.eps)

        d2 = ((pred[:, :2] - target[:, :2]) ** 2).sum(dim=1)
        c2 = ((torch.max(p2, t2) - torch.min(p1, t1)) ** 2).sum(dim=1)
        return (1 - iou + d2 / c2.clamp(min=self.eps)).mean()
