import torch
import torch.nn as nn
import torch.nn.functional as F


class DSSIM(nn.Module):
    """Structural dissimilarity (1 - SSIM) / 2, mean over all windows, images in [0, 1]."""

    def __init__(self, window_size=7, max_val=1.0):
        super().__init__()
        self.ws = window_size
        self.C1 = (0.01 * max_val) ** 2
        self.C2 = (0.03 * max_val) ** 2

    def forward(self, img1, img2):
        mu1 = F.avg_pool2d(img1, self.ws, 1)
        mu2 = F.avg_pool2d(img2, self.ws, 1)
        sigma1_sq = F.avg_pool2d(img1 * img1, self.ws, 1) - mu1 ** 2
        sigma2_sq = F.avg_pool2d(img2 * img2, self.ws, 1) - mu2 ** 2
        sigma12 = F.avg_pool2d(img1 * img2, self.ws, 1) - mu1 * mu2

        ssim_map = ((2 * mu1 * mu2 + self.C1) * (2 * sigma12 + self.C2)) / \
                   ((mu1 ** 2 + mu2 ** 2 + self.C1) * (sigma1_sq + sigma2_sq + self.C2))
        loss = torch.clamp(1.0 - ssim_map, min=0, max=1) / 2.0
        return loss.mean()
