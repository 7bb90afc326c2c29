import torch
import torch.nn as nn
import torch.nn.functional as F


class SSIMLoss(nn.Module):
    """1 - SSIM with a Gaussian window, images (N, C, H, W) in [0, data_range].

    Args:
        window_size: odd, at most the image size. sigma: of the window.
    """

    def __init__(self, window_size=11, sigma=1.5, data_range=1.0):
        super().__init__()
        self.c1 = (0.01 * data_range) ** 2
        self.c2 = (0.03 * data_range) ** 2
        x = torch.arange(window_size, dtype=torch.float32) - (window_size - 1) / 2
        g = torch.exp(-x.pow(2) / (2 * sigma ** 2))
        g = g / g.sum()
        self.register_buffer("kernel", (g[:, None] * g[None, :])[None, None])

    def forward(self, img1, img2):
        if img1.shape != img2.shape:
            raise ValueError("the images differ in shape")
        c = img1.shape[1]
        k = self.kernel.to(img1.dtype).expand(c, 1, -1, -1)

        def blur(t):
            return F.conv2d(t, k, groups=c)

        mu1, mu2 = blur(img1), blur(img2)
        # centre first: E[x^2] - E[x]^2 would cancel badly on flat bright areas
        shift = img2.mean(dim=(1, 2, 3), keepdim=True).detach()
        a, b = img1 - shift, img2 - shift
        ma, mb = mu1 - shift, mu2 - shift
        var1 = blur(a * a) - ma * ma
        var2 = blur(b * b) - mb * mb
        cov = blur(a * b) - ma * mb
        ssim = (2 * mu1 * mu2 + self.c1) * (2 * cov + self.c2)
        ssim = ssim / ((mu1 ** 2 + mu2 ** 2 + self.c1) * (var1 + var2 + self.c2))
        return 1 - ssim.mean()
