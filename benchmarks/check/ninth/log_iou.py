import torch
import torch.nn as nn


class LogIoU(nn.Module):
    """Negative logarithm of the soft IoU, summed over the batch.

    ``sum_i -log((I_i + s) / (U_i + s))`` where I and U are the soft intersection
    and union of image i. As the sum is taken, scale the learning rate with the
    batch size.

    Args:
        s (float): smoothing, positive. Default: 1.0

    Shape:
        - p: (N, H, W) probabilities
        - m: (N, H, W) masks
    """

    def __init__(self, s=1.0):
        super().__init__()
        self.s = s

    def forward(self, p, m):
        p, m = p.flatten(1), m.flatten(1).to(p.dtype)
        inter = (p * m).sum(-1)
        union = (p + m - p * m).sum(-1)
        return (torch.log(union + self.s) - torch.log(inter + self.s)).sum()
