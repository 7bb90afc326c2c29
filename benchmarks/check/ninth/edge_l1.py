import torch
import torch.nn as nn
import torch.nn.functional as F


class EdgeL1(nn.Module):
    """L1 distance of the Sobel edge maps of two images.

    The edge map is the gradient magnitude, from horizontal and vertical Sobel
    derivatives of every channel: ``sqrt(gx**2 + gy**2 + eps)``.

    Args:
        eps (float): keeps the square root differentiable. Default: 1e-6

    Shape:
        - sr, hr: (N, C, H, W)
    """

    def __init__(self, eps=1e-6):
        super().__init__()
        kernel_x = torch.tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]])
        kernel_y = torch.tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]])
        self.register_buffer("kernels", torch.stack([kernel_x, kernel_y]).unsqueeze(1))
        self.eps = eps

    def edges(self, img):
        n, c, h, w = img.shape
        g = F.conv2d(img.reshape(n * c, 1, h, w), self.kernels.to(img.dtype), padding=1)
        return torch.sqrt(g[:, 0] ** 2 + g[:, 1] ** 2 + self.eps)

    def forward(self, sr, hr):
        return F.l1_loss(self.edges(sr), self.edges(hr))
