"""Losses of several labels a sample, each yes or no."""

from __future__ import annotations

import torch
from torch import Tensor

from losskit.core.classification import ClassificationLoss
from losskit.core.contract import InputSpec
from losskit.core.domains import Fraction, NonNegative, Positive
from losskit.core.logits import ClassesLoss, ScoreLoss
from losskit.core.loss import Summable
from losskit.core.means import MeanLoss
from losskit.core.options import option
from losskit.core.reduction import weighted
from losskit.ops import values
from losskit.ops.maths import log_softmax, one_minus_exp, safe_power
from losskit.ops.reference import Elements


class AsymmetricLoss(ClassificationLoss):
    r"""Focal loss with a power of its own for negatives, which are many, and none for those already near 0.

    .. math:: -t\,(1 - p)^{\gamma_+} \log p - (1 - t)\,p_m^{\gamma_-} \log(1 - p_m), \qquad p_m = \max(p - m, 0)

    with m the clip. The gradient is that of the value, through the powers too.

    Source: Ridnik et al. 2020, arXiv:2009.14119.

    Elsewhere: the released code sums over classes and by default takes no gradient through the powers; timm takes it,
    and divides by the batch.
    """

    always = "sigmoid"
    authority = "timm.loss.AsymmetricLossMultiLabel and its formula in mpmath"
    short_name = "asl"
    also_called = ("asymmetric",)
    shapes = ScoreLoss.shapes

    gamma_negative: NonNegative = option(default=4.0, doc="how strongly well classified negatives are played down")
    gamma_positive: NonNegative = option(default=1.0, doc="how strongly well classified positives are played down")
    clip: Fraction = option(default=0.05, doc="the probability below which a negative costs nothing; m in the formula")

    def term(self, log_p: Tensor) -> Tensor:
        return -safe_power(one_minus_exp(log_p), self.gamma_positive) * log_p

    def term_of_no(self, log_q: Tensor) -> Tensor:
        p = one_minus_exp(log_q) - self.clip
        costs = p > 0
        shifted = torch.where(costs, p, 0.0)
        log = log_q if self.clip == 0 else torch.log1p(-torch.where(costs, p, 0.0))
        return -safe_power(shifted, self.gamma_negative) * log


class AsymmetricSoftmaxLoss(ClassesLoss):
    r"""Cross-entropy whose smoothed share is played down where the other classes are already improbable.

    .. math:: -\sum_c \Bigl(t_c\,(1 - \varepsilon) + \frac{\varepsilon}{C}\Bigr)\,w_c \log p_c, \qquad
        w_c = \begin{cases} (1 - p_c)^{\gamma_+} & c = y \\ p_c^{\gamma_-} & c \ne y \end{cases}

    with :math:`\varepsilon` the label smoothing, without which only the true class counts.

    Source: Ridnik et al. 2020, arXiv:2009.14119, for several labels; of one label, the authors' code.

    Elsewhere: timm calls it AsymmetricLossSingleLabel, and the smoothing eps.
    """

    authority = "timm.loss.AsymmetricLossSingleLabel and its formula in mpmath"
    short_name = "asl_softmax"
    also_called = ("asymmetric_single_label", "asl_single")

    gamma_negative: NonNegative = option(default=4.0, doc="how strongly the other classes are played down")
    gamma_positive: NonNegative = option(default=0.0, doc="how strongly a probable true class is played down")
    label_smoothing: Fraction = option(default=0.1, doc="the share of the target spread evenly over the classes")

    def per_position(self, logits: Tensor, target: Tensor) -> Tensor:
        log_p = log_softmax(logits)
        spread = self.label_smoothing / logits.shape[1]
        yes = -safe_power(one_minus_exp(log_p), self.gamma_positive) * log_p
        no = -torch.exp(self.gamma_negative * log_p) * log_p
        truth = torch.where(target == 0, 0.0, target * yes)
        other = torch.where(target == 1, 0.0, (1 - target) * no)
        return ((1 - self.label_smoothing + spread) * truth + spread * other).sum(1)


class HingeLoss(ScoreLoss):
    r"""Costs a score nothing once it is on the right side by a margin, and its distance otherwise.

    .. math:: \max(0, m - (2t - 1)\,x)

    for targets 0 and 1, or its square. Soft targets weigh the losses of yes and no.

    Source: Cortes and Vapnik 1995, "Support-Vector Networks", Machine Learning 20.

    Elsewhere: Keras and optax take targets of 1 and -1; of several classes it is MultiMarginLoss.
    """

    authority = "its formula in mpmath"
    short_name = "hinge"
    also_called = ("svm",)

    margin: Positive = option(default=1.0, doc="how far on the right side a score should be")
    squared: bool = option(default=False, doc="square the hinge, which makes it smooth")

    def per_position(self, logits: Tensor, target: Tensor) -> Tensor:
        yes, no = (self.margin - logits).clamp_min(0), (self.margin + logits).clamp_min(0)
        if self.squared:
            yes, no = yes**2, no**2
        return torch.where(target == 0, 0.0, target * yes) + torch.where(target == 1, 0.0, (1 - target) * no)


class ZLPRLoss(MeanLoss):
    r"""Ranks every label of a sample above 0 and every other class below, all of them together.

    .. math:: \log\Bigl(1 + \sum_{t_c = 0} e^{x_c}\Bigr) + \log\Bigl(1 + \sum_{t_c = 1} e^{-x_c}\Bigr)

    Predict the classes whose logit is above 0. A soft target shares each exponential between both sums.

    Source: Su et al. 2022, arXiv:2208.02955.

    Elsewhere: known in Chinese blogs as the multi-label categorical cross-entropy.
    """

    authority = "timm.loss.ZlprLoss and its formula in mpmath"
    short_name = "zlpr"
    function_name = "zlpr_loss"
    also_called = ("multilabel_categorical_crossentropy",)
    shapes = "input (N, C, *), target of the same shape in [0, 1]; weight and mask (N, *) or (N, 1, *); values (N, *)."

    ignore_index: int = option(default=-100, doc="the label of classes to leave out of a sample's sums")

    denominator = Summable.denominator

    def weighed(
        self, *tensors: Tensor, weight: Tensor | None = None, mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        spec = InputSpec("sigmoid", ignore_index=self.ignore_index, same_shape=True)
        inputs = spec.parse(self.name, tensors[0], tensors[1], weight, mask)
        bad = values.check(inputs)
        elements = Elements(inputs)
        x, target = elements.input, elements.target
        counts = None if elements.counts is None else elements.counts.expand(x.shape)
        value = _log_of_sum(x, 1 - target, counts) + _log_of_sum(-x, target, counts)
        for found in bad:
            value = value + found
        share = None if inputs.weight is None else inputs.weight.to(value.dtype).expand(x.shape).amax(1)
        return weighted(value, share, None if counts is None else counts.any(1))


def _log_of_sum(x: Tensor, share: Tensor, counts: Tensor | None) -> Tensor:
    """`log(1 + sum of share * exp(x))` over classes, without those that do not count."""
    belongs = share > 0 if counts is None else (share > 0) & counts
    x = torch.where(belongs, x, -torch.inf) + torch.where(belongs, share, 1.0).log()
    return torch.cat([torch.zeros_like(x[:, :1]), x], 1).logsumexp(1)
