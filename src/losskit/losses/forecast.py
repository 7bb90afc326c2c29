"""Losses of forecasts: quantiles, relative errors, deviances of positive numbers and ensemble scores."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated

import torch
from annotated_types import Ge, Interval
from torch import Tensor

from losskit.core.contract import check_equal, check_floating, check_real, shape, weight_and_mask
from losskit.core.means import MeanLoss, RegressionLoss
from losskit.core.options import option
from losskit.core.sums import weighted
from losskit.ops.inputs import computing_dtype
from losskit.ops.values import mark

_Share = Annotated[float, Interval(gt=0, lt=1)]


class QuantileLoss(RegressionLoss):
    r"""Quantile (pinball) loss: absolute errors weighted by q for predictions too low, by 1 - q for those too high.

    .. math:: \max(q\,(y - x),\ (q - 1)\,(y - x))

    The best constant prediction is the q-quantile. For several quantiles at once, `quantiles=[0.1, 0.5, 0.9]`, the
    input contains one prediction for each in its last dimension, (N, \*, Q), the target has the shape (N, \*), and the
    value is the mean over Q. At error 0 the gradient is the mean of both one-sided slopes.

    Source: Koenker and Bassett 1978, "Regression Quantiles", Econometrica 46.

    Elsewhere: others sum over the quantiles, or multiply by 2, so that q = 0.5 is the absolute error.

    Example:
        >>> loss = losskit.QuantileLoss(quantiles=[0.1, 0.5, 0.9])
        >>> input = torch.tensor([[8.0, 10.0, 12.0]])  # a prediction of each quantile (N, Q)
        >>> target = torch.tensor([11.0])  # (N,)
        >>> loss(input, target)
        tensor(0.3000)
    """

    authority = "its formula in mpmath"
    also_called = ("pinball",)
    shapes = (
        "input and target of one shape, or input (N, *, Q) and target (N, *) for Q quantiles; weight and mask of the "
        "target's shape, with size 1 where they repeat."
    )

    quantiles: _Share | Sequence[_Share] = option(default=0.5, doc="the quantile to predict, or a list of them")

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.quantiles, Sequence):
            if not self.quantiles:
                raise ValueError(f"{self.name}: quantiles must name at least one number between 0 and 1; got none.")
            self.planned = False  # type: ignore[misc] # input and target differ in shape

    def per_element(self, input: Tensor, target: Tensor) -> Tensor:
        error = target - input
        return torch.maximum(self.quantiles * error, (self.quantiles - 1) * error)  # type: ignore[operator]

    def weighed(
        self, *tensors: Tensor, weight: Tensor | None = None, mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        if not isinstance(self.quantiles, Sequence):
            return super().weighed(*tensors, weight=weight, mask=mask)
        input, target = tensors
        check_floating(self.name, "input", input)
        check_real(self.name, "target", target)
        if tuple(input.shape) != (*target.shape, len(self.quantiles)):
            raise ValueError(
                f"{self.name}: input has shape {shape(input)}, but target {shape(target)} and {len(self.quantiles)} "
                f"quantiles take an input of shape {(*target.shape, len(self.quantiles))}. Give one prediction for "
                "each quantile in the last dimension."
            )
        weight, mask = weight_and_mask(self.name, weight, mask, target.shape)
        dtype = computing_dtype(input)
        input, target = input.to(dtype), target.to(dtype).unsqueeze(-1)
        if mask is not None:
            input, target = input.where(mask.unsqueeze(-1), 0.0), target.where(mask.unsqueeze(-1), 0.0)
        error = target - input
        q = torch.tensor(self.quantiles, dtype=dtype, device=input.device)
        return weighted(torch.maximum(q * error, (q - 1) * error).mean(-1), weight, mask)


class ExpectileLoss(RegressionLoss):
    r"""Expectile loss: squared errors weighted by tau for predictions too low, by 1 - tau for those too high.

    .. math:: \begin{cases} \tau\,(y - x)^2 & x < y \\ (1 - \tau)\,(y - x)^2 & \text{else} \end{cases}

    The best constant prediction is the tau-expectile. At 0.5 the loss is half the squared error.

    Source: Newey and Powell 1987, "Asymmetric Least Squares Estimation and Testing", Econometrica 55.

    Elsewhere: implicit Q-learning (Kostrikov, Nair, Levine 2021, arXiv:2110.06169) uses it with tau above 0.5.

    Example:
        >>> loss = losskit.ExpectileLoss(tau=0.9)
        >>> input = torch.tensor([10.0, 10.0])  # (N,)
        >>> target = torch.tensor([12.0, 9.0])
        >>> loss(input, target)
        tensor(1.8500)
    """

    authority = "its formula in mpmath"

    tau: _Share = option(default=0.5, doc="the expectile to predict; above 0.5, predictions too low weigh more")

    def per_element(self, input: Tensor, target: Tensor) -> Tensor:
        error = target - input
        return torch.where(error > 0, self.tau * error**2, (1 - self.tau) * error**2)


class MSLELoss(RegressionLoss):
    r"""Mean squared logarithmic error (MSLE): the squared difference of log(1 + x), for relative errors.

    .. math:: (\log(1 + x) - \log(1 + y))^2

    Inputs and targets must be above -1. Predictions that are too low weigh more than those too high.

    Source: the score of forecasting competitions, its root named RMSLE.

    Elsewhere: Keras clamps both at 1e-7 first, so its zeros are not exactly zero.

    Example:
        >>> loss = losskit.MSLELoss()
        >>> input = torch.tensor([9.0, 99.0])  # (N,)
        >>> target = torch.tensor([4.0, 49.0])  # 1 + input is twice 1 + target
        >>> loss(input, target)
        tensor(0.4805)
    """

    authority = "its formula in mpmath"
    also_called = ("rmsle",)
    function_name = "msle_loss"
    short_name = "msle"

    def per_element(self, input: Tensor, target: Tensor) -> Tensor:
        value = (input.log1p() - target.log1p()) ** 2
        low = torch.minimum(input, target)
        return mark(
            value,
            low <= -1,
            low,
            f"{self.name}: input or target holds {{value}}, but log(1 + x) takes numbers above -1. Make outputs "
            "positive, for example with softplus, and check the targets.",
        )


class MAPELoss(RegressionLoss):
    r"""Mean absolute percentage error (MAPE): the absolute error relative to the target, as a fraction.

    .. math:: \frac{|x - y|}{|y|}

    If the target is 0, the value is 0, with a zero gradient. Predictions that are too low have a value of at most 1,
    those too high are unbounded, so the loss favours low predictions.

    Source: Makridakis 1993, "Accuracy measures: theoretical and practical concerns", International Journal of
    Forecasting 9.

    Elsewhere: Keras multiplies by 100 and divides by at least 1e-7; torchmetrics divides by at least 1.17e-6.

    Example:
        >>> loss = losskit.MAPELoss()
        >>> input = torch.tensor([110.0, 60.0])  # (N,)
        >>> target = torch.tensor([100.0, 50.0])
        >>> loss(input, target)
        tensor(0.1500)
    """

    authority = "its formula in mpmath"
    function_name = "mape_loss"
    short_name = "mape"

    def per_element(self, input: Tensor, target: Tensor) -> Tensor:
        size = target.abs()
        some = size != 0
        return torch.where(some, (input - target).abs() / torch.where(some, size, 1.0), 0.0)


class SMAPELoss(RegressionLoss):
    r"""Symmetric MAPE (SMAPE): the absolute error relative to the mean size of prediction and target, between 0 and 2.

    .. math:: \frac{2\,|x - y|}{|x| + |y|}

    If both are 0, the value is 0. A prediction of the wrong sign has the value 2, with a zero gradient.

    Source: Makridakis 1993, "Accuracy measures: theoretical and practical concerns", International Journal of
    Forecasting 9.

    Elsewhere: torchmetrics and the M competitions use this; others omit the factor 2, or multiply by 100.

    Example:
        >>> loss = losskit.SMAPELoss()
        >>> input = torch.tensor([110.0, 30.0])  # (N,)
        >>> target = torch.tensor([90.0, 50.0])
        >>> loss(input, target)
        tensor(0.3500)
    """

    authority = "its formula in mpmath"
    function_name = "smape_loss"
    short_name = "smape"

    def per_element(self, input: Tensor, target: Tensor) -> Tensor:
        size = input.abs() + target.abs()
        some = size != 0
        return torch.where(some, 2 * (input - target).abs() / torch.where(some, size, 1.0), 0.0)


class TweedieLoss(RegressionLoss):
    r"""Tweedie deviance with log link: for targets whose variance is a power of their mean.

    .. math:: 2 \left(\frac{y^{2 - p}}{(1 - p)(2 - p)} - \frac{y\,\mu^{1 - p}}{1 - p} + \frac{\mu^{2 - p}}{2 - p}
        \right), \quad \mu = e^x

    and its limits at p = 1 and 2: twice the negative log-likelihood minus that of the best prediction, so that the
    minimum is 0. p = 1 is for counts, 2 for skewed positive numbers. The input is the logarithm of the mean. Targets
    must not be negative, and must be positive from p = 2 on. The loss grows exponentially in the input.

    Source: Jorgensen 1987, "Exponential Dispersion Models", JRSS B 49.

    Elsewhere: torchmetrics and scikit-learn take the mean, not its logarithm; XGBoost omits the target's own term.

    Example:
        >>> loss = losskit.TweedieLoss(power=1.5)
        >>> input = torch.tensor([1.0, 4.0]).log()  # logarithms of means (N,)
        >>> target = torch.tensor([0.0, 4.0])  # claims, of which many are 0
        >>> loss(input, target)
        tensor(2.)
    """

    authority = "its formula in mpmath"

    power: Annotated[float, Interval(ge=1, le=3)] = option(
        default=1.5, doc="exponent of the variance in the mean: 1 Poisson, 2 gamma, 3 inverse Gaussian"
    )

    def neutral(self, position: int) -> float:
        return float(position)  # a target of 1

    def per_element(self, input: Tensor, target: Tensor) -> Tensor:
        p = self.power
        some = target > 0
        y = torch.where(some, target, 1.0)
        ratio = torch.where(some, input - y.log(), 0.0)  # log(mean / y)
        value = torch.where(some, y ** (2 - p) * (_growth(ratio, 2 - p) - _growth(ratio, 1 - p)), 0.0)
        if p < 2:
            value = torch.where(some, value, (input * (2 - p)).exp() / (2 - p))
        return mark(
            2 * value,
            target < 0 if p < 2 else target <= 0,
            target,
            f"{self.name}: target holds {{value}}, but power={p:g} takes targets "
            f"{'that are not negative' if p < 2 else 'above 0'}. Check the targets; for zeros choose a power below 2.",
        )


def _growth(x: Tensor, rate: float) -> Tensor:
    """(e^(rate x) - 1) / rate, and its limit."""
    return (rate * x).expm1() / rate if rate else x


class EnsembleCRPSLoss(MeanLoss):
    r"""Ensemble CRPS: the continuous ranked probability score of the empirical distribution of an ensemble.

    .. math:: \frac{1}{M} \sum_i |x_i - y| - \frac{1}{2 M^2} \sum_{i, j} |x_i - x_j|

    It rewards members near the truth whose spread matches their error. `fair=True` divides the second sum by
    :math:`2 M (M - 1)`, which scores the distribution from which the members are drawn.

    Source: Gneiting and Raftery 2007, "Strictly Proper Scoring Rules, Prediction, and Estimation", JASA 102; fair Ferro
    2014, "Fair scores for ensemble forecasts", Quarterly Journal of the Royal Meteorological Society 140.

    Elsewhere: the form for vectors is called the energy score.

    Example:
        >>> loss = losskit.EnsembleCRPSLoss()
        >>> input = torch.tensor([[1.0, 2.0, 3.0]])  # the members of an ensemble (N, M)
        >>> target = torch.tensor([2.0])  # (N,)
        >>> loss(input, target)
        tensor(0.2222)
    """

    authority = "its formula in mpmath and values worked by hand"
    function_name = "ensemble_crps_loss"
    short_name = "ensemble_crps"
    shapes = "input (N, M, *) with the members in dimension 1, target (N, *); weight and mask of the target's shape."

    fair: bool = option(default=False, doc="score the distribution from which the members are drawn")

    def weighed(
        self, *tensors: Tensor, weight: Tensor | None = None, mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        input, target = tensors
        check_floating(self.name, "input", input)
        check_real(self.name, "target", target)
        if input.dim() < 2 or (input.shape[0], *input.shape[2:]) != tuple(target.shape):
            raise ValueError(
                f"{self.name}: input has shape (N, M, *), its members in dimension 1, and target (N, *); got "
                f"{shape(input)} and {shape(target)}. Make one member with input.unsqueeze(1), or stack members with "
                "torch.stack(members, 1)."
            )
        members = input.shape[1]
        if members < 1 + self.fair:
            raise ValueError(
                f"{self.name}: input {shape(input)} has {members} members in dimension 1, but fair={self.fair} takes "
                f"at least {1 + self.fair}."
            )
        weight, mask = weight_and_mask(self.name, weight, mask, target.shape)
        dtype = computing_dtype(input)
        input, target = input.to(dtype), target.to(dtype)
        if mask is not None:
            input, target = input.where(mask.unsqueeze(1), 0.0), target.where(mask, 0.0)
        error = (input - target.unsqueeze(1)).abs().mean(1)
        ranks = torch.arange(1 - members, members, 2, dtype=dtype, device=input.device)  # each pair once
        spread = (input.sort(1).values * ranks.view(-1, *(1,) * (input.dim() - 2))).sum(1)
        return weighted(error - spread / (members * (members - self.fair)), weight, mask)


class RelativeLpLoss(MeanLoss):
    r"""Relative Lp loss: the norm of each sample's error divided by the norm of its target.

    .. math:: \frac{\lVert x - y \rVert_p}{\lVert y \rVert_p}

    over all dimensions but the first. If a target is 0 everywhere, the value is 0, with a zero gradient; if the error
    is 0, the gradient is defined as 0.

    Source: Li, Kovachki, Azizzadenesheli, Liu, Bhattacharya, Stuart, Anandkumar 2020, "Fourier Neural Operator for
    Parametric Partial Differential Equations", arXiv:2010.08895, for p = 2.

    Elsewhere: neuraloperator's LpLoss sums over samples and channels by default, and its `abs` does not divide.

    Example:
        >>> loss = losskit.RelativeLpLoss(p=2)
        >>> input = torch.tensor([[3.0, 5.0], [6.0, 8.0]])  # a field per sample (N, *)
        >>> target = torch.tensor([[3.0, 4.0], [3.0, 4.0]])
        >>> loss(input, target)
        tensor(0.6000)
    """

    authority = "its formula in mpmath"
    short_name = "relative_lp"
    also_called = ("relative_l2",)
    shapes = "input and target of one shape (N, *); weight and mask (N,), one value per sample."

    p: Annotated[float, Ge(1)] = option(default=2.0, doc="order of the norm; float('inf') takes the largest error")

    def weighed(
        self, *tensors: Tensor, weight: Tensor | None = None, mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        input, target = tensors
        check_floating(self.name, "input", input)
        check_real(self.name, "target", target)
        check_equal(self.name, {"input": input, "target": target})
        if input.dim() == 0:
            raise ValueError(f"{self.name}: input must have shape (N, *), the samples first; got ().")
        samples = input.shape[:1]
        weight, mask = weight_and_mask(self.name, weight, mask, samples)
        dtype = computing_dtype(input)
        rows = [t.to(dtype).reshape(samples[0], math.prod(input.shape[1:])) for t in tensors]
        if not rows[0].shape[1]:  # samples without elements do not count
            mask = torch.zeros(samples, dtype=torch.bool, device=input.device)
        if mask is not None:
            rows = [row.where(mask.unsqueeze(1), 0.0) for row in rows]
        size = self.norm(rows[1])
        some = size != 0
        value = torch.where(some, self.norm(rows[0] - rows[1]) / torch.where(some, size, 1.0), 0.0)
        return weighted(value, weight, mask)

    def norm(self, rows: Tensor) -> Tensor:
        """The p-norm of each row, with derivatives of 0 where it is not differentiable."""
        size = rows.abs()
        if not size.numel() or math.isinf(self.p):
            return size.amax(1) if size.numel() else size.sum(1)
        largest = size.detach().amax(1, keepdim=True)
        scale = torch.where(largest != 0, largest, 1.0)  # so that no power overflows
        some = size != 0
        powers = torch.where(some, (torch.where(some, size, scale) / scale) ** self.p, 0.0).sum(1)
        any_ = powers != 0
        return torch.where(any_, torch.where(any_, powers, 1.0) ** (1 / self.p), 0.0) * scale.squeeze(1)

    def values_shape(self, target: Tensor) -> torch.Size:
        return target.shape[:1]
