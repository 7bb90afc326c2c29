import torch
import torch.nn as nn


class GDL(nn.Module):
    """Generalised Dice (Sudre et al., 2017): a single overlap ratio taken over
    all classes, where every class is weighted by 1 / volume ** 2 of its ground
    truth, so that small organs count as much as large ones.

    net_output: logits (b, c, x, y) or (b, c, x, y, z)
    gt:         labels (b, x, y) or (b, x, y, z)
    """

    def __init__(self, apply_nonlin=True, smooth=1e-5):
        super().__init__()
        self.apply_nonlin = apply_nonlin
        self.smooth = smooth

    def forward(self, net_output, gt):
        if self.apply_nonlin:
            net_output = torch.softmax(net_output, dim=1)
        with torch.no_grad():
            y_onehot = torch.zeros_like(net_output)
            y_onehot.scatter_(1, gt.unsqueeze(1).long(), 1)

        axes = tuple(range(2, net_output.dim()))
        volumes = y_onehot.sum(axes)
        # absent classes get no weight
        w = torch.where(volumes > 0, 1.0 / volumes.clamp(min=1) ** 2, torch.zeros_like(volumes))

        intersection = w * (net_output * y_onehot).sum(axes)
        union = w * (net_output + y_onehot).sum(axes)
        dice = (2.0 * intersection + self.smooth) / (union + self.smooth)
        return 1.0 - dice.mean()
