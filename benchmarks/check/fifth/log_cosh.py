import math

import torch
import torch.nn as nn
import torch.nn.functional as F


class LogCoshLoss(nn.Module):
    """log(cosh(error)), quadratic near zero and linear for outliers.

    Args:
        reduction: "mean", "sum" or "none". With sample weights "mean" is the
            weighted mean.
    """

    def __init__(self, reduction="mean"):
        super().__init__()
        self.reduction = reduction

    def forward(self, pred, target, weight=None):
        if pred.shape != target.shape:
            raise ValueError("pred %s and target %s differ" % (tuple(pred.shape), tuple(target.shape)))
        a = (pred - target).abs()
        loss = a + F.softplus(-2.0 * a) - math.log(2.0)
        if weight is None:
            weight = torch.ones_like(loss)
        loss = loss * weight
        if self.reduction == "mean":
            return loss.sum() / weight.sum().clamp(min=1e-12)
        return loss.sum() if self.reduction == "sum" else loss
