import torch


def giou_loss_weighted(boxes1, boxes2, weight=None):
    """GIoU loss of paired boxes (N, 4) in xyxy format (x1 <= x2, y1 <= y2).

    weight: optional (N,). Result: weighted mean, 0 without boxes.
    """
    eps = 1e-7
    x1, y1, x2, y2 = boxes1.unbind(dim=-1)
    X1, Y1, X2, Y2 = boxes2.unbind(dim=-1)

    inter_w = (torch.min(x2, X2) - torch.max(x1, X1)).clamp(min=0)
    inter_h = (torch.min(y2, Y2) - torch.max(y1, Y1)).clamp(min=0)
    inter = inter_w * inter_h
    union = (x2 - x1) * (y2 - y1) + (X2 - X1) * (Y2 - Y1) - inter
    iou = inter / union.clamp(min=eps)

    hull = (torch.max(x2, X2) - torch.min(x1, X1)) * (torch.max(y2, Y2) - torch.min(y1, Y1))
    giou = iou - (hull - union) / hull.clamp(min=eps)

    if weight is None:
        weight = torch.ones_like(giou)
    return ((1 - giou) * weight).sum() / weight.sum().clamp(min=eps)
