import torch
import torch.nn as nn
import torch.nn.functional as F


class WindowSSIM(nn.Module):
    """Dissimilarity ``(1 - SSIM) / 2`` with a square mean window.

    Local means, variances and the covariance (divided by the window size, not
    by size - 1) come from a moving average without padding. The result, in
    [0, 1], is averaged over windows, channels and images.

    Args:
        size (int): window side. Default: 5
        data_range (float): range of the images. Default: 1.0

    Shape:
        - x, y: (N, C, H, W), H and W at least ``size``
    """

    def __init__(self, size=5, data_range=1.0):
        super().__init__()
        self.size = size
        self.c1 = (0.01 * data_range) ** 2
        self.c2 = (0.03 * data_range) ** 2

    def forward(self, x, y):
        mean = lambda v: F.avg_pool2d(v, self.size, stride=1)
        mx, my = mean(x), mean(y)
        vx = (mean(x * x) - mx * mx).clamp(min=0)
        vy = (mean(y * y) - my * my).clamp(min=0)
        cov = mean(x * y) - mx * my
        ssim = (2 * mx * my + self.c1) * (2 * cov + self.c2) / ((mx * mx + my * my + self.c1) * (vx + vy + self.c2))
        return ((1 - ssim) / 2).clamp(0, 1).mean()
