import torch


def giou_loss(pred, target, eps=1e-7):
    """Generalized IoU loss, boxes are (N, 4) in x1, y1, x2, y2 format."""
    x1 = torch.max(pred[:, 0], target[:, 0])
    y1 = torch.max(pred[:, 1], target[:, 1])
    x2 = torch.min(pred[:, 2], target[:, 2])
    y2 = torch.min(pred[:, 3], target[:, 3])
    wh = (x2 - x1).clamp(min=0) * (y2 - y1).clamp(min=0)

    area_p = (pred[:, 2] - pred[:, 0]) * (pred[:, 3] - pred[:, 1])
    area_t = (target[:, 2] - target[:, 0]) * (target[:, 3] - target[:, 1])
    iou = wh / (area_p + area_t - wh + eps)

    # smallest enclosing box
    xc1 = torch.min(pred[:, 0], target[:, 0])
    yc1 = torch.min(pred[:, 1], target[:, 1])
    xc2 = torch.max(pred[:, 2], target[:, 2])
    yc2 = torch.max(pred[:, 3], target[:, 3])
    area_enclose = (xc2 - xc1) * (yc2 - yc1) + eps

    giou = iou - (area_enclose - wh) / area_enclose
    return (1 - giou).mean()
