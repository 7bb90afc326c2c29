import torch
import torch.nn as nn


class SILogLoss(nn.Module):
    """Scale-invariant log loss (Eigen et al. 2014): mean(d^2) - lam * mean(d)^2.

    pred: (B, 1, H, W) positive depth
    gt:   (B, 1, H, W) sparse lidar depth, 0 where there is no return
    mask: (B, 1, H, W) bool, default gt > 0
    """

    def __init__(self, lam=0.85):
        super().__init__()
        self.lam = lam

    def forward(self, pred, gt, mask=None):
        if mask is None:
            mask = gt > 0
        m = mask.to(pred.dtype)
        n = m.sum().clamp(min=1)
        d = (torch.log(pred) - torch.log(gt)) * m
        return (d ** 2).sum() / n - self.lam * (d.sum() / n) ** 2
