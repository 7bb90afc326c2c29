import torch
import torch.nn as nn


class DepthL1(nn.Module):
    """L1 loss for sparse depth completion.

    LiDAR ground truth is available for a part of the pixels only; pixels
    without a measurement have depth 0. The loss is the mean absolute error
    over the measured pixels.

    Args:
        max_depth (float or None): measurements beyond are dropped too

    Shape:
        - depth, gt: (N, 1, H, W)
    """

    def __init__(self, max_depth=80.0):
        super().__init__()
        self.max_depth = max_depth

    def forward(self, depth, gt):
        valid = gt > 0
        if self.max_depth is not None:
            valid = valid & (gt <= self.max_depth)
        valid = valid.to(depth.dtype)
        err = torch.abs(depth - gt) * valid
        return err.mean()
