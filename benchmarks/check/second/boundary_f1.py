import torch
import torch.nn as nn
import torch.nn.functional as F


def _edges(x, k):
    # soft inner edge: dilation of the background minus the background
    return F.max_pool2d(1 - x, k, stride=1, padding=k // 2) - (1 - x)


class BoundaryF1Loss(nn.Module):
    """1 - soft boundary F1 per image."""

    def __init__(self, theta0=3, theta=5, smooth=1.0):
        super().__init__()
        self.theta0, self.theta, self.smooth = theta0, theta, smooth

    def forward(self, logits, target):
        p = torch.sigmoid(logits)
        if p.dtype in (torch.float16, torch.bfloat16):
            p = p.float()
        t = target.to(p.dtype)
        pe, te = _edges(p, self.theta0), _edges(t, self.theta0)
        pe_wide = F.max_pool2d(pe, self.theta, 1, self.theta // 2)
        te_wide = F.max_pool2d(te, self.theta, 1, self.theta // 2)

        dims = (1, 2, 3)
        s = self.smooth
        precision = ((pe * te_wide).sum(dims) + s) / (pe.sum(dims) + s)
        recall = ((pe_wide * te).sum(dims) + s) / (te.sum(dims) + s)
        f1 = 2 * precision * recall / (precision + recall)
        return (1 - f1).mean()
