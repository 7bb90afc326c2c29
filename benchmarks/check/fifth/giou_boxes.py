import torch
import torch.nn as nn


class GIoULoss(nn.Module):
    """Generalized IoU loss for boxes in (x1, y1, x2, y2) format.

    GIoU = IoU - |C \\ (A u B)| / |C|, C being the smallest enclosing box.
    """

    def __init__(self, eps=1e-7, loss_weight=1.0):
        super().__init__()
        self.eps = eps
        self.loss_weight = loss_weight

    def forward(self, pred, target, weight=None, avg_factor=None):
        # pred, target: (n, 4); weight: (n,)
        lt = torch.max(pred[:, :2], target[:, :2])
        rb = torch.min(pred[:, 2:], target[:, 2:])
        wh = (rb - lt).clamp(min=0)
        overlap = wh[:, 0] * wh[:, 1]

        area_p = (pred[:, 2] - pred[:, 0]).clamp(min=0) * (pred[:, 3] - pred[:, 1]).clamp(min=0)
        area_t = (target[:, 2] - target[:, 0]) * (target[:, 3] - target[:, 1])
        union = area_p + area_t - overlap
        iou = overlap / union.clamp(min=self.eps)

        enclose_lt = torch.min(pred[:, :2], target[:, :2])
        enclose_rb = torch.max(pred[:, 2:], target[:, 2:])
        enclose_wh = (enclose_rb - enclose_lt).clamp(min=0)
        enclose = (enclose_wh[:, 0] * enclose_wh[:, 1]).clamp(min=self.eps)

        giou = iou - (enclose - overlap) / enclose
        loss = 1 - giou
        if weight is not None:
            loss = loss * weight
        if avg_factor is None:
            avg_factor = max(loss.numel(), 1)
        return self.loss_weight * loss.sum() / avg_factor
