import torch
import torch.nn as nn
import torch.nn.functional as F


class SSIML1Loss(nn.Module):
    """Mix of SSIM and absolute error for image restoration.

    ``alpha * (1 - SSIM) + (1 - alpha) * L1 / data_range``. SSIM uses an 11-tap
    Gaussian window (sigma 1.5) without padding, per channel, and is averaged
    over the whole map.

    Args:
        alpha: share of the SSIM term.
        data_range: difference of the largest and smallest possible value.
    """

    def __init__(self, alpha: float = 0.84, data_range: float = 1.0):
        super().__init__()
        self.alpha = alpha
        self.data_range = data_range
        g = torch.exp(-(torch.arange(11, dtype=torch.float64) - 5) ** 2 / (2 * 1.5 ** 2))
        self.register_buffer("g", g / g.sum())

    def window(self, x):
        c = x.size(1)
        g = self.g.to(x)
        x = F.conv2d(x, g.view(1, 1, 11, 1).expand(c, 1, 11, 1), groups=c)
        return F.conv2d(x, g.view(1, 1, 1, 11).expand(c, 1, 1, 11), groups=c)

    def forward(self, out: torch.Tensor, ref: torch.Tensor) -> torch.Tensor:
        """out, ref: (N, C, H, W) with H, W >= 11."""
        a, b = out / self.data_range, ref / self.data_range
        ma, mb = self.window(a), self.window(b)
        va = (self.window(a * a) - ma ** 2).clamp(min=0)
        vb = (self.window(b * b) - mb ** 2).clamp(min=0)
        cov = self.window(a * b) - ma * mb
        ssim = (2 * ma * mb + 1e-4) * (2 * cov + 9e-4) / ((ma ** 2 + mb ** 2 + 1e-4) * (va + vb + 9e-4))
        return self.alpha * (1 - ssim.mean()) + (1 - self.alpha) * (a - b).abs().mean()
