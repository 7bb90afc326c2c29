import torch
import torch.nn as nn
import torch.nn.functional as F


class DSSIMLoss(nn.Module):
    """Structural dissimilarity ``(1 - SSIM) / 2`` averaged over all pixels.

    SSIM is computed with a uniform window and reflection padding. The
    value lies in [0, 1]: 0 for identical images, 1 for perfectly
    anti-correlated ones.

    Args:
        window_size: odd side of the window.
        max_val: dynamic range of the images.

    Shape: img1, img2 are (N, C, H, W).
    """

    def __init__(self, window_size: int = 3, max_val: float = 1.0):
        super().__init__()
        self.window_size = window_size
        self.C1 = (0.01 * max_val) ** 2
        self.C2 = (0.03 * max_val) ** 2

    def blur(self, x):
        p = self.window_size // 2
        return F.avg_pool2d(F.pad(x, (p, p, p, p), mode="reflect"), self.window_size, stride=1)

    def forward(self, img1: torch.Tensor, img2: torch.Tensor) -> torch.Tensor:
        mu1, mu2 = self.blur(img1), self.blur(img2)
        sigma1 = self.blur(img1 * img1) - mu1 * mu1
        sigma2 = self.blur(img2 * img2) - mu2 * mu2
        sigma12 = self.blur(img1 * img2) - mu1 * mu2

        ssim_map = ((2 * mu1 * mu2 + self.C1) * (2 * sigma12 + self.C2)) / \
            ((mu1 ** 2 + mu2 ** 2 + self.C1) * (sigma1 + sigma2 + self.C2))
        loss = torch.clamp(1.0 - ssim_map, min=0, max=1) / 2.0
        return loss.mean()
