"""Robust losses of real numbers, with less weight of outliers, and losses of landmarks and heatmaps."""

from __future__ import annotations

import math
from typing import Annotated, Any, ClassVar

import torch
from annotated_types import Ge
from torch import Tensor, nn

from losskit.core.domains import Positive
from losskit.core.means import RegressionLoss
from losskit.core.options import option
from losskit.ops.twins import with_attributes

_NEAR_2 = 1e-12  # shapes closer to 2 than this are treated as 2; the difference is below rounding


class RobustLoss(RegressionLoss):
    r"""General and adaptive robust loss (Barron): quadratic near 0; the lower alpha, the less outliers count.

    .. math:: \rho(z) = \frac{|\alpha - 2|}{\alpha} \left[\left(\frac{z^2}{|\alpha - 2|} + 1\right)^{\alpha / 2} - 1
        \right], \quad z = \frac{x - y}{c}

    and its limits: :math:`z^2 / 2` at 2, :math:`\log(z^2 / 2 + 1)` at 0, :math:`1 - e^{-z^2 / 2}` at :math:`-\infty`
    and :math:`e^{z^2 / 2} - 1` at :math:`\infty`. `learnable=True` makes parameters of alpha, between 0 and 2, and of
    the scale, and adds :math:`\log c + \log Z(\alpha)` with :math:`Z = \int e^{-\rho(z)} dz`, so that the value is the
    negative logarithm of a density; without these terms the scale would grow without bound. `learned()` returns both.
    Pass the module's parameters to an optimizer; the function form has none.

    Source: Barron 2019, "A General and Adaptive Robust Loss Function", arXiv:1701.03077.

    Elsewhere: Barron's own code interpolates log Z by a spline, and keeps alpha between 0.001 and 1.999.

    Example:
        >>> loss = losskit.RobustLoss(alpha=1.0, scale=1.0)
        >>> input = torch.tensor([2.5, 0.0, 2.0])  # (N,)
        >>> target = torch.tensor([3.0, 0.5, 7.0])  # the last an outlier
        >>> loss(input, target)
        tensor(1.4450)
    """

    authority = "its formula in mpmath and values worked by hand"
    also_called = ("barron", "adaptive_robust")

    alpha: float = option(default=1.0, doc="the shape, any number; 2 is L2, 1 Charbonnier, 0 Cauchy, -inf Welsch")
    scale: Positive = option(default=1.0, doc="error scale c, around which the quadratic part ends")
    learnable: bool = option(default=False, doc="learn alpha and the scale, starting from the options")
    log_normalizer: ClassVar[Any] = 0.0  # of the density, if alpha and the scale are learned

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.learnable:
            return
        if not 0 < self.alpha < 2:
            raise ValueError(
                f"{self.name}: learnable=True takes an alpha between 0 and 2, where every density exists; got "
                f"{self.alpha:g}."
            )
        self.shape_shift = nn.Parameter(torch.zeros(()))  # an offset, so that the options' values are exact
        self.scale_shift = nn.Parameter(torch.zeros(()))

    def learned(self) -> tuple[Tensor, Tensor]:
        """The learned alpha and scale, in float64."""
        start = math.log(self.alpha / (2 - self.alpha))
        return 2 * (start + self.shape_shift.double()).sigmoid(), self.scale * self.scale_shift.double().exp()

    def number_tensors(self) -> dict[str, Tensor]:
        if not self.learnable or "log_normalizer" in vars(self):
            return {}
        alpha, scale = self.learned()
        return {"alpha": alpha, "scale": scale, "log_normalizer": scale.log() + log_partition(alpha)}

    def weighed(
        self, *tensors: Tensor, weight: Tensor | None = None, mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        numbers = self.number_tensors()
        if not numbers:
            return super().weighed(*tensors, weight=weight, mask=mask)
        return RegressionLoss.weighed(with_attributes(self, numbers), *tensors, weight=weight, mask=mask)

    def per_element(self, input: Tensor, target: Tensor) -> Tensor:
        z = (input - target) / self.scale
        return _power_form(z, self.alpha) + self.log_normalizer if self.learnable else _barron(z, self.alpha)


def _barron(z: Tensor, alpha: float) -> Tensor:
    half = z * z / 2
    if alpha == 0:
        return half.log1p()
    if math.isinf(alpha):
        if alpha > 0:
            return half.expm1()
        near = half < 0.5  # elsewhere the slope of expm1, which is computed from its value, would be lost
        return torch.where(near, -(-half).expm1(), 1 - (-half).exp())
    return half if abs(alpha - 2) < _NEAR_2 else _power_form(z, alpha)


def _power_form(z: Tensor, alpha: float | Tensor) -> Tensor:
    apart: Any = abs(alpha - 2)
    value: Tensor = apart / alpha * (alpha / 2 * (z * z / apart).log1p()).expm1()
    return value


def log_partition(alpha: Tensor) -> Tensor:
    """log Z(alpha) of Barron's density for alpha between 0 and 2, in float64.

    The trapezoidal rule after the substitution z = sinh(pi / 2 sinh t), with doubly exponential tails.
    """
    step = 1 / 64
    t = torch.arange(0, 4, step, dtype=torch.float64, device=alpha.device)
    inner = math.pi / 2 * t.sinh()
    z, slope = inner.sinh(), math.pi / 2 * t.cosh() * inner.cosh()
    log_terms = slope.log() - _power_form(z, alpha.double())
    log_terms = torch.cat([log_terms[:1] - math.log(2), log_terms[1:]])  # the midpoint of an even function
    return log_terms.logsumexp(0) + math.log(2 * step)


class CauchyLoss(RegressionLoss):
    r"""Cauchy (Lorentzian) loss: the logarithm of the squared error, so that the gradient of far outliers decreases.

    .. math:: \log\left(1 + \frac{1}{2} \left(\frac{x - y}{c}\right)^2\right)

    It is RobustLoss at alpha 0.

    Source: Black and Anandan 1996, "The Robust Estimation of Multiple Motions", CVIU 63, there Lorentzian; this form
    Barron 2019, arXiv:1701.03077.

    Elsewhere: SciPy's `loss="cauchy"` and OpenCV leave out the half inside the logarithm.

    Example:
        >>> loss = losskit.CauchyLoss(scale=1.0)
        >>> input = torch.tensor([2.5, 0.0, 2.0])  # (N,)
        >>> target = torch.tensor([3.0, 0.5, 7.0])  # the last an outlier
        >>> loss(input, target)
        tensor(0.9461)
    """

    authority = "kornia.losses.cauchy_loss and its formula in mpmath"
    also_called = ("lorentzian",)

    scale: Positive = option(default=1.0, doc="error scale c, around which the quadratic part ends")

    def per_element(self, input: Tensor, target: Tensor) -> Tensor:
        return _barron((input - target) / self.scale, 0.0)


class GemanMcClureLoss(RegressionLoss):
    r"""Geman-McClure loss: bounded by 2, with a gradient that decreases with the cube of the error.

    .. math:: \frac{2 z^2}{z^2 + 4}, \quad z = \frac{x - y}{c}

    It is RobustLoss at alpha -2.

    Source: Geman and McClure 1985, "Bayesian image analysis: an application to single photon emission tomography"; this
    form Barron 2019, arXiv:1701.03077.

    Elsewhere: others write z² / (z² + 1), with another scale and half the bound.

    Example:
        >>> loss = losskit.GemanMcClureLoss(scale=1.0)
        >>> input = torch.tensor([2.5, 0.0, 2.0])  # (N,)
        >>> target = torch.tensor([3.0, 0.5, 7.0])  # the last an outlier
        >>> loss(input, target)
        tensor(0.6531)
    """

    authority = "kornia.losses.geman_mcclure_loss and its formula in mpmath"
    also_called = ("geman_mcclure",)
    function_name = "geman_mcclure_loss"
    short_name = "geman_mcclure"

    scale: Positive = option(default=1.0, doc="error scale c, around which the quadratic part ends")

    def per_element(self, input: Tensor, target: Tensor) -> Tensor:
        square = ((input - target) / self.scale) ** 2
        return 2 * square / (square + 4)


class WelschLoss(RegressionLoss):
    r"""Welsch loss: bounded by 1, with a vanishing gradient of far outliers.

    .. math:: 1 - \exp\left(-\frac{1}{2} \left(\frac{x - y}{c}\right)^2\right)

    It is RobustLoss at alpha :math:`-\infty`.

    Source: Dennis and Welsch 1978, "Techniques for nonlinear least squares and robust regression", Communications in
    Statistics B 7; this form Barron 2019, arXiv:1701.03077.

    Elsewhere: Leclerc and correntropy loss are other names for it; statsmodels multiplies by the square of its scale.

    Example:
        >>> loss = losskit.WelschLoss(scale=1.0)
        >>> input = torch.tensor([2.5, 0.0, 2.0])  # (N,)
        >>> target = torch.tensor([3.0, 0.5, 7.0])  # the last an outlier
        >>> loss(input, target)
        tensor(0.4117)
    """

    authority = "kornia.losses.welsch_loss and its formula in mpmath"
    also_called = ("leclerc", "correntropy")

    scale: Positive = option(default=1.0, doc="error scale c, around which the quadratic part ends")

    def per_element(self, input: Tensor, target: Tensor) -> Tensor:
        return _barron((input - target) / self.scale, -math.inf)


class TukeyLoss(RegressionLoss):
    r"""Tukey's biweight loss: half the squared error near 0, constant beyond c.

    .. math:: \frac{c^2}{6} \begin{cases} 1 - \left(1 - (d / c)^2\right)^3 & |d| \le c \\ 1 & \text{else} \end{cases},
        \quad d = x - y

    The default has 95 % of the efficiency of least squares if errors are normal with a standard deviation of 1: divide
    errors by their scale first.

    Source: Beaton and Tukey 1974, "The Fitting of Power Series, Meaning Polynomials, Illustrated on Band-Spectroscopic
    Data", Technometrics 16.

    Elsewhere: bisquare is another name.

    Example:
        >>> loss = losskit.TukeyLoss()
        >>> input = torch.tensor([2.5, 0.0, 2.0])  # (N,)
        >>> target = torch.tensor([3.0, 0.5, 7.0])  # the last an outlier, with no gradient
        >>> loss(input, target)
        tensor(1.3018)
    """

    authority = "its formula in mpmath"
    also_called = ("biweight", "bisquare")

    c: Positive = option(default=4.685, doc="error beyond which the loss is constant")

    def per_element(self, input: Tensor, target: Tensor) -> Tensor:
        error = input - target
        outside = error.abs() > self.c
        square = (torch.where(outside, 0.0, error) / self.c) ** 2
        rise = square * (3 - square * (3 - square))  # 1 - (1 - square)³, without its cancellation
        return torch.where(outside, 1.0, rise) * (self.c**2 / 6)


class WingLoss(RegressionLoss):
    r"""Wing loss of landmarks: logarithmic for small and medium errors, linear for large ones.

    .. math:: \begin{cases} w \log(1 + |d| / \epsilon) & |d| < w \\ |d| - w + w \log(1 + w / \epsilon) & \text{else}
        \end{cases}, \quad d = x - y

    with w the width and epsilon the curvature, in pixels for errors of landmarks. At 0 it is not differentiable; the
    gradient is defined as 0.

    Source: Feng, Kittler, Awais, Huber, Wu 2018, "Wing Loss for Robust Facial Landmark Localisation with Convolutional
    Neural Networks", arXiv:1711.06753.

    Elsewhere: pytorch_toolbelt defaults to width 5 and curvature 0.5.

    Example:
        >>> loss = losskit.WingLoss(width=10.0, curvature=2.0)
        >>> input = torch.tensor([[[100.0, 52.0], [140.0, 80.0]]])  # landmarks in pixels (N, K, 2)
        >>> target = torch.tensor([[[100.0, 50.0], [152.0, 80.0]]])
        >>> loss(input, target)
        tensor(6.7123)
    """

    authority = "its formula in mpmath"

    width: Positive = option(default=10.0, doc="error at which the loss turns from logarithmic to linear")
    curvature: Positive = option(default=2.0, doc="error scale of the logarithm, epsilon in the formula")

    def per_element(self, input: Tensor, target: Tensor) -> Tensor:
        size = (input - target).abs()
        curve = self.width * (size / self.curvature).log1p()
        lift = self.width * math.log1p(self.width / self.curvature) - self.width
        return torch.where(size < self.width, curve, size + lift)


class AdaptiveWingLoss(RegressionLoss):
    r"""Adaptive wing loss of heatmaps: steep where the target is high, flat near 0 on the background.

    .. math:: \begin{cases} \omega \log\left(1 + |d / \epsilon|^{\alpha - y}\right) & |d| < \theta \\ A |d| - C &
        \text{else} \end{cases}, \quad d = x - y

    with A and C such that value and slope are continuous at theta. Targets are heatmaps in [0, 1]. If an error is 0,
    value and derivatives are defined as 0.

    Source: Wang, Bo, Fuxin 2019, "Adaptive Wing Loss for Robust Face Alignment via Heatmap Regression",
    arXiv:1904.07399.

    Elsewhere: the paper multiplies by a map that weights the foreground by 11: pass it as `weight`, which is also part
    of the denominator here.

    Example:
        >>> loss = losskit.AdaptiveWingLoss()
        >>> input = torch.tensor([[0.2, 0.5, 0.8, 0.5, 0.0]])  # a heat map (N, *)
        >>> target = torch.tensor([[0.0, 0.6, 1.0, 0.6, 0.0]])
        >>> loss(input, target)
        tensor(0.7084)
    """

    authority = "its formula in mpmath"
    also_called = ("awing",)

    alpha: Annotated[float, Ge(2)] = option(default=2.1, doc="exponent of small errors where the target is 0")
    omega: Positive = option(default=14.0, doc="factor of the logarithm")
    epsilon: Positive = option(default=1.0, doc="error scale of the logarithm")
    theta: Positive = option(default=0.5, doc="error at which the loss turns from logarithmic to linear")

    def per_element(self, input: Tensor, target: Tensor) -> Tensor:
        size = (input - target).abs()
        power = self.alpha - target
        some = size > 0
        ratio = torch.where(some, size, self.epsilon) / self.epsilon
        curve = torch.where(some, self.omega * (power * ratio.log()).exp().log1p(), 0.0)
        bend = (power * math.log(self.theta / self.epsilon)).exp()  # (theta / epsilon)^(alpha - y)
        slope = self.omega * power / self.theta * bend / (1 + bend)
        line = slope * (size - self.theta) + self.omega * bend.log1p()
        return torch.where(size < self.theta, curve, line)


class BalancedL1Loss(RegressionLoss):
    r"""Balanced L1 loss (Libra R-CNN): larger gradients of small errors, and gradients of at most gamma.

    .. math:: \begin{cases} \frac{\alpha}{b} (b |d| + \beta) \log\left(1 + \frac{b |d|}{\beta}\right) - \alpha |d| &
        |d| < \beta \\ \gamma |d| + \gamma \beta / b - \alpha \beta & \text{else} \end{cases},
        \quad \alpha \log(1 + b) = \gamma

    It is the integral of the gradient :math:`\alpha \log(1 + b |d| / \beta)`, at most gamma, for every beta.

    Source: Pang, Chen, Shi, Feng, Ouyang, Lin 2019, "Libra R-CNN: Towards Balanced Learning for Object Detection",
    arXiv:1904.02701.

    Elsewhere: mmdet's equals this at beta 1 only; at other values its slope has a jump.

    Example:
        >>> loss = losskit.BalancedL1Loss()
        >>> input = torch.tensor([[0.1, 0.2, -0.1, 2.0]])  # offsets of a box (N, 4)
        >>> target = torch.tensor([[0.0, 0.0, 0.0, 0.0]])
        >>> loss(input, target)
        tensor(0.6849)
    """

    authority = "its formula in mpmath"
    also_called = ("libra",)

    alpha: Positive = option(default=0.5, doc="gradient factor of small errors")
    gamma: Positive = option(default=1.5, doc="slope of large errors")
    beta: Positive = option(default=1.0, doc="error at which the loss turns linear")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.gamma / self.alpha > 80:
            raise ValueError(
                f"{self.name}: gamma / alpha must be at most 80, since b is its exponential; got gamma={self.gamma:g} "
                f"and alpha={self.alpha:g}. Raise alpha."
            )

    def per_element(self, input: Tensor, target: Tensor) -> Tensor:
        size = (input - target).abs()
        b = math.expm1(self.gamma / self.alpha)
        curve = self.alpha / b * (b * size + self.beta) * (b / self.beta * size).log1p() - self.alpha * size
        line = self.gamma * size + (self.gamma / b - self.alpha) * self.beta
        return torch.where(size < self.beta, curve, line)
