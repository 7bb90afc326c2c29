import torch
import torch.nn as nn


class TotalVariation(nn.Module):
    """Isotropic total variation of an image batch.

    ``sum sqrt(dx^2 + dy^2 + eps^2)`` over the pixels that have a right and a
    lower neighbour and over the channels, averaged over the batch. ``eps``
    rounds off the kink of the norm, a flat image has the value
    ``eps * C * (H - 1) * (W - 1)``.

    Args:
        weight: factor of the penalty.
        eps: rounding, in units of the image values.
    """

    def __init__(self, weight: float = 1.0, eps: float = 1e-3):
        super().__init__()
        self.weight = weight
        self.eps = eps

    def forward(self, img: torch.Tensor) -> torch.Tensor:
        """img: (N, C, H, W)"""
        dx = img[:, :, :-1, 1:] - img[:, :, :-1, :-1]
        dy = img[:, :, 1:, :-1] - img[:, :, :-1, :-1]
        tv = torch.sqrt(dx ** 2 + dy ** 2 + self.eps ** 2)
        return self.weight * tv.sum() / img.size(0)
