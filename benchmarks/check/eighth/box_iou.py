import torch
import torch.nn as nn


class IoULoss(nn.Module):
    """IoU based losses for box regression.

    Args:
        loss_type: "iou" for ``1 - IoU`` or "giou" for ``1 - GIoU``
            (Rezatofighi et al., 2019), the latter also penalizes the empty
            part of the smallest enclosing box.
        reduction: "mean", "sum" or "none".

    Shape: pred and target are (N, 4) boxes as (cx, cy, w, h).
    """

    def __init__(self, loss_type: str = "giou", reduction: str = "mean"):
        super().__init__()
        self.loss_type = loss_type
        self.reduction = reduction

    def forward(self, pred: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        p_tl, p_br = pred[:, :2] - pred[:, 2:] / 2, pred[:, :2] + pred[:, 2:] / 2
        t_tl, t_br = target[:, :2] - target[:, 2:] / 2, target[:, :2] + target[:, 2:] / 2

        wh = (torch.min(p_br, t_br) - torch.max(p_tl, t_tl)).clamp(min=0)
        area_i = wh.prod(1)
        area_u = pred[:, 2:].prod(1) + target[:, 2:].prod(1) - area_i
        iou = area_i / area_u.clamp(min=1e-7)

        if self.loss_type == "giou":
            c_wh = torch.max(p_br, t_br) - torch.min(p_tl, t_tl)
            area_c = c_wh.prod(1).clamp(min=1e-7)
            loss = 1 - (iou - (area_c - area_i) / area_c)
        else:
            loss = 1 - iou

        if self.reduction == "mean":
            return loss.mean()
        if self.reduction == "sum":
            return loss.sum()
        return loss
