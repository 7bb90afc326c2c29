"""Losses of real numbers, element by element."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from losskit.core.domains import Positive
from losskit.core.options import option
from losskit.core.regression import RegressionLoss


class MSELoss(RegressionLoss):
    r"""Squares errors, so that large ones dominate; the mean is what it fits."""

    authority = "torch.nn.functional.mse_loss"
    function_name = "mse_loss"
    short_name = "mse"

    def per_element(self, input: Tensor, target: Tensor) -> Tensor:
        return (input - target) ** 2
