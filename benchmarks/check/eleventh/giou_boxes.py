import torch


def giou_loss(pred, target, eps=1e-7):
    lt = torch.max(pred[:, :2], target[:, :2])
    rb = torch.min(pred[:, 2:], target[:, 2:])
    wh = (rb - lt).clamp(min=0)
    inter = wh[:, 0] * wh[:, 1]

    area_p = (pred[:, 2] - pred[:, 0]) * (pred[:, 3] - pred[:, 1])
    area_t = (target[:, 2] - target[:, 0]) * (target[:, 3] - target[:, 1])
    union = area_p + area_t - inter
    iou = inter / (union + eps)

    c_lt = torch.min(pred[:, :2], target[:, :2])
    c_rb = torch.max(pred[:, 2:], target[:, 2:])
    c_wh = (c_rb - c_lt).clamp(min=0)
    area_c = c_wh[:, 0] * c_wh[:, 1]

    giou = iou - (area_c - inter) / (area_c + eps)
    return (1 - giou).mean()
