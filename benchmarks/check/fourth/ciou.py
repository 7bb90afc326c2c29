import math

import torch
import torch.nn as nn


class CIoULoss(nn.Module):
    """Complete IoU loss for matched boxes given as (x1, y1, x2, y2)."""

    def __init__(self, eps=1e-7):
        super().__init__()
        self.eps = eps

    def forward(self, pred, gt):
        if len(pred) == 0:
            return pred.sum() * 0.0
        w1, h1 = pred[:, 2] - pred[:, 0], pred[:, 3] - pred[:, 1]
        w2, h2 = gt[:, 2] - gt[:, 0], gt[:, 3] - gt[:, 1]

        iw = (torch.min(pred[:, 2], gt[:, 2]) - torch.max(pred[:, 0], gt[:, 0])).clamp(min=0)
        ih = (torch.min(pred[:, 3], gt[:, 3]) - torch.max(pred[:, 1], gt[:, 1])).clamp(min=0)
        inter = iw * ih
        union = w1 * h1 + w2 * h2 - inter
        iou = inter / union.clamp(min=self.eps)

        cw = torch.max(pred[:, 2], gt[:, 2]) - torch.min(pred[:, 0], gt[:, 0])
        ch = torch.max(pred[:, 3], gt[:, 3]) - torch.min(pred[:, 1], gt[:, 1])
        c2 = (cw ** 2 + ch ** 2).clamp(min=self.eps)
        rho2 = ((pred[:, 0] + pred[:, 2] - gt[:, 0] - gt[:, 2]) ** 2
                + (pred[:, 1] + pred[:, 3] - gt[:, 1] - gt[:, 3]) ** 2) / 4

        v = (4 / math.pi ** 2) * (torch.atan(w2 / h2.clamp(min=self.eps))
                                  - torch.atan(w1 / h1.clamp(min=self.eps))) ** 2
        with torch.no_grad():
            alpha = v / (1 - iou + v)
        loss = 1 - iou + rho2 / c2 + alpha * v
        return loss.mean()
