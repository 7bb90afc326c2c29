import math

import torch
import torch.nn as nn
import torch.nn.functional as F


class ScaledLogCosh(nn.Module):
    """Smooth robust regression loss, ``s^2 * log(cosh((y - f) / s))``.

    Quadratic (``e^2 / 2``) for errors well below the scale ``s``, linear
    with slope ``s`` far above it.

    Args:
        s: transition scale.

    The targets are the first argument, as in scikit-learn. Both arguments have
    the same shape.
    """

    def __init__(self, s: float = 1.0):
        super().__init__()
        self.s = s

    def forward(self, y: torch.Tensor, f: torch.Tensor) -> torch.Tensor:
        z = (y - f) / self.s
        return (z + F.softplus(-2 * z) - math.log(2)).mean() * self.s ** 2
