"""Losses of your own in a file: `losskit compare --losses "dice, examples/my_losses.py:my_dice(smooth=0.5)"`."""

import torch
from torch import Tensor

import losskit
from losskit import NonNegative, Positive, RegressionLoss, Totals, option


@losskit.region_loss
def my_dice(total: Totals, smooth: NonNegative = 1.0) -> Tensor:
    """Dice with a smoothing of its own."""
    return 1 - (2 * total.tp + smooth) / (total.pred + total.target + smooth)


class PinballLoss(RegressionLoss):
    """Charges errors below the target more than errors above it, or less."""

    below: Positive = option(default=1.0, doc="price of predicting one too little")
    above: Positive = option(default=1.0, doc="price of predicting one too much")

    def per_element(self, input: Tensor, target: Tensor) -> Tensor:
        return torch.where(input < target, self.below * (target - input), self.above * (input - target))
