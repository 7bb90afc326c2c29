import math

import torch


def ciou_loss(pred, target, eps=1e-7):
    """Complete IoU loss, boxes as x1, y1, x2, y2 with shape (N, 4); mean over the boxes."""
    x1 = torch.max(pred[:, 0], target[:, 0])
    y1 = torch.max(pred[:, 1], target[:, 1])
    x2 = torch.min(pred[:, 2], target[:, 2])
    y2 = torch.min(pred[:, 3], target[:, 3])
    inter = (x2 - x1).clamp(min=0) * (y2 - y1).clamp(min=0)

    w_p, h_p = pred[:, 2] - pred[:, 0], pred[:, 3] - pred[:, 1]
    w_t, h_t = target[:, 2] - target[:, 0], target[:, 3] - target[:, 1]
    union = w_p * h_p + w_t * h_t - inter
    iou = inter / (union + eps)

    cw = torch.max(pred[:, 2], target[:, 2]) - torch.min(pred[:, 0], target[:, 0])
    ch = torch.max(pred[:, 3], target[:, 3]) - torch.min(pred[:, 1], target[:, 1])
    c2 = cw ** 2 + ch ** 2 + eps
    rho2 = ((pred[:, 0] + pred[:, 2] - target[:, 0] - target[:, 2]) ** 2
            + (pred[:, 1] + pred[:, 3] - target[:, 1] - target[:, 3]) ** 2) / 4

    v = (4 / math.pi ** 2) * (torch.atan(w_t / (h_t + eps)) - torch.atan(w_p / (h_p + eps))) ** 2
    with torch.no_grad():
        alpha = v / (1 - iou + v + eps)
    return (1 - iou + rho2 / c2 + alpha * v).mean()
