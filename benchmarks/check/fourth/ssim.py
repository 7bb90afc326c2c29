import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F


def gaussian_window(size, sigma):
    ax = np.arange(size) - (size - 1) / 2.0
    g = np.exp(-ax ** 2 / (2.0 * sigma ** 2))
    g = g / g.sum()
    return torch.from_numpy(np.outer(g, g)).float()


class SSIMLoss(nn.Module):
    """1 - SSIM of two image batches (N, C, H, W) with values in [0, 1]."""

    def __init__(self, window_size=11, sigma=1.5):
        super().__init__()
        self.register_buffer("window", gaussian_window(window_size, sigma))
        self.C1 = 6.5025
        self.C2 = 58.5225

    def forward(self, x, y):
        c = x.shape[1]
        w = self.window.to(x.dtype).expand(c, 1, -1, -1)

        def blur(t):
            return F.conv2d(t, w, groups=c)

        mu_x, mu_y = blur(x), blur(y)
        var_x = blur(x * x) - mu_x ** 2
        var_y = blur(y * y) - mu_y ** 2
        cov = blur(x * y) - mu_x * mu_y

        num = (2 * mu_x * mu_y + self.C1) * (2 * cov + self.C2)
        den = (mu_x ** 2 + mu_y ** 2 + self.C1) * (var_x + var_y + self.C2)
        return 1 - (num / den).mean()
