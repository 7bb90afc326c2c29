import torch
import torch.nn as nn
import torch.nn.functional as F


class SSIMLoss(nn.Module):
    """1 - SSIM with a Gaussian window, averaged over the batch.

    Args:
        window_size: odd; images must be at least this large
        data_range: difference of the largest and smallest possible value
    """

    def __init__(self, window_size=11, sigma=1.5, data_range=1.0):
        super().__init__()
        x = torch.arange(window_size, dtype=torch.float64) - window_size // 2
        g = torch.exp(-x ** 2 / (2 * sigma ** 2))
        g = g / g.sum()
        self.register_buffer("window", torch.outer(g, g)[None, None])
        self.c1 = (0.01 * data_range) ** 2
        self.c2 = (0.03 * data_range) ** 2

    def forward(self, x, y):
        c = x.shape[1]
        w = self.window.to(x.dtype).expand(c, 1, -1, -1)

        def blur(t):
            return F.conv2d(t, w, groups=c)

        mx, my = blur(x), blur(y)
        vx = (blur(x * x) - mx * mx).clamp(min=0)
        vy = (blur(y * y) - my * my).clamp(min=0)
        cov = blur(x * y) - mx * my
        ssim = (2 * mx * my + self.c1) * (2 * cov + self.c2)
        ssim = ssim / ((mx * mx + my * my + self.c1) * (vx + vy + self.c2))
        return 1 - ssim.mean()
