import math

import torch
import torch.nn as nn


class CIoULoss(nn.Module):
    """Complete IoU loss (Zheng et al., 2020).

    ``1 - IoU + rho^2 / c^2 + a * v``, rho being the distance of the box centers,
    c the diagonal of the enclosing box, v the squared difference of the
    aspect angles times 4 / pi^2, and ``a = v / (1 - IoU + v)`` a factor that is
    constant in the backward pass.

    Args:
        eps: guards the divisions.

    Shape: pred and target are (N, 4) boxes x1, y1, x2, y2 with x2 > x1 and
    y2 > y1. Optional weight is (N,). Returns the (weighted) sum over the boxes
    divided by N.
    """

    def __init__(self, eps: float = 1e-7):
        super().__init__()
        self.eps = eps

    def forward(self, pred, target, weight=None):
        px1, py1, px2, py2 = pred.unbind(1)
        tx1, ty1, tx2, ty2 = target.unbind(1)
        pw, ph, tw, th = px2 - px1, py2 - py1, tx2 - tx1, ty2 - ty1

        iw = (torch.minimum(px2, tx2) - torch.maximum(px1, tx1)).clamp(min=0)
        ih = (torch.minimum(py2, ty2) - torch.maximum(py1, ty1)).clamp(min=0)
        inter = iw * ih
        iou = inter / (pw * ph + tw * th - inter + self.eps)

        cw = torch.maximum(px2, tx2) - torch.minimum(px1, tx1)
        ch = torch.maximum(py2, ty2) - torch.minimum(py1, ty1)
        c2 = cw ** 2 + ch ** 2 + self.eps
        rho2 = ((px1 + px2 - tx1 - tx2) ** 2 + (py1 + py2 - ty1 - ty2) ** 2) / 4

        v = 4 / math.pi ** 2 * (torch.atan(tw / (th + self.eps)) - torch.atan(pw / (ph + self.eps))) ** 2
        with torch.no_grad():
            a = v / (1 - iou + v + self.eps)
        loss = 1 - iou + rho2 / c2 + a * v
        if weight is not None:
            loss = loss * weight
        return loss.sum() / max(len(pred), 1)
