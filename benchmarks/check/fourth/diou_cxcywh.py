import torch
import torch.nn as nn


def cxcywh_to_xyxy(b):
    half = b[..., 2:] / 2
    return torch.cat([b[..., :2] - half, b[..., :2] + half], dim=-1)


class DIoULoss(nn.Module):
    """Distance IoU loss for all anchors, only positive anchors count.

    pred, target: (N, A, 4) as cx, cy, w, h (w, h > 0); positive: (N, A) bool.
    The sum is divided by the number of positives.
    """

    def forward(self, pred, target, positive):
        p = cxcywh_to_xyxy(pred[positive])
        t = cxcywh_to_xyxy(target[positive])

        wh = (torch.min(p[:, 2:], t[:, 2:]) - torch.max(p[:, :2], t[:, :2])).clamp(min=0)
        inter = wh.prod(dim=1)
        area_p = (p[:, 2:] - p[:, :2]).prod(dim=1)
        area_t = (t[:, 2:] - t[:, :2]).prod(dim=1)
        iou = inter / (area_p + area_t - inter).clamp(min=1e-7)

        hull = torch.max(p[:, 2:], t[:, 2:]) - torch.min(p[:, :2], t[:, :2])
        diag2 = (hull ** 2).sum(dim=1).clamp(min=1e-7)
        center = ((p[:, :2] + p[:, 2:] - t[:, :2] - t[:, 2:]) ** 2).sum(dim=1) / 4

        loss = 1 - iou + center / diag2
        return loss.sum() / max(int(positive.sum()), 1)
