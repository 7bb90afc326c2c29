import torch


def iou_loss(boxes, gt):
    x1 = torch.max(boxes[:, 0], gt[:, 0])
    y1 = torch.max(boxes[:, 1], gt[:, 1])
    x2 = torch.min(boxes[:, 2], gt[:, 2])
    y2 = torch.min(boxes[:, 3], gt[:, 3])

    inter = (x2 - x1) * (y2 - y1)
    area_b = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    area_g = (gt[:, 2] - gt[:, 0]) * (gt[:, 3] - gt[:, 1])
    iou = inter / (area_b + area_g - inter).clamp(min=1e-9)
    return (1.0 - iou).mean()
