import torch
import torch.nn as nn


class AxisAlignedDIoU3DLoss(nn.Module):
    """Distance-IoU loss for axis-aligned 3D boxes.

    Boxes are (x, y, z, w, l, h) with (x, y, z) the box center.
    loss = 1 - IoU + d^2 / c^2, d the distance of the two centers and c the
    diagonal of the smallest enclosing box.
    """

    def __init__(self, eps=1e-7, reduction="mean"):
        super().__init__()
        self.eps = eps
        self.reduction = reduction

    @staticmethod
    def bev(boxes):
        """(x, y, w, l): the box seen from above."""
        return boxes[..., [0, 1, 3, 4]]

    def forward(self, pred, target):
        bev1, bev2 = self.bev(pred), self.bev(target)
        lo = torch.max(bev1[..., :2] - bev1[..., 2:] / 2, bev2[..., :2] - bev2[..., 2:] / 2)
        hi = torch.min(bev1[..., :2] + bev1[..., 2:] / 2, bev2[..., :2] + bev2[..., 2:] / 2)
        inter_bev = (hi - lo).clamp(min=0).prod(-1)

        zmin1, zmax1 = pred[..., 2] - pred[..., 5] / 2, pred[..., 2] + pred[..., 5] / 2
        zmin2, zmax2 = target[..., 2] - target[..., 5] / 2, target[..., 2] + target[..., 5] / 2
        z_overlap = (torch.min(zmax1, zmax2) - torch.max(zmin1, zmin2)).clamp(min=0)
        inter = inter_bev * z_overlap
        union = pred[..., 3:].clamp(min=0).prod(-1) + target[..., 3:].prod(-1) - inter
        iou = inter / union.clamp(min=self.eps)

        c_lo = torch.min(pred[..., :3] - pred[..., 3:] / 2, target[..., :3] - target[..., 3:] / 2)
        c_hi = torch.max(pred[..., :3] + pred[..., 3:] / 2, target[..., :3] + target[..., 3:] / 2)
        c2 = (c_hi - c_lo).pow(2).sum(-1).clamp(min=self.eps)
        r2 = (bev1[..., :3] - bev2[..., :3]).pow(2).sum(-1)

        loss = 1 - iou + r2 / c2
        return loss.mean() if self.reduction == "mean" else loss
