import torch
import torch.nn as nn
import torch.nn.functional as F


def gaussian_window(window_size, sigma, channel):
    coords = torch.arange(window_size, dtype=torch.float32) - window_size // 2
    g = torch.exp(-(coords ** 2) / (2 * sigma ** 2))
    g = (g / g.sum()).unsqueeze(1)
    window = (g @ g.t()).unsqueeze(0).unsqueeze(0)
    return window.expand(channel, 1, window_size, window_size).contiguous()


class SSIMLoss(nn.Module):
    """1 - SSIM for image restoration.

    Args:
        img1 (Tensor): restored images, range [0, 1], shape (n, c, h, w).
        img2 (Tensor): ground truth, range [0, 1], shape (n, c, h, w).
    """

    def __init__(self, window_size=11, sigma=1.5, channel=3, loss_weight=1.0):
        super(SSIMLoss, self).__init__()
        self.channel = channel
        self.pad = window_size // 2
        self.loss_weight = loss_weight
        self.register_buffer('window', gaussian_window(window_size, sigma, channel))

    def _filter(self, x):
        return F.conv2d(x, self.window, padding=self.pad, groups=self.channel)

    def forward(self, img1, img2):
        c1 = (0.01 * 255) ** 2
        c2 = (0.03 * 255) ** 2

        mu1 = self._filter(img1)
        mu2 = self._filter(img2)
        mu1_sq, mu2_sq, mu1_mu2 = mu1 ** 2, mu2 ** 2, mu1 * mu2
        sigma1_sq = self._filter(img1 * img1) - mu1_sq
        sigma2_sq = self._filter(img2 * img2) - mu2_sq
        sigma12 = self._filter(img1 * img2) - mu1_mu2

        cs_map = (2 * sigma12 + c2) / (sigma1_sq + sigma2_sq + c2)
        ssim_map = ((2 * mu1_mu2 + c1) / (mu1_sq + mu2_sq + c1)) * cs_map
        return self.loss_weight * (1 - ssim_map.mean())
