import torch
import torch.nn as nn
import torch.nn.functional as F


class CharbonnierLoss(nn.Module):
    """L1 Charbonnier loss."""

    def __init__(self, eps=1e-3):
        super(CharbonnierLoss, self).__init__()
        self.eps = eps

    def forward(self, x, y):
        diff = x - y
        return torch.mean(torch.sqrt((diff * diff) + (self.eps * self.eps)))


class EdgeLoss(nn.Module):
    def __init__(self):
        super(EdgeLoss, self).__init__()
        k = torch.tensor([[.05, .25, .4, .25, .05]])
        self.register_buffer('kernel', torch.matmul(k.t(), k)[None, None])
        self.loss = CharbonnierLoss()

    def conv_gauss(self, img):
        n_channels = img.shape[1]
        kernel = self.kernel.to(img.dtype).expand(n_channels, 1, 5, 5)
        img = F.pad(img, (2, 2, 2, 2), mode='replicate')
        return F.conv2d(img, kernel, groups=n_channels)

    def laplacian_kernel(self, current):
        filtered = self.conv_gauss(current)
        down = filtered[:, :, ::2, ::2]
        new_filter = torch.zeros_like(filtered)
        new_filter[:, :, ::2, ::2] = down * 4
        filtered = self.conv_gauss(new_filter)
        return current - filtered

    def forward(self, x, y):
        return self.loss(self.laplacian_kernel(x), self.laplacian_kernel(y))


class RestorationLoss(nn.Module):
    """charbonnier + 0.05 * edge + 0.01 * fft, for a list of stage outputs against one target"""

    def __init__(self, w_edge=0.05, w_fft=0.01):
        super().__init__()
        self.char = CharbonnierLoss()
        self.edge = EdgeLoss()
        self.w_edge = w_edge
        self.w_fft = w_fft

    def fft_l1(self, x, y):
        diff = torch.fft.rfft2(x) - torch.fft.rfft2(y)
        return torch.view_as_real(diff).abs().mean()

    def forward(self, restored, target):
        if torch.is_tensor(restored):
            restored = [restored]
        loss = 0
        for r in restored:
            loss = loss + self.char(r, target) + self.w_edge * self.edge(r, target) + self.w_fft * self.fft_l1(r, target)
        return loss
