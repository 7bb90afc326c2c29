"""User-defined losses in a file: `losskit compare --losses "dice, examples/my_losses.py:my_dice(smooth=0.5)"`."""

import torch
from torch import Tensor

import losskit
from losskit import NonNegative, Positive, RegressionLoss, Totals, option


@losskit.region_loss
def my_dice(total: Totals, smooth: NonNegative = 1.0) -> Tensor:
    """Dice loss with smoothing."""
    return 1 - (2 * total.tp + smooth) / (total.pred + total.target + smooth)


class PinballLoss(RegressionLoss):
    """Absolute error with different weights below and above the target."""

    below: Positive = option(default=1.0, doc="weight of errors below the target")
    above: Positive = option(default=1.0, doc="weight of errors above the target")

    def per_element(self, input: Tensor, target: Tensor) -> Tensor:
        return torch.where(input < target, self.below * (target - input), self.above * (input - target))
