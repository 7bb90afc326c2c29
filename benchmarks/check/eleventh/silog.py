import torch
import torch.nn as nn


class ScaleInvariantLogLoss(nn.Module):
    """Scale-invariant error of Eigen et al. 2014 on the pixels with a depth measurement.

    log_depth: predicted log depth, depth: ground truth in metres (0 = missing), same shape.
    """

    def __init__(self, lambd=0.5):
        super().__init__()
        self.lambd = lambd

    def forward(self, log_depth, depth):
        valid = depth > 0
        if not valid.any():
            return log_depth.sum() * 0.0
        d = log_depth[valid] - torch.log(depth[valid])
        return d.pow(2).mean() - self.lambd * d.mean().pow(2)
