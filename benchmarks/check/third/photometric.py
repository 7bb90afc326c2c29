import torch
import torch.nn as nn


class PhotometricLoss(nn.Module):
    """0.85 SSIM + 0.15 L1 per pixel, minimum over the source views, as in monodepth2.

    forward(target, pred_1, pred_2, ...) with images (B, 3, H, W) in [0, 1]
    """

    def __init__(self, alpha=0.85):
        super().__init__()
        self.alpha = alpha
        self.pool = nn.AvgPool2d(3, 1)
        self.refl = nn.ReflectionPad2d(1)
        self.C1 = 0.01 ** 2
        self.C2 = 0.03 ** 2

    def ssim(self, x, y):
        x, y = self.refl(x), self.refl(y)
        mu_x, mu_y = self.pool(x), self.pool(y)
        sigma_x = self.pool(x ** 2) - mu_x ** 2
        sigma_y = self.pool(y ** 2) - mu_y ** 2
        sigma_xy = self.pool(x * y) - mu_x * mu_y
        n = (2 * mu_x * mu_y + self.C1) * (2 * sigma_xy + self.C2)
        d = (mu_x ** 2 + mu_y ** 2 + self.C1) * (sigma_x + sigma_y + self.C2)
        return torch.clamp((1 - n / d) / 2, 0, 1)

    def forward(self, target, *preds):
        reproj = []
        for p in preds:
            l1 = torch.abs(target - p).mean(1, True)
            reproj.append(self.alpha * self.ssim(p, target).mean(1, True) + (1 - self.alpha) * l1)
        return torch.cat(reproj, 1).min(dim=1)[0].mean()
