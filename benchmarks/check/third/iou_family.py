import math

import torch
import torch.nn as nn


class IOUloss(nn.Module):
    """boxes are cx, cy, w, h with positive sizes. loss_type: iou | giou | ciou"""

    def __init__(self, reduction="none", loss_type="ciou"):
        super(IOUloss, self).__init__()
        assert loss_type in ("iou", "giou", "ciou")
        self.reduction = reduction
        self.loss_type = loss_type

    def forward(self, pred, target):
        assert pred.shape[0] == target.shape[0]
        pred = pred.reshape(-1, 4)
        target = target.reshape(-1, 4)
        p_tl, p_br = pred[:, :2] - pred[:, 2:] / 2, pred[:, :2] + pred[:, 2:] / 2
        t_tl, t_br = target[:, :2] - target[:, 2:] / 2, target[:, :2] + target[:, 2:] / 2

        wh = (torch.min(p_br, t_br) - torch.max(p_tl, t_tl)).clamp(min=0)
        area_i = torch.prod(wh, 1)
        area_u = torch.prod(pred[:, 2:], 1) + torch.prod(target[:, 2:], 1) - area_i
        iou = area_i / (area_u + 1e-16)
        c_wh = torch.max(p_br, t_br) - torch.min(p_tl, t_tl)

        if self.loss_type == "iou":
            loss = 1 - iou ** 2
        elif self.loss_type == "giou":
            area_c = torch.prod(c_wh, 1)
            giou = iou - (area_c - area_u) / area_c.clamp(1e-16)
            loss = 1 - giou.clamp(min=-1.0, max=1.0)
        else:
            d = (pred[:, :2] - target[:, :2]).pow(2).sum(1)
            diag = c_wh.pow(2).sum(1).clamp(1e-16)
            v = 4 / math.pi ** 2 * (torch.atan(target[:, 2] / target[:, 3]) - torch.atan(pred[:, 2] / pred[:, 3])) ** 2
            with torch.no_grad():
                alpha = v / (1 - iou + v).clamp(1e-16)
            loss = 1 - iou + d / diag + alpha * v

        if self.reduction == "mean":
            loss = loss.mean() if loss.numel() else loss.sum()
        elif self.reduction == "sum":
            loss = loss.sum()
        return loss
