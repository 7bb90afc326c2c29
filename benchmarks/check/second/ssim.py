import torch
import torch.nn as nn
import torch.nn.functional as F


class SSIM(nn.Module):
    """Structural dissimilarity (1 - SSIM) / 2 of images in [0, 1], (N, C, H, W).

    3x3 mean filter instead of a Gaussian window.
    """

    def __init__(self):
        super().__init__()
        self.C1 = (0.01 * 255) ** 2
        self.C2 = (0.03 * 255) ** 2

    def forward(self, x, y):
        x = F.pad(x, (1, 1, 1, 1), mode="reflect")
        y = F.pad(y, (1, 1, 1, 1), mode="reflect")
        mu_x = F.avg_pool2d(x, 3, 1)
        mu_y = F.avg_pool2d(y, 3, 1)
        sigma_x = F.avg_pool2d(x ** 2, 3, 1) - mu_x ** 2
        sigma_y = F.avg_pool2d(y ** 2, 3, 1) - mu_y ** 2
        sigma_xy = F.avg_pool2d(x * y, 3, 1) - mu_x * mu_y
        n = (2 * mu_x * mu_y + self.C1) * (2 * sigma_xy + self.C2)
        d = (mu_x ** 2 + mu_y ** 2 + self.C1) * (sigma_x + sigma_y + self.C2)
        return torch.clamp((1 - n / d) / 2, 0, 1).mean()
