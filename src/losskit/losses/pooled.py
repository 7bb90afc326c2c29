"""Losses of real numbers that are not means over elements: formulas on moments of the batch, exact over ranks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from losskit.core.contract import check_equal, check_floating, check_real, weight_and_mask
from losskit.core.domains import Fraction, Positive
from losskit.core.loss import Loss
from losskit.core.options import option
from losskit.core.summable import Summable, answering
from losskit.core.sums import Sums, check_size, divide, weighted
from losskit.ops import reference
from losskit.ops.inputs import computing_dtype, summing_dtype
from losskit.ops.values import mark

_CONSTANT = 1e-13  # fraction of the mean square below which a variance is rounding
_NO_MEAN = "one value for the batch, not a mean over elements; no other reduction"


class MomentLoss(Summable):
    """A formula on sums over the counted elements: define `moments(input, target)` and `of_moments(mean)`."""

    abstract = True
    shapes = "input and target of one shape; weight and mask of it too, with size 1 where they repeat."

    reduction: Literal["mean"] = option(default="mean", doc=_NO_MEAN)

    @property
    def is_mean(self) -> bool:
        return False

    def moments(self, input: Tensor, target: Tensor) -> dict[str, Tensor]:
        """The quantities of each element to sum, by name."""
        raise NotImplementedError

    def of_moments(self, mean: dict[str, Tensor]) -> Tensor:
        """The loss from the means of these quantities."""
        raise NotImplementedError

    def neutral(self) -> float:
        """The placeholder for elements that do not count."""
        return 0.0

    def totals(self, *tensors: Tensor, weight: Tensor | None = None, mask: Tensor | None = None) -> Sums:
        input, target = tensors
        check_floating(self.name, "input", input)
        check_real(self.name, "target", target)
        check_equal(self.name, {"input": input, "target": target})
        weight, mask = weight_and_mask(self.name, weight, mask, input.shape)
        given = [t.to(summing_dtype(input)) for t in tensors]
        share = torch.ones((), dtype=given[0].dtype, device=input.device) if weight is None else weight.to(given[0])
        if mask is not None:
            given = [t.where(mask, self.neutral()) for t in given]
            share = share.where(mask, 0.0)
        share = share.expand(input.shape)
        summed = {name: self.summed(share * each) for name, each in self.moments(*given).items()}
        count = reference.sized(self.summed(share), None if weight is None else share, share)
        return Sums(count=count, **summed)

    def summed(self, values: Tensor) -> Tensor:
        return values.sum()

    def conclude(self, sums: Sums) -> tuple[Tensor, Tensor | None]:
        count = sums["count"]
        check_size(count, self.name)
        means = {name: divide(sums[name], count, self.empty, self.name) for name in sums.names() if name != "count"}
        return self.of_moments(means), None


def _root(square: Tensor) -> Tensor:
    """The square root, with derivatives of 0 where it is not differentiable."""
    some = square > 0
    root = torch.where(some, square, 1.0).sqrt()
    return torch.where(some, root, square.clamp_max(0).detach() * 0)  # NaN stays


class RMSELoss(MomentLoss):
    r"""Root mean squared error (RMSE) of the whole batch, in the target's units.

    .. math:: \sqrt{\text{mean}\,(x - y)^2}

    The mean is over all counted elements, of all ranks and micro-batches. If every error is 0, the loss is 0 and its
    gradient is defined as 0.

    Source: least squares, Gauss 1809; its gradient is that of the squared error divided by twice the loss.

    Elsewhere: others take the root of each sample's mean and then average, or add an eps under the root.

    Example:
        >>> loss = losskit.RMSELoss()
        >>> input = torch.tensor([2.5, 0.0, 2.0])  # (N,)
        >>> target = torch.tensor([3.0, 0.5, 7.0])
        >>> loss(input, target)
        tensor(2.9155)
    """

    authority = "its formula in mpmath"
    function_name = "rmse_loss"
    short_name = "rmse"

    def moments(self, input: Tensor, target: Tensor) -> dict[str, Tensor]:
        return {"square": (input - target) ** 2}

    def of_moments(self, mean: dict[str, Tensor]) -> Tensor:
        return _root(mean["square"])


class SILogLoss(MomentLoss):
    r"""Scale-invariant logarithmic (SILog) error of depths, partly invariant to a common scale factor.

    .. math:: \sqrt{\text{mean}\,g^2 - f\,(\text{mean}\,g)^2}, \quad g = \log x - \log y

    with means over the whole batch and f the variance focus: 1 is invariant to a common factor. Inputs and targets are
    positive depths, not logarithms. If the argument of the root is 0, the gradient is defined as 0.

    Source: Eigen, Puhrsch, Fergus 2014, "Depth Map Prediction from a Single Image using a Multi-Scale Deep Network",
    arXiv:1406.2283, without the root.

    Elsewhere: BTS and AdaBins use focus 0.85 and multiply by 10; mmsegmentation uses 0.5 and masks depths of 0.

    Example:
        >>> loss = losskit.SILogLoss(variance_focus=0.5)
        >>> input = torch.tensor([[1.0, 2.0, 4.0]])  # depths in metres (N, *)
        >>> target = torch.tensor([[2.0, 4.0, 8.0]])
        >>> loss(input, target)
        tensor(0.4901)
    """

    authority = "its formula in mpmath"
    function_name = "silog_loss"
    short_name = "silog"
    also_called = ("scale_invariant_log",)

    variance_focus: Fraction = option(default=0.5, doc="invariance to a common scale factor; 1 is full invariance")

    def neutral(self) -> float:
        return 1.0

    def moments(self, input: Tensor, target: Tensor) -> dict[str, Tensor]:
        low = torch.minimum(input, target)
        g = mark(
            input.log() - target.log(),
            low <= 0,
            low,
            f"{self.name}: input or target holds {{value}}, but depths are above 0. Mask places without depth with "
            "mask=target > 0, and make outputs positive, for example with softplus.",
        )
        return {"square": g * g, "error": g}

    def of_moments(self, mean: dict[str, Tensor]) -> Tensor:
        square, error = mean["square"], mean["error"]
        left = square - self.variance_focus * error**2
        return _root(torch.where(left.abs() <= _CONSTANT * square, square * 0, left))


class ColumnLoss(MomentLoss):
    """Moments over the batch of each column, and the mean over the columns with counted elements."""

    abstract = True
    shapes = (
        "input and target of one shape (N, *), the batch first; weight and mask of it too, with size 1 where they "
        "repeat."
    )

    def summed(self, values: Tensor) -> Tensor:
        if not values.dim():
            raise ValueError(f"{self.name}: input must have shape (N, *), the batch first; got ().")
        return values.sum(0)

    def moments(self, input: Tensor, target: Tensor) -> dict[str, Tensor]:
        return {"x": input, "y": target, "xx": input**2, "yy": target**2, "xy": input * target}

    def conclude(self, sums: Sums) -> tuple[Tensor, Tensor | None]:
        count = sums["count"]
        check_size(count, self.name)
        counts = count != 0
        mean = {name: sums[name] / torch.where(counts, count, 1.0) for name in sums.names() if name != "count"}
        values = torch.where(counts, self.of_moments(mean), 0.0)
        return divide(values.sum(), counts.to(values.dtype).sum(), self.empty, self.name), None

    @staticmethod
    def spreads(mean: dict[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Variances of input and target, 0 where they are below rounding, and the covariance."""
        found = []
        for name in ("x", "y"):
            variance = mean[name * 2] - mean[name] ** 2
            found.append(torch.where(variance <= _CONSTANT * mean[name * 2], mean[name] * 0, variance))
        return found[0], found[1], mean["xy"] - mean["x"] * mean["y"]


class PearsonLoss(ColumnLoss):
    r"""Pearson correlation loss: one minus the correlation of predictions and targets over the batch.

    .. math:: 1 - \frac{\text{cov}(x, y)}{\sqrt{\text{var}(x)\,\text{var}(y)}}

    for each column of (N, \*), averaged over columns; invariant to scale and offset. A column that is constant in input
    or target has no correlation: its value is 1, with a zero gradient.

    Source: Pearson 1895, "Note on Regression and Inheritance in the Case of Two Parents", Proceedings of the Royal
    Society 58.

    Elsewhere: torchmetrics's `pearson_corrcoef` is the correlation itself.

    Example:
        >>> loss = losskit.PearsonLoss()
        >>> input = torch.tensor([1.0, 2.0, 3.0])  # (N,)
        >>> target = torch.tensor([10.0, 20.0, 60.0])
        >>> loss(input, target)
        tensor(0.0551)
    """

    authority = "its formula in mpmath"
    also_called = ("correlation", "pcc")

    def of_moments(self, mean: dict[str, Tensor]) -> Tensor:
        x, y, both = self.spreads(mean)
        product = x * y
        some = product != 0  # NaN stays
        return 1 - torch.where(some, both / torch.where(some, product, 1.0).sqrt(), 0.0)


class ConcordanceLoss(ColumnLoss):
    r"""Concordance correlation coefficient (CCC) loss: one minus Lin's concordance over the batch.

    .. math:: 1 - \frac{2\,\text{cov}(x, y)}{\text{var}(x) + \text{var}(y) + (\bar x - \bar y)^2}

    for each column of (N, \*), with biased moments, averaged over columns. Unlike correlation, it requires equality. If
    both columns are the same constant, the value is 0, with a zero gradient.

    Source: Lin 1989, "A Concordance Correlation Coefficient to Evaluate Reproducibility", Biometrics 45.

    Elsewhere: torchmetrics's coefficient uses unbiased moments.

    Example:
        >>> loss = losskit.ConcordanceLoss()
        >>> input = torch.tensor([2.0, 3.0, 4.0])  # (N,), correlated with the target but too large
        >>> target = torch.tensor([1.0, 2.0, 3.0])
        >>> loss(input, target)
        tensor(0.4286)
    """

    authority = "its formula in mpmath"
    also_called = ("ccc", "lin")

    def of_moments(self, mean: dict[str, Tensor]) -> Tensor:
        x, y, both = self.spreads(mean)
        apart = x + y + (mean["x"] - mean["y"]) ** 2
        some = apart != 0
        return torch.where(some, 1 - 2 * both / torch.where(some, apart, 1.0), 0.0)


class BatchLoss(Loss):
    """A loss whose values depend on the whole batch: define `weighed(...)`."""

    abstract = True

    @answering
    def forward(
        self, input: Tensor, target: Tensor, weight: Tensor | None = None, mask: Tensor | None = None
    ) -> Tensor:
        return super().forward(input, target, weight=weight, mask=mask)

    def checked(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """Input and target of one shape, in the precision of the computation."""
        input, target = tensors
        check_floating(self.name, "input", input)
        check_real(self.name, "target", target)
        check_equal(self.name, {"input": input, "target": target})
        return [t.to(computing_dtype(input)) for t in tensors]


class BalancedMSELoss(BatchLoss):
    r"""Balanced MSE: cross-entropy of each target against all targets of the batch, for imbalanced regression.

    .. math:: -\log \frac{e^{-\lVert x_i - y_i \rVert^2 / 2 \sigma^2}}{\sum_j e^{-\lVert x_i - y_j \rVert^2 / 2
        \sigma^2}}

    with sigma the noise, in the target's units; a parameter is learned. Weights apply to the sum over j too. Samples
    with equal targets cannot be distinguished, so the minimum is above 0.

    Source: Ren, Zhang, Yu, Liu 2022, "Balanced MSE for Imbalanced Visual Regression", arXiv:2203.16427, its batch-based
    Monte Carlo form.

    Elsewhere: the authors' code multiplies by twice the variance, without its gradient.

    Example:
        >>> loss = losskit.BalancedMSELoss(noise=1.0)
        >>> input = torch.tensor([0.0, 1.0, 4.0])  # (N,)
        >>> target = torch.tensor([0.0, 1.0, 5.0])
        >>> loss(input, target)
        tensor(0.3224)
    """

    authority = "its formula in mpmath"
    function_name = "balanced_mse_loss"
    short_name = "balanced_mse"
    also_called = ("bmc",)
    shapes = "input and target of one shape, (N,) or (N, *); weight and mask (N,), one value per sample."

    noise: Positive | nn.Parameter = option(default=1.0, doc="standard deviation of errors, or a parameter")

    def weighed(self, *tensors: Tensor, weight: Tensor | None, mask: Tensor | None) -> tuple[Tensor, Tensor]:
        input, target = self.checked(tensors)
        if input.dim() == 0:
            raise ValueError(f"{self.name}: input must have shape (N,) or (N, *), the samples first; got ().")
        weight, mask = weight_and_mask(self.name, weight, mask, input.shape[:1])
        dtype = torch.float64  # the derivatives of a confident softmax cancel
        x, y = (t.to(dtype).reshape(len(t), math.prod(t.shape[1:])) for t in (input, target))
        if not x.numel():
            nothing = (x + y).sum(1).to(input.dtype)
            return nothing, nothing
        share = x.new_ones(len(x)) if weight is None else weight.to(dtype).expand(len(x))
        if mask is not None:
            x, y = (t.where(mask.unsqueeze(1), 0.0) for t in (x, y))
            share = share.where(mask, 0.0)
        noise = self.noise.to(dtype) if isinstance(self.noise, Tensor) else self.noise
        own, other = y.unsqueeze(1), y.unsqueeze(0)
        nearer = ((other - own) * (2 * x.unsqueeze(1) - own - other)).sum(-1) / (2 * noise**2)  # (N, N), 0 for itself
        counted = share != 0
        log_share = torch.where(counted, share, 1.0).log().where(counted, -torch.inf)
        value = (log_share + nearer).where(counted.any(), 0.0).logsumexp(1)
        return (torch.where(counted, value, 0.0) * share).to(input.dtype), share.to(input.dtype)


class BerHuLoss(BatchLoss):
    r"""BerHu (reverse Huber) loss: the absolute error if small, quadratic if large.

    .. math:: \begin{cases} |d| & |d| \le c \\ (d^2 + c^2) / (2 c) & \text{else} \end{cases}, \quad d = x - y,
        \quad c = \text{threshold} \cdot \max |d|

    The largest error is that of the counted elements in the whole batch, and the gradient passes through it. If every
    error is 0, the loss is 0.

    Source: Laina, Rupprecht, Belagiannis, Tombari, Navab 2016, "Deeper Depth Prediction with Fully Convolutional
    Residual Networks", arXiv:1606.00373; the penalty itself Owen 2007, "A robust hybrid of lasso and ridge regression".

    Elsewhere: many detach c.

    Example:
        >>> loss = losskit.BerHuLoss(threshold=0.2)
        >>> input = torch.tensor([2.5, 0.0, 2.0])  # (N,)
        >>> target = torch.tensor([3.0, 0.5, 7.0])
        >>> loss(input, target)
        tensor(4.6667)
    """

    authority = "its formula in mpmath"
    function_name = "berhu_loss"
    short_name = "berhu"
    also_called = ("reverse_huber",)
    shapes = "input and target of one shape; weight and mask of it too, with size 1 where they repeat."

    threshold: Positive = option(default=0.2, doc="fraction of the largest error at which the loss turns quadratic")

    def weighed(self, *tensors: Tensor, weight: Tensor | None, mask: Tensor | None) -> tuple[Tensor, Tensor]:
        input, target = self.checked(tensors)
        weight, mask = weight_and_mask(self.name, weight, mask, input.shape)
        if mask is not None:
            input, target = input.where(mask, 0.0), target.where(mask, 0.0)
        size = (input - target).abs()
        if not size.numel():
            return weighted(size, weight, mask)
        limit = self.threshold * size.max()
        above = size > limit
        large = torch.where(above, size, 1.0)
        safe = torch.where(limit > 0, limit, 1.0)
        return weighted(torch.where(above, (large**2 / safe + limit) / 2, size), weight, mask)
