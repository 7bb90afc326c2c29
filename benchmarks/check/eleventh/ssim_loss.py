import math

import torch
import torch.nn as nn
import torch.nn.functional as F


class SSIMLoss(nn.Module):
    def __init__(self, window_size=5, sigma=0.5):
        super().__init__()
        x = torch.arange(window_size, dtype=torch.float64) - window_size // 2
        g = torch.exp(-x ** 2 / (2 * sigma ** 2)) / (sigma * math.sqrt(2 * math.pi))
        self.register_buffer("window", torch.outer(g, g)[None, None])
        self.c1 = 0.01 ** 2
        self.c2 = 0.03 ** 2

    def forward(self, img1, img2):
        c = img1.size(1)
        window = self.window.to(img1).expand(c, 1, -1, -1)

        def blur(t):
            return F.conv2d(t, window, groups=c)

        mu1, mu2 = blur(img1), blur(img2)
        var1 = blur(img1 * img1) - mu1 * mu1
        var2 = blur(img2 * img2) - mu2 * mu2
        cov = blur(img1 * img2) - mu1 * mu2
        ssim = (2 * mu1 * mu2 + self.c1) * (2 * cov + self.c2) / (
            (mu1 ** 2 + mu2 ** 2 + self.c1) * (var1 + var2 + self.c2)
        )
        return 1 - ssim.mean()
