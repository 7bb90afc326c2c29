from math import exp

import torch
import torch.nn.functional as F


def gaussian(window_size, sigma):
    gauss = torch.Tensor([exp(-(x - window_size // 2) ** 2 / float(2 * sigma ** 2)) for x in range(window_size)])
    return gauss / gauss.sum()


class SSIMLoss(torch.nn.Module):
    def __init__(self, window_size=11, channel=1):
        super(SSIMLoss, self).__init__()
        self.window_size = window_size
        self.channel = channel
        _1D = gaussian(window_size, 1.5).unsqueeze(1)
        _2D = _1D.mm(_1D.t()).unsqueeze(0).unsqueeze(0)
        self.register_buffer('window', _2D.expand(channel, 1, window_size, window_size).contiguous())

    def forward(self, img1, img2):
        w = self.window.to(img1)
        pad = self.window_size // 2
        conv = lambda t: F.conv2d(t, w, padding=pad, groups=self.channel)
        mu1, mu2 = conv(img1), conv(img2)
        mu1_sq, mu2_sq, mu1_mu2 = mu1.pow(2), mu2.pow(2), mu1 * mu2
        sigma1_sq = conv(img1 * img1) - mu1_sq
        sigma2_sq = conv(img2 * img2) - mu2_sq
        sigma12 = conv(img1 * img2) - mu1_mu2
        C1 = 0.01 ** 2
        C2 = 0.03 ** 2
        ssim_map = ((2 * mu1_mu2 + C1) * (2 * sigma12 + C2)) / ((mu1_sq + mu2_sq + C1) * (sigma1_sq + sigma2_sq + C2))
        return 1 - ssim_map.mean()
