import torch
import torch.nn as nn


class NucleiDice(nn.Module):
    """Soft Dice loss for nuclei masks, note the argument order (target, input).

    One Dice coefficient per image, ``(2 * |A.B| + s) / (|A|^2 + |B|^2 + s)``
    with squared terms in the denominator as in V-Net. Returns ``1 - dice``
    averaged over the images, or one value per image.

    Args:
        s (float): smoothing, also makes an empty prediction of an empty mask
            cost 0. Default: 1.0
        per_image (bool): return the (N,) vector instead of its mean

    Shape:
        - target: (N, H, W) in {0, 1}
        - input: (N, H, W) logits
    """

    def __init__(self, s=1.0, per_image=False):
        super().__init__()
        self.s = s
        self.per_image = per_image

    def forward(self, target, input):
        a = torch.sigmoid(input).flatten(1)
        b = target.flatten(1).to(a.dtype)
        dice = (2 * (a * b).sum(1) + self.s) / ((a * a).sum(1) + (b * b).sum(1) + self.s)
        loss = 1 - dice
        return loss if self.per_image else loss.mean()
