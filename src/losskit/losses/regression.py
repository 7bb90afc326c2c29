"""Element-wise losses of real numbers."""

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
from losskit.losses.shortcuts import ClosedForm
from losskit.ops import closed_pairs
from losskit.ops.closed_forms import Found
from losskit.ops.columns import Difference
from losskit.ops.values import mark


class MSELoss(RegressionLoss):
    r"""Mean squared error (MSE, L2): squared differences; the best constant prediction is the mean.

    .. math:: (x - y)^2

    Source: Gauss 1809, least squares.

    Elsewhere: optax's `l2_loss` is half of it.

    Example:
        >>> loss = losskit.MSELoss()
        >>> input = torch.tensor([2.5, 0.0, 2.0])  # (N,)
        >>> target = torch.tensor([3.0, 0.5, 7.0])
        >>> loss(input, target)
        tensor(8.5000)
    """

    authority = "torch.nn.functional.mse_loss"
    function_name = "mse_loss"
    short_name = "mse"

    def difference(self) -> Difference:
        return Difference(scale=2.0)


class L1Loss(RegressionLoss):
    r"""Mean absolute error (MAE, L1): absolute differences; the best constant prediction is the median.

    .. math:: |x - y|

    Source: Laplace and Boscovich, least absolute deviations, 18th century.

    Elsewhere: MAE and mean absolute error are other names.

    Example:
        >>> loss = losskit.L1Loss()
        >>> input = torch.tensor([2.5, 0.0, 2.0])  # (N,)
        >>> target = torch.tensor([3.0, 0.5, 7.0])
        >>> loss(input, target)
        tensor(2.)
    """

    authority = "torch.nn.functional.l1_loss"
    also_called = ("mae",)

    def difference(self) -> Difference:
        return Difference(limit=0.0)


class SmoothL1Loss(RegressionLoss):
    r"""Smooth L1 loss: quadratic for errors below beta, linear with slope 1 beyond.

    .. math:: \begin{cases} (x - y)^2 / (2 \beta) & |x - y| < \beta \\ |x - y| - \beta / 2 & \text{else} \end{cases}

    It equals the Huber loss divided by its delta; beta 0 is L1.

    Source: Girshick 2015, Fast R-CNN, arXiv:1504.08083.

    Elsewhere: many tutorials confuse "Huber" and "smooth L1"; they agree at beta = delta = 1 only.

    Example:
        >>> loss = losskit.SmoothL1Loss(beta=1.0)
        >>> input = torch.tensor([2.5, 0.0, 2.0])  # (N,)
        >>> target = torch.tensor([3.0, 0.5, 7.0])
        >>> loss(input, target)
        tensor(1.5833)
    """

    authority = "torch.nn.functional.smooth_l1_loss"

    beta: NonNegative = option(default=1.0, doc="error at which the loss turns from quadratic to linear; 0 is L1")

    def difference(self) -> Difference:
        return Difference(1 / self.beta if self.beta else 1.0, self.beta)


class HuberLoss(RegressionLoss):
    r"""Huber loss: quadratic for errors below delta, linear with slope delta beyond, robust to outliers.

    .. math:: \begin{cases} (x - y)^2 / 2 & |x - y| < \delta \\ \delta\,(|x - y| - \delta / 2) & \text{else} \end{cases}

    Source: Huber 1964, "Robust Estimation of a Location Parameter", Annals of Mathematical Statistics 35.

    Elsewhere: SmoothL1Loss divides this by delta.

    Example:
        >>> loss = losskit.HuberLoss(delta=2.0)
        >>> input = torch.tensor([2.5, 0.0, 2.0])  # (N,)
        >>> target = torch.tensor([3.0, 0.5, 7.0])  # the last an outlier
        >>> loss(input, target)
        tensor(2.7500)
    """

    authority = "torch.nn.functional.huber_loss"

    delta: Positive = option(default=1.0, doc="error at which the loss turns from quadratic to linear")

    def difference(self) -> Difference:
        return Difference(limit=self.delta)


class LogCoshLoss(RegressionLoss):
    r"""Log-cosh loss: quadratic for small errors, linear for large ones, with derivatives of every order.

    .. math:: \log \cosh (x - y)

    Near 0 it is half the squared error; far from 0, the absolute error minus log 2. Its gradient is tanh. Errors turn
    linear around 1 in any unit, so scale the targets first.

    Source: Green 1990, "Bayesian reconstructions from emission tomography data using a modified EM algorithm", IEEE
    Transactions on Medical Imaging 9.

    Elsewhere: Keras's `log_cosh` is the same.

    Example:
        >>> loss = losskit.LogCoshLoss()
        >>> input = torch.tensor([2.5, 0.0, 2.0])  # (N,)
        >>> target = torch.tensor([3.0, 0.5, 7.0])
        >>> loss(input, target)
        tensor(1.5157)
    """

    authority = "its formula in mpmath"
    also_called = ("logcosh",)

    def per_element(self, input: Tensor, target: Tensor) -> Tensor:
        error = input - target
        size = error.abs()
        near = size < 1  # where the difference of large terms loses small values
        half = error.where(near, 0.0) / 2
        return torch.where(near, torch.log1p(2 * half.sinh() ** 2), size + torch.log1p((-2 * size).exp()) - math.log(2))


class CharbonnierLoss(RegressionLoss):
    r"""Charbonnier loss: a smooth absolute error, whose gradient vanishes at 0.

    .. math:: \sqrt{(x - y)^2 + \epsilon^2}

    The minimum is eps, not 0. Errors, eps and the value have the same unit.

    Source: Charbonnier, Blanc-Feraud, Aubert, Barlaud 1994, "Two deterministic half-quadratic regularization algorithms
    for computed imaging", ICIP.

    Elsewhere: others subtract eps, add eps instead of its square, or raise to another power than 1/2; pseudo-Huber is
    delta times this with eps = delta, minus the square of delta.

    Example:
        >>> loss = losskit.CharbonnierLoss(eps=0.5)
        >>> input = torch.tensor([2.5, 0.0, 2.0])  # (N,)
        >>> target = torch.tensor([3.0, 0.5, 7.0])
        >>> loss(input, target)
        tensor(2.1464)
    """

    authority = "its formula in mpmath"

    eps: Positive = option(default=1e-3, doc="error below which the loss is rounded at 0")

    def per_element(self, input: Tensor, target: Tensor) -> Tensor:
        return ((input - target) ** 2 + self.eps**2).sqrt()


class GaussianNLLLoss(ClosedForm, ElementLoss):
    r"""Gaussian negative log-likelihood: learns a mean and a variance; squared errors are divided by the variance.

    .. math:: \frac{1}{2} \left(\log v + \frac{(x - y)^2}{v}\right), \quad v = \max(\text{var}, \epsilon)

    plus :math:`\frac{1}{2} \log 2 \pi` if `full`. The gradient passes through the maximum, so that a variance below eps
    is still trained.

    Source: Nix and Weigend 1994, "Estimating the mean and variance of the target probability distribution", ICNN.

    Elsewhere: many models predict log variance: pass its exponential.

    Example:
        >>> loss = losskit.GaussianNLLLoss()
        >>> input, target = torch.tensor([1.0, 2.0]), torch.tensor([1.0, 4.0])  # (N,)
        >>> var = torch.tensor([0.25, 4.0])  # the predicted variance of each
        >>> loss(input, target, var)
        tensor(0.2500)
    """

    authority = "torch.nn.functional.gaussian_nll_loss"
    function_name = "gaussian_nll_loss"
    shapes = (
        "input and target of one shape; var of the same, with size 1 or without its last dimension where one variance "
        "applies to several elements, or a number."
    )

    full: bool = option(default=False, doc="include the constant")
    eps: Positive = option(default=1e-6, doc="minimum variance")

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
    r"""Poisson negative log-likelihood: learns the rate of counts; errors weigh less at high rates.

    .. math:: \lambda - y \log(\lambda + \epsilon), \quad \text{or } e^x - x y \text{ for } x = \log \lambda

    up to :math:`\log y!`, which `full` adds by Stirling's formula :math:`y \log y - y + \frac{1}{2} \log 2 \pi y` where
    y > 1.

    Source: Poisson regression, Nelder and Wedderburn 1972, "Generalized Linear Models", JRSS A 135.

    Elsewhere: Keras's Poisson takes the rate, not its logarithm.

    Example:
        >>> loss = losskit.PoissonNLLLoss()
        >>> input = torch.tensor([2.0, 5.0]).log()  # logarithms of rates (N,)
        >>> target = torch.tensor([2.0, 4.0])  # counts
        >>> loss(input, target)
        tensor(-0.4120)
    """

    authority = "torch.nn.functional.poisson_nll_loss"
    function_name = "poisson_nll_loss"

    log_input: bool = option(default=True, doc="whether the input contains log rates; False: rates")
    full: bool = option(default=False, doc="include Stirling's approximation of log y!")
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
