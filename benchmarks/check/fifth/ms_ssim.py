import torch
import torch.nn as nn
import torch.nn.functional as F


class MSSSIMLoss(nn.Module):
    """1 - multi-scale SSIM for images in [0, data_range], (N, C, H, W).

    Args:
        weights: exponents of the scales, coarsest last.
    """

    def __init__(self, data_range=1.0, window_size=7, sigma=1.5, weights=(0.2096, 0.4659, 0.3245)):
        super().__init__()
        self.c1 = (0.01 * data_range) ** 2
        self.c2 = (0.03 * data_range) ** 2
        coords = torch.arange(window_size, dtype=torch.float32) - window_size // 2
        g = torch.exp(-coords ** 2 / (2 * sigma ** 2))
        g = g / g.sum()
        self.register_buffer("window", torch.outer(g, g)[None, None])
        self.weights = weights

    def _ssim(self, x, y):
        c = x.shape[1]
        w = self.window.to(x.dtype).expand(c, 1, -1, -1)
        mu_x, mu_y = F.conv2d(x, w, groups=c), F.conv2d(y, w, groups=c)
        var_x = (F.conv2d(x * x, w, groups=c) - mu_x ** 2).clamp(min=0)
        var_y = (F.conv2d(y * y, w, groups=c) - mu_y ** 2).clamp(min=0)
        cov = F.conv2d(x * y, w, groups=c) - mu_x * mu_y
        cs = (2 * cov + self.c2) / (var_x + var_y + self.c2)
        ssim = (2 * mu_x * mu_y + self.c1) / (mu_x ** 2 + mu_y ** 2 + self.c1) * cs
        return ssim.mean(dim=(1, 2, 3)), cs.mean(dim=(1, 2, 3))

    def forward(self, x, y):
        out = 1.0
        for level, weight in enumerate(self.weights):
            ssim, cs = self._ssim(x, y)
            if level < len(self.weights) - 1:
                out = out * cs ** weight
                x, y = F.avg_pool2d(x, 2), F.avg_pool2d(y, 2)
            else:
                out = out * ssim ** weight
        return 1 - out.mean()
