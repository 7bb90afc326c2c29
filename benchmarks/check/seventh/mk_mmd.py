import torch
import torch.nn as nn


class MMDLoss(nn.Module):
    """Multi-kernel maximum mean discrepancy (biased estimate).

    The bandwidths are multiples of the mean squared distance of the joint
    batch, which is treated as a constant.

    Args:
        kernel_mul: ratio of neighbouring bandwidths.
        kernel_num: number of kernels.
    """

    def __init__(self, kernel_mul=2.0, kernel_num=5):
        super().__init__()
        self.kernel_mul = kernel_mul
        self.kernel_num = kernel_num

    def gaussian_kernel(self, total):
        n = total.shape[0]
        l2 = (total.unsqueeze(0) - total.unsqueeze(1)).pow(2).sum(dim=2)
        bandwidth = l2.detach().sum() / max(n * n - n, 1)
        bandwidth = (bandwidth / self.kernel_mul ** (self.kernel_num // 2)).clamp(min=1e-12)
        return sum(torch.exp(-l2 / (bandwidth * self.kernel_mul ** i))
                   for i in range(self.kernel_num))

    def forward(self, source, target):
        """source: (N, d), target: (M, d); the sizes can differ"""
        n = source.shape[0]
        kernels = self.gaussian_kernel(torch.cat([source, target], dim=0))
        xx = kernels[:n, :n].mean()
        yy = kernels[n:, n:].mean()
        xy = kernels[:n, n:].mean()
        return xx + yy - 2 * xy
