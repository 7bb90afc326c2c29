import torch
import torch.nn as nn


class GIoULoss(nn.Module):
    def __init__(self, reduction="mean", eps=1e-9):
        super().__init__()
        self.reduction = reduction
        self.eps = eps

    def forward(self, pred, target):
        tl = torch.max(pred[:, :2], target[:, :2])
        br = torch.min(pred[:, 2:], target[:, 2:])
        area_p = torch.prod(pred[:, 2:] - pred[:, :2], 1)
        area_g = torch.prod(target[:, 2:] - target[:, :2], 1)
        area_i = torch.prod((br - tl).clamp(min=0), 1)
        area_u = area_p + area_g - area_i
        iou = area_i / area_u.clamp(min=self.eps)

        c_tl = torch.min(pred[:, :2], target[:, :2])
        c_br = torch.max(pred[:, 2:], target[:, 2:])
        area_c = torch.prod(c_br - c_tl, 1)
        giou = iou - (area_c - area_i) / area_c.clamp(min=self.eps)
        loss = 1 - giou.clamp(min=-1.0, max=1.0)

        if self.reduction == "mean":
            loss = loss.mean()
        elif self.reduction == "sum":
            loss = loss.sum()
        return loss
