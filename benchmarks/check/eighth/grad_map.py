import torch
import torch.nn as nn
import torch.nn.functional as F


class GradientMapLoss(nn.Module):
    """L1 distance between the gradient magnitudes of two images.

    Gradients are computed with 3x3 Sobel filters (divided by 8) for every channel
    separately; the magnitude is the Euclidean norm of the two components.

    Args:
        weight: factor of the loss, e.g. when added to a pixel loss.

    Shape: pred and target are (N, C, H, W).
    """

    def __init__(self, weight: float = 1.0):
        super().__init__()
        self.weight = weight
        kx = torch.tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]]) / 8.0
        self.register_buffer("kernels", torch.stack([kx, kx.t()]).unsqueeze(1))

    def gradient_map(self, x: torch.Tensor) -> torch.Tensor:
        n, c, h, w = x.shape
        g = F.conv2d(x.reshape(n * c, 1, h, w), self.kernels.to(x), padding=1)
        return torch.sqrt(torch.sum(g ** 2, dim=1)).reshape(n, c, h, w)

    def forward(self, pred: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return self.weight * F.l1_loss(self.gradient_map(pred), self.gradient_map(target))
