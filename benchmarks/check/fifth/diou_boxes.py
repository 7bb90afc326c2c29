import torch
import torch.nn as nn


class DIoULoss(nn.Module):
    """Distance-IoU loss for (x1, y1, x2, y2) boxes.

    The weighted sum over the matched boxes is divided by ``avg_factor``
    (number of positives over all images), or by the number of boxes.
    """

    def __init__(self, loss_weight=1.0, eps=1e-12):
        super().__init__()
        self.loss_weight = loss_weight
        self.eps = eps

    def forward(self, pred, target, weight=None, avg_factor=None):
        if pred.shape != target.shape or pred.shape[-1] != 4:
            raise ValueError("boxes must be (n, 4)")
        lt = torch.max(pred[:, :2], target[:, :2])
        rb = torch.min(pred[:, 2:], target[:, 2:])
        inter = (rb - lt).clamp(min=0).prod(dim=1)
        area_p = (pred[:, 2:] - pred[:, :2]).clamp(min=0).prod(dim=1)
        area_t = (target[:, 2:] - target[:, :2]).clamp(min=0).prod(dim=1)
        iou = inter / (area_p + area_t - inter).clamp(min=self.eps)

        enclose = torch.max(pred[:, 2:], target[:, 2:]) - torch.min(pred[:, :2], target[:, :2])
        c2 = enclose.pow(2).sum(dim=1).clamp(min=self.eps)
        d = (pred[:, :2] + pred[:, 2:] - target[:, :2] - target[:, 2:]) / 2
        loss = 1 - iou + d.pow(2).sum(dim=1) / c2

        if weight is not None:
            loss = loss * weight
        if avg_factor is None:
            avg_factor = max(pred.shape[0], 1)
        return self.loss_weight * loss.sum() / avg_factor
