import torch
import torch.nn as nn
import torch.nn.functional as F


class MSSIMLoss(nn.Module):
    """Multi-scale structural similarity loss, 1 - MS-SSIM.

    Args:
        k_1, k_2: stability constants of the SSIM.
        filter_size: width of the Gaussian window.
        filter_sigma: standard deviation of the window.
        max_value: dynamic range of the images.
        power_factors: exponents of the scales, the contrast/structure term is
            used on every scale and the luminance on the last one.
    """

    def __init__(self, k_1=0.01, k_2=0.03, filter_size=11, filter_sigma=1.5,
                 max_value=1.0, power_factors=(0.2, 0.3, 0.5)):
        super().__init__()
        self.filter_size = filter_size
        self.filter_sigma = filter_sigma
        self.c_1 = (k_1 * max_value) ** 2
        self.c_2 = (k_2 * max_value) ** 2
        self.power_factors = power_factors

    def _fspecial_gauss(self, size, ref):
        """2D Gaussian window, sums to one."""
        coords = torch.arange(size, dtype=ref.dtype, device=ref.device)
        coords = coords - (size - 1 / 2.0)
        gauss = -0.5 * (coords ** 2) / self.filter_sigma ** 2
        window = gauss.view(1, -1) + gauss.view(-1, 1)
        window = torch.softmax(window.view(-1), dim=0)
        return window.view(1, 1, size, size)

    def _ssim_per_channel(self, img1, img2):
        """Mean SSIM and contrast-structure per image and channel."""
        channels = img1.shape[1]
        size = min(self.filter_size, img1.shape[2], img1.shape[3])
        kernel = self._fspecial_gauss(size, img1).expand(channels, 1, size, size)

        def reducer(x):
            return F.conv2d(x, kernel, groups=channels)

        mean_1 = reducer(img1)
        mean_2 = reducer(img2)
        num_0 = mean_1 * mean_2 * 2.0
        den_0 = mean_1 ** 2 + mean_2 ** 2
        luminance = (num_0 + self.c_1) / (den_0 + self.c_1)

        num_1 = reducer(img1 * img2) * 2.0
        den_1 = reducer(img1 ** 2 + img2 ** 2)
        cs = (num_1 - num_0 + self.c_2) / (den_1 - den_0 + self.c_2)

        return (luminance * cs).mean(dim=(2, 3)), cs.mean(dim=(2, 3))

    def forward(self, pred, target):
        """pred, target: (B, C, H, W)"""
        mcs = []
        n_scales = len(self.power_factors)
        for k in range(n_scales):
            if k > 0:
                pad = (0, pred.shape[3] % 2, 0, pred.shape[2] % 2)
                pred = F.avg_pool2d(F.pad(pred, pad, mode="replicate"), 2)
                target = F.avg_pool2d(F.pad(target, pad, mode="replicate"), 2)
            ssim, cs = self._ssim_per_channel(pred, target)
            mcs.append(cs)

        # negative values have no real power
        values = torch.stack(mcs[:-1] + [ssim], dim=-1).clamp(min=1e-6)
        powers = torch.tensor(self.power_factors, dtype=values.dtype, device=values.device)
        ms_ssim = torch.prod(values ** powers, dim=-1)
        return 1.0 - ms_ssim.mean()
