import torch
import torch.nn as nn
import torch.nn.functional as F


class GradientLoss(nn.Module):
    """L1 distance between the Sobel gradients of prediction and target.

    Works on one-channel maps (N, 1, H, W). Use .to(device), .double() or
    .half() on the module as usual.
    """

    def __init__(self):
        super().__init__()
        k = torch.tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]])
        self.kx = k.view(1, 1, 3, 3)
        self.ky = k.t().reshape(1, 1, 3, 3)

    def forward(self, pred, target):
        gx = F.conv2d(pred, self.kx) - F.conv2d(target, self.kx)
        gy = F.conv2d(pred, self.ky) - F.conv2d(target, self.ky)
        return gx.abs().mean() + gy.abs().mean()
