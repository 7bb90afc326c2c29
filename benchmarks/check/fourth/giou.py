import torch


def box_area(b):
    return (b[:, 2] - b[:, 0]).clamp(min=0) * (b[:, 3] - b[:, 1]).clamp(min=0)


def giou_loss(pred, target, eps=1e-7):
    """Generalized IoU loss (1 - GIoU), boxes are (N, 4) as x1, y1, x2, y2."""
    if pred.numel() == 0:
        return pred.sum() * 0.0

    lt = torch.max(pred[:, :2], target[:, :2])
    rb = torch.min(pred[:, 2:], target[:, 2:])
    wh = (rb - lt).clamp(min=0)
    inter = wh[:, 0] * wh[:, 1]
    union = box_area(pred) + box_area(target) - inter
    iou = inter / union.clamp(min=eps)

    c_lt = torch.min(pred[:, :2], target[:, :2])
    c_rb = torch.max(pred[:, 2:], target[:, 2:])
    c_wh = (c_rb - c_lt).clamp(min=0)
    area_c = c_wh[:, 0] * c_wh[:, 1]

    giou = iou - (area_c - inter) / area_c.clamp(min=eps)
    return (1 - giou).mean()
