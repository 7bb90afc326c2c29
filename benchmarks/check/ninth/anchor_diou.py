import torch
import torch.nn as nn


class AnchorDIoU(nn.Module):
    """Distance-IoU loss ``1 - IoU + rho**2 / c**2`` (Zheng et al., 2020).

    rho is the distance of the box centres and c the diagonal of the smallest
    enclosing box. Boxes come as (cx, cy, w, h). The sum over the boxes is
    divided by ``avg_factor``, or by the number of boxes if it is not given.

    Args:
        eps (float): guard of both divisions. Default: 1e-9

    Shape:
        - boxes, gt: (N, 4) with w, h >= 0
    """

    def __init__(self, eps=1e-9):
        super().__init__()
        self.eps = eps

    def forward(self, boxes, gt, avg_factor=None):
        p1, p2 = boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2
        g1, g2 = gt[:, :2] - gt[:, 2:] / 2, gt[:, :2] + gt[:, 2:] / 2
        side = (torch.minimum(p2, g2) - torch.maximum(p1, g1)).clamp(min=0)
        inter = side.prod(1)
        union = boxes[:, 2] * boxes[:, 3] + gt[:, 2] * gt[:, 3] - inter
        hull = torch.maximum(p2, g2) - torch.minimum(p1, g1)
        c2 = (hull**2).sum(1)
        rho2 = ((boxes[:, :2] - gt[:, :2]) ** 2).sum(1)
        loss = 1 - inter / (union + self.eps) + rho2 / (c2 + self.eps)
        return loss.sum() / (avg_factor if avg_factor is not None else max(len(loss), 1))
