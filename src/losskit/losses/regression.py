"""Losses of real numbers, element by element."""

from __future__ import annotations

import math
import numbers
from typing import Any

import torch
from torch import Tensor

from losskit.core.contract import check_equal, check_floating, check_real, elementwise
from losskit.core.domains import NonNegative, Positive
from losskit.core.means import ElementLoss, RegressionLoss
from losskit.core.options import option
from losskit.core.shortcuts import closed
from losskit.ops import closed_pairs
from losskit.ops.closed_forms import Found
from losskit.ops.columns import Difference
from losskit.ops.values import mark


class MSELoss(RegressionLoss):
    r"""Squares errors, so that large ones dominate; the best constant prediction is the mean.

    .. math:: (x - y)^2

    Source: Gauss 1809, least squares.

    Elsewhere: optax's `l2_loss` is half of it.
    """

    authority = "torch.nn.functional.mse_loss"
    function_name = "mse_loss"
    short_name = "mse"

    def difference(self) -> Difference:
        return Difference(scale=2.0)


class L1Loss(RegressionLoss):
    r"""Takes errors as they are, so that outliers count no more than their size; the best constant is the median.

    .. math:: |x - y|

    Source: Laplace and Boscovich, least absolute deviations, 18th century.

    Elsewhere: MAE and mean absolute error are other names for it.
    """

    authority = "torch.nn.functional.l1_loss"
    also_called = ("mae",)

    def difference(self) -> Difference:
        return Difference(limit=0.0)


class SmoothL1Loss(RegressionLoss):
    r"""Squares small errors and takes large ones as they are, with slope 1 beyond beta.

    .. math:: \begin{cases} (x - y)^2 / (2 \beta) & |x - y| < \beta \\ |x - y| - \beta / 2 & \text{else} \end{cases}

    It is the Huber loss divided by its delta; beta 0 is L1.

    Source: Girshick 2015, Fast R-CNN, arXiv:1504.08083.

    Elsewhere: in many tutorials "Huber" and "smooth L1" mean each other; they agree at beta = delta = 1 only.
    """

    authority = "torch.nn.functional.smooth_l1_loss"

    beta: NonNegative = option(default=1.0, doc="the error at which the parabola turns into a line; 0 is L1")

    def difference(self) -> Difference:
        return Difference(1 / self.beta if self.beta else 1.0, self.beta)


class HuberLoss(RegressionLoss):
    r"""Squares small errors and takes large ones linearly, with slope delta, so that outliers pull no harder.

    .. math:: \begin{cases} (x - y)^2 / 2 & |x - y| < \delta \\ \delta\,(|x - y| - \delta / 2) & \text{else} \end{cases}

    Source: Huber 1964, "Robust Estimation of a Location Parameter", Annals of Mathematical Statistics 35.

    Elsewhere: SmoothL1Loss divides this by delta.
    """

    authority = "torch.nn.functional.huber_loss"

    delta: Positive = option(default=1.0, doc="the error at which the parabola turns into a line")

    def difference(self) -> Difference:
        return Difference(limit=self.delta)


class LogCoshLoss(RegressionLoss):
    r"""Squares small errors and takes large ones linearly, with derivatives of every order; the slope is tanh.

    .. math:: \log \cosh (x - y)

    Near 0 it is half the squared error; far from it, the absolute error less log 2. No unit fits every target: scale
    them first, as errors turn linear around 1.

    Source: Green 1990, "Bayesian reconstructions from emission tomography data using a modified EM algorithm", IEEE
    Transactions on Medical Imaging 9.

    Elsewhere: Keras's `log_cosh` is the same.
    """

    authority = "its formula in mpmath"
    also_called = ("logcosh",)

    def per_element(self, input: Tensor, target: Tensor) -> Tensor:
        error = input - target
        size = error.abs()
        near = size < 1  # where the difference of large terms would lose what is small
        half = error.where(near, 0.0) / 2
        return torch.where(near, torch.log1p(2 * half.sinh() ** 2), size + torch.log1p((-2 * size).exp()) - math.log(2))


class CharbonnierLoss(RegressionLoss):
    r"""Takes errors as they are, but rounds the corner at 0, so that the gradient goes to 0 with the error.

    .. math:: \sqrt{(x - y)^2 + \epsilon^2}

    The least value is eps, not 0. Errors, eps and the value have one unit.

    Source: Charbonnier, Blanc-Feraud, Aubert, Barlaud 1994, "Two deterministic half-quadratic regularization algorithms
    for computed imaging", ICIP.

    Elsewhere: others subtract eps, add eps where this adds its square, or raise to another power than 1/2; pseudo-Huber
    is delta times this with eps = delta, less the square of delta.
    """

    authority = "its formula in mpmath"

    eps: Positive = option(default=1e-3, doc="the error below which the corner is rounded")

    def per_element(self, input: Tensor, target: Tensor) -> Tensor:
        return ((input - target) ** 2 + self.eps**2).sqrt()


class GaussianNLLLoss(ElementLoss):
    r"""Learns a mean and a variance: errors count by the variance predicted for them, and variance has its price.

    .. math:: \frac{1}{2} \left(\log v + \frac{(x - y)^2}{v}\right), \quad v = \max(\text{var}, \epsilon)

    and :math:`\frac{1}{2} \log 2 \pi` besides, if `full`. The gradient passes through the maximum, so that a variance
    below eps still learns.

    Source: Nix and Weigend 1994, "Estimating the mean and variance of the target probability distribution", ICNN.

    Elsewhere: many models predict log variance: pass its exponential.
    """

    authority = "torch.nn.functional.gaussian_nll_loss"
    function_name = "gaussian_nll_loss"
    shapes = (
        "input and target of one shape; var of the same, with size 1 or without its last dimension where one variance "
        "serves several elements, or a number."
    )

    full: bool = option(default=False, doc="include the constant")
    eps: Positive = option(default=1e-6, doc="the least variance")

    shortcut = closed

    def closed_form(self, input: Tensor, target: Tensor, var: Tensor, *, derive: bool) -> Found | None:
        if not closed_pairs.are_alike(input, target, var):
            return None
        return closed_pairs.gaussian_nll(input, target, var, self.eps, self.full, derive)

    def weighed(self, *tensors: Any, weight: Tensor | None = None, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        input, target, var = tensors
        if isinstance(input, Tensor):
            if isinstance(var, numbers.Real):
                var = torch.as_tensor(float(var), dtype=input.dtype, device=input.device)
            if isinstance(var, Tensor) and input.dim() and var.shape in ((), input.shape[:-1]):
                var = var.reshape(*var.shape, *(1,) * (input.dim() - var.dim()))  # one for all, or for each row
        return super().weighed(input, target, var, weight=weight, mask=mask)

    def check(self, *tensors: Tensor) -> None:
        input, target, var = tensors
        check_floating(self.name, "input", input)
        check_real(self.name, "target", target)
        check_equal(self.name, {"input": input, "target": target})
        elementwise(self.name, "var", var, input.shape)

    def per_element(self, input: Tensor, target: Tensor, var: Tensor) -> Tensor:
        floored = var + (var.clamp_min(self.eps) - var).detach()
        value = (floored.log() + (input - target) ** 2 / floored) / 2
        if self.full:
            value = value + math.log(2 * math.pi) / 2
        return mark(
            value,
            var < 0,
            var,
            f"{self.name}: var holds {{value}}, but a variance is not negative. If the model predicts its logarithm, "
            "pass var.exp(); else make it positive, for example with softplus.",
        )


class PoissonNLLLoss(RegressionLoss):
    r"""Learns the rate of counts: an error costs less where the rate is high, as counts scatter more there.

    .. math:: \lambda - y \log(\lambda + \epsilon), \quad \text{or } e^x - x y \text{ for } x = \log \lambda

    up to :math:`\log y!`, which `full` adds by Stirling's formula :math:`y \log y - y + \frac{1}{2} \log 2 \pi y` where
    y > 1.

    Source: Poisson regression, Nelder and Wedderburn 1972, "Generalized Linear Models", JRSS A 135.

    Elsewhere: Keras's Poisson takes the rate, not its logarithm.
    """

    authority = "torch.nn.functional.poisson_nll_loss"
    function_name = "poisson_nll_loss"

    log_input: bool = option(default=True, doc="whether the input holds log rates; False: rates")
    full: bool = option(default=False, doc="include the Stirling approximation of the target's own term")
    eps: Positive = option(default=1e-8, doc="added to a rate before its logarithm (log_input=False)")

    def per_element(self, input: Tensor, target: Tensor) -> Tensor:
        log_rate = input if self.log_input else (input + self.eps).log()
        value = (input.exp() if self.log_input else input) - target * log_rate
        if self.full:
            several = target > 1
            y = torch.where(several, target, 2.0)
            value = value + torch.where(several, y * y.log() - y + (2 * math.pi * y).log() / 2, 0.0)
        if self.log_input:
            return value
        return mark(
            value,
            input < 0,
            input,
            f"{self.name}: input holds {{value}}, but log_input=False takes rates, which are not negative. If it holds "
            "log rates, leave log_input out.",
        )
