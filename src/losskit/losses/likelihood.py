"""Negative log-likelihoods and scores of predicted distributions, with learned location, scale and shape."""

from __future__ import annotations

import math
from typing import Annotated

import torch
from annotated_types import Interval
from torch import Tensor

from losskit.core.contract import check_equal, check_floating, check_real, elementwise, shape, weight_and_mask
from losskit.core.domains import NonNegative, Positive
from losskit.core.means import ElementLoss, MeanLoss, RegressionLoss
from losskit.core.options import option
from losskit.core.sums import weighted
from losskit.ops.inputs import computing_dtype
from losskit.ops.values import mark

_LOG_2_PI = math.log(2 * math.pi)
_POSITIVE = "make it positive, for example with softplus or exp"


class SpreadLoss(ElementLoss):
    """A loss of input, target and a spread, which may have size 1 to apply to several elements."""

    abstract = True
    shapes = "input and target of one shape; the third tensor of the same, or size 1 where it is broadcast."

    def check(self, *tensors: Tensor) -> None:
        input, target, spread = tensors
        check_floating(self.name, "input", input)
        check_real(self.name, "target", target)
        check_equal(self.name, {"input": input, "target": target})
        elementwise(self.name, self.tensors[2], spread, input.shape)

    def neutral(self, position: int) -> float:
        return 1.0 if position == 2 else 0.0

    def positive(self, value: Tensor, spread: Tensor, what: str) -> Tensor:
        """The value, marked as an error where the spread is not positive."""
        return mark(
            value, spread <= 0, spread, f"{self.name}: {what} holds {{value}}, but takes numbers above 0; {_POSITIVE}."
        )


class LaplaceNLLLoss(SpreadLoss):
    r"""Laplace negative log-likelihood: learns a median and a scale; absolute errors are divided by the scale.

    .. math:: \log(2 b) + \frac{|x - y|}{b}

    with b the scale.

    Source: the Laplace distribution, Laplace 1774, whose likelihood makes least absolute deviations best.

    Elsewhere: some models predict log b: pass its exponential.

    Example:
        >>> loss = losskit.LaplaceNLLLoss()
        >>> input, target = torch.tensor([1.0, 2.0]), torch.tensor([1.0, 4.0])  # (N,)
        >>> scale = torch.tensor([0.5, 2.0])  # the predicted scale of each
        >>> loss(input, target, scale)
        tensor(1.1931)
    """

    authority = "its formula in mpmath"
    function_name = "laplace_nll_loss"
    short_name = "laplace_nll"

    def per_element(self, input: Tensor, target: Tensor, scale: Tensor) -> Tensor:
        return self.positive((2 * scale).log() + (input - target).abs() / scale, scale, "scale")


class StudentTNLLLoss(SpreadLoss):
    r"""Student's t negative log-likelihood: learns a mean and a scale under heavy tails, robust to outliers.

    .. math:: \log s + \frac{\nu + 1}{2} \log\left(1 + \frac{(x - y)^2}{\nu s^2}\right) + \log
        \frac{\Gamma(\nu / 2) \sqrt{\pi \nu}}{\Gamma((\nu + 1) / 2)}

    with s the scale, which is not the standard deviation, and nu the degrees of freedom.

    Source: Lange, Little, Taylor 1989, "Robust Statistical Modeling Using the t Distribution", JASA 84.

    Elsewhere: distribution libraries name s the scale; others use the variance of errors.

    Example:
        >>> loss = losskit.StudentTNLLLoss(df=4.0)
        >>> input, target = torch.tensor([1.0, 2.0]), torch.tensor([1.0, 9.0])  # (N,), the second an outlier
        >>> scale = torch.tensor([0.5, 0.5])  # the predicted scale of each
        >>> loss(input, target, scale)
        tensor(5.1777)
    """

    authority = "its formula in mpmath"
    function_name = "student_t_nll_loss"
    short_name = "student_t_nll"
    also_called = ("student_t",)

    df: Positive = option(default=4.0, doc="degrees of freedom; fewer give heavier tails")

    def per_element(self, input: Tensor, target: Tensor, scale: Tensor) -> Tensor:
        constant = math.lgamma(self.df / 2) - math.lgamma((self.df + 1) / 2) + math.log(math.pi * self.df) / 2
        square = ((input - target) / scale) ** 2 / self.df
        return self.positive(scale.log() + (self.df + 1) / 2 * square.log1p() + constant, scale, "scale")


class BetaNLLLoss(SpreadLoss):
    r"""Beta-NLL: Gaussian negative log-likelihood weighted by a power of the predicted variance.

    .. math:: \lfloor v^\beta \rfloor \, \frac{1}{2} \left(\log v + \frac{(x - y)^2}{v}\right)

    where the factor in brackets carries no gradient. It keeps the gradient of the mean where the variance is large.
    Beta 0 is GaussianNLLLoss; at 1 the mean has the gradient of half the squared error.

    Source: Seitzer, Tavakoli, Antic, Martius 2022, "On the Pitfalls of Heteroscedastic Uncertainty Estimation with
    Probabilistic Neural Networks", arXiv:2203.09168.

    Elsewhere: the value is not a likelihood; compare models by GaussianNLLLoss.

    Example:
        >>> loss = losskit.BetaNLLLoss(beta=0.5)
        >>> input, target = torch.tensor([1.0, 2.0]), torch.tensor([1.5, 4.0])  # (N,)
        >>> var = torch.tensor([0.25, 4.0])  # the predicted variance of each
        >>> loss(input, target, var)
        tensor(1.1449)
    """

    authority = "its formula in mpmath"
    function_name = "beta_nll_loss"
    short_name = "beta_nll"

    beta: Annotated[float, Interval(ge=0, le=1)] = option(default=0.5, doc="exponent of the variance")

    def per_element(self, input: Tensor, target: Tensor, var: Tensor) -> Tensor:
        value = (var.log() + (input - target) ** 2 / var) / 2
        return self.positive(var.detach() ** self.beta * value, var, "var")


class GammaNLLLoss(RegressionLoss):
    r"""Gamma negative log-likelihood with log link: for positive targets whose errors are relative.

    .. math:: x + y\,e^{-x}

    the negative log-likelihood of a gamma distribution with mean :math:`e^x`, divided by its shape, without terms that
    do not depend on the mean; the standard deviation is proportional to the mean. Targets must be positive. The loss
    grows exponentially as the input decreases.

    Source: gamma regression, Nelder and Wedderburn 1972, "Generalized Linear Models", JRSS A 135.

    Elsewhere: scikit-learn's mean_gamma_deviance is twice this minus its minimum; XGBoost's gamma-nloglik is this.

    Example:
        >>> loss = losskit.GammaNLLLoss()
        >>> input = torch.tensor([2.0, 8.0]).log()  # logarithms of means (N,)
        >>> target = torch.tensor([2.0, 4.0])
        >>> loss(input, target)
        tensor(2.1363)
    """

    authority = "its formula in mpmath"
    function_name = "gamma_nll_loss"
    short_name = "gamma_nll"

    def neutral(self, position: int) -> float:
        return float(position)

    def per_element(self, input: Tensor, target: Tensor) -> Tensor:
        return mark(
            input + target * (-input).exp(),
            target <= 0,
            target,
            f"{self.name}: target holds {{value}}, but a gamma distribution has positive numbers alone. For zeros use "
            "TweedieLoss.",
        )


class NegativeBinomialNLLLoss(ElementLoss):
    r"""Negative binomial negative log-likelihood with log link: for overdispersed counts.

    .. math:: \left(y + \tfrac{1}{a}\right) \log(1 + a \mu) - y \log(a \mu) + \log \frac{\Gamma(1 / a)\,y!}{\Gamma(y + 1
        / a)}, \quad \mu = e^x

    The input is the logarithm of the mean, and the variance is :math:`\mu + a \mu^2` with a the dispersion.

    Source: Lawless 1987, "Negative binomial and mixed Poisson regression", Canadian Journal of Statistics 15.

    Elsewhere: scVI and DeepAR take 1/a: scVI's inverse dispersion theta, and total_count in PyTorch's distribution.

    Example:
        >>> loss = losskit.NegativeBinomialNLLLoss()
        >>> log_mean = torch.tensor([4.0, 4.0]).log()  # (N,)
        >>> target = torch.tensor([4.0, 9.0])  # counts
        >>> loss(log_mean, target, dispersion=torch.tensor([0.5, 0.5]))
        tensor(2.8767)
    """

    authority = "its formula in mpmath"
    function_name = "negative_binomial_nll_loss"
    short_name = "negative_binomial_nll"
    also_called = ("nb_nll", "negative_binomial")
    shapes = "log_mean, target and dispersion of one shape; weight and mask of it too, with size 1 where they repeat."

    def neutral(self, position: int) -> float:
        return 1.0 if position == 2 else 0.0

    def per_element(self, log_mean: Tensor, target: Tensor, dispersion: Tensor) -> Tensor:
        bad = (dispersion <= 0) | (target < 0)
        safe, y = torch.where(bad, 1.0, dispersion), torch.where(bad, 0.0, target)
        size = 1 / safe.double()  # differences of large log-gammas
        constant = (size.lgamma() - (y.double() + size).lgamma() + (y.double() + 1).lgamma()).to(log_mean.dtype)
        log_odds = log_mean + safe.log()
        value = (y + 1 / safe) * torch.nn.functional.softplus(log_odds) - y * log_odds + constant
        return mark(
            value,
            bad,
            torch.where(target < 0, target, dispersion),
            f"{self.name}: {{value}} is a target below 0, or a dispersion not above 0. Check the counts; if it is the "
            f"dispersion, {_POSITIVE}.",
        )


class CRPSLoss(SpreadLoss):
    r"""Gaussian CRPS: the continuous ranked probability score of a predicted mean and standard deviation.

    .. math:: \sigma \left[z\,(2 \Phi(z) - 1) + 2 \varphi(z) - \frac{1}{\sqrt{\pi}}\right], \quad z = \frac{x -
        y}{\sigma}

    with Phi and phi the standard normal's distribution function and density. The value has the target's unit and is
    linear in outliers.

    Source: Gneiting and Raftery 2007, "Strictly Proper Scoring Rules, Prediction, and Estimation", JASA 102.

    Elsewhere: some return the negative of it, as a score to maximise.

    Example:
        >>> loss = losskit.CRPSLoss()
        >>> input, target = torch.tensor([1.0, 2.0]), torch.tensor([1.0, 4.0])  # (N,)
        >>> std = torch.tensor([0.5, 2.0])  # the predicted standard deviation of each
        >>> loss(input, target, std)
        tensor(0.6609)
    """

    authority = "its formula in mpmath"
    function_name = "crps_loss"
    short_name = "crps"

    def per_element(self, input: Tensor, target: Tensor, std: Tensor) -> Tensor:
        z = (input - target) / std
        density = (-(z * z) / 2).exp() * math.sqrt(2 / math.pi)
        far = (input - target) * (z / math.sqrt(2)).erf()  # its gradient by std does not cancel where z is large
        return self.positive(far + std * (density - 1 / math.sqrt(math.pi)), std, "std")


class EvidentialLoss(ElementLoss):
    r"""Deep evidential regression: learns a distribution over means and variances, with a regularizer of evidence.

    .. math:: \frac{1}{2} \log \frac{\pi}{\nu} - \alpha \log \Omega + \left(\alpha + \tfrac{1}{2}\right) \log\left((y -
        \gamma)^2 \nu + \Omega\right) + \log \frac{\Gamma(\alpha)}{\Gamma(\alpha + 1/2)} + \lambda\,|y - \gamma|\,(2 \nu
        + \alpha), \quad \Omega = 2 \beta (1 + \nu)

    with nu and beta above 0, alpha above 1, and lambda the coefficient. Low evidence indicates epistemic uncertainty.

    Source: Amini, Schwarting, Soleimany, Rus 2020, "Deep Evidential Regression", arXiv:1910.02600.

    Elsewhere: the authors' layer applies softplus and adds 1 to alpha; here the model does both.

    Example:
        >>> loss = losskit.EvidentialLoss(coefficient=0.01)
        >>> gamma, nu = torch.tensor([1.0]), torch.tensor([2.0])  # outputs of the model (N,)
        >>> alpha, beta = torch.tensor([3.0]), torch.tensor([0.5])
        >>> loss(gamma, nu, alpha, beta, torch.tensor([1.5]))
        tensor(0.8418)
    """

    authority = "its formula in mpmath"
    also_called = ("deep_evidential", "nig")

    coefficient: NonNegative = option(default=0.01, doc="weight of the regularizer: evidence times absolute error")

    def neutral(self, position: int) -> float:
        return (0.0, 1.0, 2.0, 1.0, 0.0)[position]

    def per_element(self, gamma: Tensor, nu: Tensor, alpha: Tensor, beta: Tensor, target: Tensor) -> Tensor:
        bad = (nu <= 0) | (beta <= 0) | (alpha <= 1)
        one = torch.ones_like(nu)
        v, a, b = (torch.where(bad, one * n, t) for n, t in ((1, nu), (2, alpha), (1, beta)))
        omega = 2 * b * (1 + v)
        error = target - gamma
        square = error**2 * v
        value = (math.log(math.pi) - v.log() + (square + omega).log()) / 2 + a * (square / omega).log1p()
        value = value + a.lgamma() - (a + 0.5).lgamma() + self.coefficient * error.abs() * (2 * v + a)
        least = torch.minimum(torch.minimum(nu, beta), alpha - 1)
        return mark(
            value,
            bad,
            least,
            f"{self.name}: nu and beta must be above 0 and alpha above 1; the least of nu, beta and alpha - 1 is "
            "{value}. Pass softplus of the model's outputs, and 1 + softplus for alpha.",
        )


class MixtureNLLLoss(MeanLoss):
    r"""Mixture density network (MDN) loss: negative log-likelihood of a Gaussian mixture, for multimodal targets.

    .. math:: -\log \sum_k \pi_k\,\mathcal{N}(y; m_k, s_k), \quad \pi = \text{softmax(logits)}

    with the components in dimension 1.

    Source: Bishop 1994, "Mixture Density Networks", Aston University NCRG/94/004.

    Elsewhere: others put the components last, or predict log s: pass its exponential.

    Example:
        >>> loss = losskit.MixtureNLLLoss()
        >>> logits = torch.tensor([[0.0, 0.0]])  # two components, equally likely (N, K)
        >>> mean, scale = torch.tensor([[-1.0, 1.0]]), torch.tensor([[0.5, 0.5]])
        >>> loss(logits, mean, scale, torch.tensor([1.0]))
        tensor(0.9186)
    """

    authority = "its formula in mpmath"
    function_name = "mixture_nll_loss"
    short_name = "mixture_nll"
    also_called = ("mdn",)
    tensors = ("logits", "mean", "scale", "target")
    shapes = "logits, mean and scale (N, K, *) with components in dimension 1, target (N, *); weight and mask (N, *)."

    def weighed(
        self, *tensors: Tensor, weight: Tensor | None = None, mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        logits, mean, scale, target = tensors
        check_floating(self.name, "logits", logits)
        for name, tensor in (("mean", mean), ("scale", scale), ("target", target)):
            check_real(self.name, name, tensor)
        for name, tensor in (("mean", mean), ("scale", scale)):
            check_equal(self.name, {"logits": logits, name: tensor})
        if logits.dim() < 2 or (logits.shape[0], *logits.shape[2:]) != tuple(target.shape):
            raise ValueError(
                f"{self.name}: logits have shape (N, K, *), the components in dimension 1, and target (N, *); got "
                f"{shape(logits)} and {shape(target)}. If components come last, pass logits.movedim(-1, 1)."
            )
        weight, mask = weight_and_mask(self.name, weight, mask, target.shape)
        dtype = computing_dtype(logits)
        logits, mean, scale, y = (t.to(dtype) for t in (logits, mean, scale, target.unsqueeze(1)))
        if mask is not None:
            each = mask.unsqueeze(1)
            logits, mean, y = (t.where(each, 0.0) for t in (logits, mean, y))
            scale = scale.where(each, 1.0)
        log_density = -(((y - mean) / scale) ** 2 + _LOG_2_PI) / 2 - scale.log()
        value = -(logits.log_softmax(1) + log_density).logsumexp(1) if logits.shape[1] else y.squeeze(1)
        message = f"{self.name}: scale holds {{value}}, but takes numbers above 0; {_POSITIVE}."
        bad = scale <= 0
        value = mark(value, bad, scale, message)
        return weighted(value, weight, mask)

    def values_shape(self, target: Tensor) -> torch.Size:
        return target.shape
