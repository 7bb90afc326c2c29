import torch
import torch.nn as nn
import torch.nn.functional as F


class CharbonnierEdgeLoss(nn.Module):
    """Charbonnier loss on the image and on its Laplacian (MPRNet).

    Args:
        edge_weight: weight of the edge term.
        eps: smoothing of the L1 norm.
    """

    def __init__(self, edge_weight=0.05, eps=1e-3):
        super().__init__()
        self.edge_weight = edge_weight
        self.eps = eps
        k = torch.tensor([[0.05, 0.25, 0.4, 0.25, 0.05]])
        self.register_buffer("kernel", (k.t() @ k).view(1, 1, 5, 5))

    def charbonnier(self, x, y):
        return torch.sqrt((x - y).pow(2) + self.eps ** 2).mean()

    def conv_gauss(self, img):
        c = img.shape[1]
        kernel = self.kernel.to(img.dtype).expand(c, 1, 5, 5)
        img = F.pad(img, (2, 2, 2, 2), mode="replicate")
        return F.conv2d(img, kernel, groups=c)

    def laplacian(self, current):
        filtered = self.conv_gauss(current)
        down = filtered[:, :, ::2, ::2]
        up = torch.zeros_like(filtered)
        up[:, :, ::2, ::2] = down * 4
        return current - self.conv_gauss(up)

    def forward(self, restored, target):
        """restored, target: (B, C, H, W)"""
        loss = self.charbonnier(restored, target)
        edge = self.charbonnier(self.laplacian(restored), self.laplacian(target))
        return loss + self.edge_weight * edge
