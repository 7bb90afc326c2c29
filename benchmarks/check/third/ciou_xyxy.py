import math

import torch


def bbox_ciou_loss(pred, target, reduction="mean", eps=1e-7):
    """Complete-IoU loss for matched boxes (Zheng et al., AAAI 2020).

    pred, target: (N, 4) boxes as x1, y1, x2, y2.
    """
    # overlap
    lt = torch.max(pred[:, :2], target[:, :2])
    rb = torch.min(pred[:, 2:], target[:, 2:])
    wh = (rb - lt).clamp(min=0)
    inter = wh[:, 0] * wh[:, 1]

    w1, h1 = pred[:, 2] - pred[:, 0], pred[:, 3] - pred[:, 1]
    w2, h2 = target[:, 2] - target[:, 0], target[:, 3] - target[:, 1]
    union = w1 * h1 + w2 * h2 - inter + eps
    iou = inter / union

    # centre distance over the diagonal of the enclosing box
    c_wh = torch.max(pred[:, 2:], target[:, 2:]) - torch.min(pred[:, :2], target[:, :2])
    c2 = c_wh[:, 0] ** 2 + c_wh[:, 1] ** 2 + eps
    rho2 = ((pred[:, :2] + pred[:, 2:] - target[:, :2] - target[:, 2:]) ** 2).sum(1) / 4

    # aspect ratio
    with torch.no_grad():
        arctan = torch.atan(w2 / (h2 + eps)) - torch.atan(w1 / (h1 + eps))
        v = (4 / math.pi ** 2) * arctan ** 2
        alpha = v / (1 - iou + v + eps)

    loss = 1 - iou + rho2 / c2 + alpha * v
    if reduction == "mean":
        return loss.mean() if loss.numel() > 0 else pred.sum() * 0
    if reduction == "sum":
        return loss.sum()
    return loss
