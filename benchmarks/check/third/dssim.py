import torch
import torch.nn as nn
import torch.nn.functional as F


class DSSIM(nn.Module):
    """Structural dissimilarity (1 - SSIM) / 2 with an 11 x 11 gaussian window, in [0, 1].

    img1, img2: (B, C, H, W) with values in [0, max_val]
    """

    def __init__(self, window_size=11, sigma=1.5, reduction='mean', max_val=1.0):
        super().__init__()
        self.reduction = reduction
        self.pad = window_size // 2
        x = torch.arange(window_size, dtype=torch.float32) - window_size // 2
        g = torch.exp(-x ** 2 / (2 * sigma ** 2))
        g = g / g.sum()
        self.register_buffer('window', torch.outer(g, g)[None, None])
        self.C1 = (0.01 * max_val) ** 2
        self.C2 = (0.03 * max_val) ** 2

    def _blur(self, x):
        c = x.shape[1]
        return F.conv2d(x, self.window.to(x).expand(c, 1, -1, -1), padding=self.pad, groups=c)

    def forward(self, img1, img2):
        mu1, mu2 = self._blur(img1), self._blur(img2)
        sigma1_sq = self._blur(img1 * img1) - mu1 ** 2
        sigma2_sq = self._blur(img2 * img2) - mu2 ** 2
        sigma12 = self._blur(img1 * img2) - mu1 * mu2
        ssim_map = ((2 * mu1 * mu2 + self.C1) * (2 * sigma12 + self.C2)) / (
            (mu1 ** 2 + mu2 ** 2 + self.C1) * (sigma1_sq + sigma2_sq + self.C2))

        loss = torch.clamp(1. - ssim_map, min=0, max=1) / 2.
        if self.reduction == 'mean':
            loss = torch.mean(loss)
        elif self.reduction == 'sum':
            loss = torch.sum(loss)
        return loss
