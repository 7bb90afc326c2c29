"""Losses of real numbers, element by element."""

from __future__ import annotations

from torch import Tensor

from losskit.core.regression import RegressionLoss


class MSELoss(RegressionLoss):
    r"""Squares errors, so that large ones dominate; the best constant prediction is the mean.

    .. math:: (x - y)^2

    Source: Gauss 1809, least squares.

    Elsewhere: optax's `l2_loss` is half of it.
    """

    authority = "torch.nn.functional.mse_loss"
    function_name = "mse_loss"
    short_name = "mse"

    def per_element(self, input: Tensor, target: Tensor) -> Tensor:
        return (input - target) ** 2
