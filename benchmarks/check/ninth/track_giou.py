import torch


def track_giou_loss(pred, gt, reduction="mean"):
    """Generalized IoU loss of matched boxes, ``1 - GIoU``.

    GIoU is the IoU minus the share of the smallest enclosing box that is
    covered by neither box. The loss is in [0, 2].

    Args:
        pred, gt: (N, 4) boxes as (x1, y1, x2, y2) with x2 > x1 and y2 > y1
        reduction: 'mean', 'sum' or 'none'
    """
    eps = 1e-7
    wh = (torch.min(pred[:, 2:], gt[:, 2:]) - torch.max(pred[:, :2], gt[:, :2])).clamp(min=0)
    inter = wh[:, 0] * wh[:, 1]
    area_p = (pred[:, 2:] - pred[:, :2]).prod(dim=1)
    area_g = (gt[:, 2:] - gt[:, :2]).prod(dim=1)
    union = area_p + area_g - inter
    iou = inter / (union + eps)
    c = torch.max(pred[:, 2:], gt[:, 2:]) - torch.min(pred[:, :2], gt[:, :2])
    area_c = c[:, 0] * c[:, 1]
    giou = iou - (area_c - inter) / (area_c + eps)
    loss = 1 - giou
    if reduction == "mean":
        return loss.mean()
    return loss.sum() if reduction == "sum" else loss
