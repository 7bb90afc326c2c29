import math

import torch
import torch.nn as nn


def ciou_loss(pred, target, eps=1e-7):
    """Complete IoU loss per box, boxes are (n, 4) in (x1, y1, x2, y2) format."""
    # overlap
    lt = torch.max(pred[:, :2], target[:, :2])
    rb = torch.min(pred[:, 2:], target[:, 2:])
    wh = (rb - lt).clamp(min=0)
    overlap = wh[:, 0] * wh[:, 1]

    # union
    w1, h1 = pred[:, 2] - pred[:, 0], pred[:, 3] - pred[:, 1]
    w2, h2 = target[:, 2] - target[:, 0], target[:, 3] - target[:, 1]
    union = w1 * h1 + w2 * h2 - overlap + eps
    ious = overlap / union

    # squared diagonal of the enclosing box
    enclose_wh = (torch.max(pred[:, 2:], target[:, 2:]) - torch.min(pred[:, :2], target[:, :2])).clamp(min=0)
    c2 = enclose_wh[:, 0] ** 2 + enclose_wh[:, 1] ** 2 + eps

    # squared distance of the centers
    left = ((target[:, 0] + target[:, 2]) - (pred[:, 0] + pred[:, 2])) ** 2 / 4
    right = ((target[:, 1] + target[:, 3]) - (pred[:, 1] + pred[:, 3])) ** 2 / 4
    rho2 = left + right

    factor = 4 / math.pi ** 2
    v = factor * torch.pow(torch.atan(w2 / (h2 + eps)) - torch.atan(w1 / (h1 + eps)), 2)

    with torch.no_grad():
        alpha = (ious > 0.5).float() * v / (1 - ious + v + eps)

    cious = ious - (rho2 / c2 + alpha * v)
    return 1 - cious.clamp(min=-1.0, max=1.0)


class CIoULoss(nn.Module):
    def __init__(self, eps=1e-7, loss_weight=1.0):
        super().__init__()
        self.eps = eps
        self.loss_weight = loss_weight

    def forward(self, pred, target, weight=None, avg_factor=None):
        """weight: (n,) per box weight; avg_factor: normaliser, number of boxes if None"""
        if pred.numel() == 0 or (weight is not None and not torch.any(weight > 0)):
            return pred.sum() * 0
        loss = ciou_loss(pred, target, self.eps)
        if weight is not None:
            loss = loss * weight
        if avg_factor is None:
            avg_factor = max(loss.numel(), 1)
        return self.loss_weight * loss.sum() / avg_factor
