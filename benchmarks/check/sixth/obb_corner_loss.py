import torch
import torch.nn as nn
import torch.nn.functional as F


def box2corners(box):
    """(cx, cy, w, h, angle) of one oriented box -> (4, 2) corners, counter-clockwise."""
    cx, cy, w, h, alpha = box
    x = w * torch.tensor([0.5, -0.5, -0.5, 0.5], dtype=box.dtype, device=box.device)
    y = h * torch.tensor([0.5, 0.5, -0.5, -0.5], dtype=box.dtype, device=box.device)
    local = torch.stack([x, y], dim=1)
    sin = torch.sin(alpha)
    cos = torch.cos(alpha)
    rot = torch.FloatTensor([[cos, sin], [-sin, cos]]).to(box)
    return local @ rot + torch.stack([cx, cy])


class OrientedCornerLoss(nn.Module):
    """Smooth L1 between the corners of predicted and target oriented boxes.

    pred, target: (N, 5) boxes as (cx, cy, w, h, angle in radians). All five box
    parameters are learned through the corners; matching is done beforehand.
    """

    def __init__(self, beta=1.0, loss_weight=1.0):
        super().__init__()
        self.beta = beta
        self.loss_weight = loss_weight

    def forward(self, pred, target, weight=None):
        if pred.shape[0] == 0:
            return pred.sum() * 0
        p = torch.stack([box2corners(b) for b in pred])
        t = torch.stack([box2corners(b) for b in target])
        loss = F.smooth_l1_loss(p, t, beta=self.beta, reduction='none').sum(dim=(1, 2))
        if weight is not None:
            loss = loss * weight
        return self.loss_weight * loss.mean()
