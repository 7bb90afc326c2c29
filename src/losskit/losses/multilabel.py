"""Multi-label losses: several binary labels per sample."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from losskit.core.contract import InputSpec
from losskit.core.domains import Fraction, NonNegative, Positive
from losskit.core.labels import ClassificationLoss
from losskit.core.logits import ClassesLoss, ScoreLoss, finite
from losskit.core.loss import Loss
from losskit.core.means import MeanLoss
from losskit.core.options import option
from losskit.core.summable import Summable, answering
from losskit.core.sums import check_size, divide, is_sharded, of_shards, size_of, weighted
from losskit.losses.shortcuts import ClosedForm
from losskit.ops import closed_forms, closed_rows, values
from losskit.ops.maths import log_sigmoid, log_softmax, one_minus_exp, safe_power
from losskit.ops.reference import Elements


class AsymmetricLoss(ClassificationLoss):
    r"""Asymmetric loss (ASL): focal loss with separate exponents of positives and negatives, and clipped negatives.

    .. math:: -t\,(1 - p)^{\gamma_+} \log p - (1 - t)\,p_m^{\gamma_-} \log(1 - p_m), \qquad p_m = \max(p - m, 0)

    with m the clip: negatives of lower probability have loss 0. The gradient is that of the value, through the powers
    too.

    Source: Ridnik et al. 2020, arXiv:2009.14119.

    Elsewhere: the released code sums over classes and by default takes no gradient through the powers; timm takes it,
    and divides by the batch size.

    Example:
        >>> loss = losskit.AsymmetricLoss()
        >>> input = torch.tensor([[1.0, -1.0, -4.0]])  # logits (N, C)
        >>> target = torch.tensor([[1, 0, 0]])  # labels (N, C)
        >>> loss(input, target)
        tensor(0.0283)
    """

    always = "sigmoid"
    authority = "timm.loss.AsymmetricLossMultiLabel and its formula in mpmath"
    short_name = "asl"
    also_called = ("asymmetric",)
    shapes = ScoreLoss.shapes

    gamma_negative: NonNegative = option(default=4.0, doc="focusing exponent of negatives")
    gamma_positive: NonNegative = option(default=1.0, doc="focusing exponent of positives")
    clip: Fraction = option(default=0.05, doc="probability below which a negative has loss 0; m in the formula")

    def term(self, log_p: Tensor) -> Tensor:
        return -safe_power(one_minus_exp(log_p), self.gamma_positive) * log_p

    def term_of_no(self, log_q: Tensor) -> Tensor:
        p = one_minus_exp(log_q) - self.clip
        costs = p > 0
        shifted = torch.where(costs, p, 0.0)
        log = log_q if self.clip == 0 else torch.log1p(-torch.where(costs, p, 0.0))
        return -safe_power(shifted, self.gamma_negative) * log


class AsymmetricSoftmaxLoss(ClosedForm, ClassesLoss):
    r"""Single-label asymmetric loss: softmax cross-entropy with separate focusing of the true and the other classes.

    .. math:: -\sum_c \Bigl(t_c\,(1 - \varepsilon) + \frac{\varepsilon}{C}\Bigr)\,w_c \log p_c, \qquad
        w_c = \begin{cases} (1 - p_c)^{\gamma_+} & c = y \\ p_c^{\gamma_-} & c \ne y \end{cases}

    with :math:`\varepsilon` the label smoothing; without it only the true class counts.

    Source: Ridnik et al. 2020, arXiv:2009.14119, for several labels; the single-label form is in the authors' code.

    Elsewhere: timm calls it AsymmetricLossSingleLabel, and the smoothing eps.

    Example:
        >>> loss = losskit.AsymmetricSoftmaxLoss(label_smoothing=0.1)
        >>> input = torch.tensor([[2.0, 0.0, 0.0]])  # logits (N, C)
        >>> target = torch.tensor([0])  # class indices (N,)
        >>> loss(input, target)
        tensor(0.2236)
    """

    authority = "timm.loss.AsymmetricLossSingleLabel and its formula in mpmath"
    short_name = "asl_softmax"
    also_called = ("asymmetric_single_label", "asl_single")

    gamma_negative: NonNegative = option(default=4.0, doc="focusing exponent of the other classes")
    gamma_positive: NonNegative = option(default=0.0, doc="focusing exponent of the true class")
    label_smoothing: Fraction = option(default=0.1, doc="the share of the target spread evenly over the classes")

    def closed_form(self, input: Tensor, target: Tensor, *, derive: bool) -> closed_forms.Found | None:
        label = closed_forms.class_indices(input, target, self.ignore_index)
        if label is None:
            return None
        numbers = self.gamma_negative, self.gamma_positive, self.label_smoothing
        return closed_rows.asymmetric_softmax(input, label, *numbers, derive)

    def per_position(self, logits: Tensor, target: Tensor) -> Tensor:
        log_p = log_softmax(logits)
        spread = self.label_smoothing / logits.shape[1]
        yes = -safe_power(one_minus_exp(log_p), self.gamma_positive) * log_p
        no = -torch.exp(self.gamma_negative * log_p) * log_p
        truth = torch.where(target == 0, 0.0, target * yes)
        other = torch.where(target == 1, 0.0, (1 - target) * no)
        return ((1 - self.label_smoothing + spread) * truth + spread * other).sum(1)


class HingeLoss(ScoreLoss):
    r"""Binary hinge loss: 0 beyond the margin on the correct side, and linear or squared otherwise.

    .. math:: \max(0, m - (2t - 1)\,x)

    for targets 0 and 1, or its square. Soft targets weight the losses of positive and negative.

    Source: Cortes and Vapnik 1995, "Support-Vector Networks", Machine Learning 20.

    Elsewhere: Keras and optax take targets of 1 and -1; for several classes use MultiMarginLoss.

    Example:
        >>> loss = losskit.HingeLoss()
        >>> input = torch.tensor([2.0, -0.5])  # scores (N,)
        >>> target = torch.tensor([1, 0])
        >>> loss(input, target)
        tensor(0.2500)
    """

    authority = "its formula in mpmath"
    short_name = "hinge"
    also_called = ("svm",)

    margin: Positive = option(default=1.0, doc="required distance of a score on the correct side")
    squared: bool = option(default=False, doc="square the hinge, which makes the loss smooth")

    def per_position(self, logits: Tensor, target: Tensor) -> Tensor:
        yes, no = (self.margin - logits).clamp_min(0), (self.margin + logits).clamp_min(0)
        if self.squared:
            yes, no = yes**2, no**2
        return torch.where(target == 0, 0.0, target * yes) + torch.where(target == 1, 0.0, (1 - target) * no)


class ZLPRLoss(ClosedForm, MeanLoss):
    r"""ZLPR (zero-bounded log-sum-exp pairwise rank) loss: ranks labels above 0 and all other classes below.

    .. math:: \log\Bigl(1 + \sum_{t_c = 0} e^{x_c}\Bigr) + \log\Bigl(1 + \sum_{t_c = 1} e^{-x_c}\Bigr)

    Predict the classes whose logit is above 0. A soft target splits each exponential between both sums.

    Source: Su et al. 2022, arXiv:2208.02955.

    Elsewhere: known in Chinese blogs as the multi-label categorical cross-entropy.

    Example:
        >>> loss = losskit.ZLPRLoss()
        >>> input = torch.tensor([[2.0, -1.0, -3.0]])  # logits (N, C)
        >>> target = torch.tensor([[1, 0, 0]])  # labels (N, C)
        >>> loss(input, target)
        tensor(0.4759)
    """

    authority = "timm.loss.ZlprLoss and its formula in mpmath"
    short_name = "zlpr"
    function_name = "zlpr_loss"
    also_called = ("multilabel_categorical_crossentropy",)
    shapes = "input (N, C, *), target of the same shape in [0, 1]; weight and mask (N, *) or (N, 1, *); values (N, *)."

    ignore_index: int = option(default=-100, doc="the label of classes to exclude from a sample's sums")

    denominator = Summable.denominator

    def closed_form(self, input: Tensor, target: Tensor, *, derive: bool) -> closed_forms.Found | None:
        yes = closed_forms.binary_labels(input, target, self.ignore_index)
        return None if yes is None else closed_rows.zlpr(input, yes, derive)

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
    """`log(1 + sum of share * exp(x))` over the classes that count."""
    belongs = share > 0 if counts is None else (share > 0) & counts
    x = torch.where(belongs, x, -torch.inf) + torch.where(belongs, share, 1.0).log()
    return torch.cat([torch.zeros_like(x[:, :1]), x], 1).logsumexp(1)


class TwoWayLoss(ClosedForm, Loss):
    r"""Two-way multi-label loss: separates the hardest positive and negative of each sample and of each class.

    .. math:: \mathrm{softplus}\Bigl(T_- \log \sum_{t = 0} e^{x / T_-} + T_+ \log \sum_{t = 1} e^{-x / T_+}\Bigr)

    the mean over samples with a positive, with sums over their classes, plus the mean over classes with a positive,
    with sums over the samples of the batch, which are its positions. A soft target splits each exponential between both
    sums; a weight multiplies the exponentials of its sample, and its share of the mean over samples.

    Source: Kobayashi 2023, "Two-Way Multi-Label Loss", CVPR.

    Elsewhere: timm calls the temperatures tp and tn, and treats targets above one half as 1.

    Example:
        >>> loss = losskit.TwoWayLoss()
        >>> input = torch.tensor([[2.0, -1.0], [-2.0, 1.0]])  # logits (N, C)
        >>> target = torch.tensor([[1, 0], [0, 1]])  # labels (N, C)
        >>> loss(input, target)
        tensor(0.1211)
    """

    authority = "timm.loss.TwoWayLoss and its formula in mpmath"
    short_name = "two_way"
    also_called = ("twoway",)
    across_ranks = "its sums are over each rank's own batch."
    shapes = "input (N, C, *), target of the same shape in [0, 1]; weight and mask (N, *) or (N, 1, *); one number."

    positive_temperature: Positive = option(default=4.0, doc="temperature of the soft maximum over positives")
    negative_temperature: Positive = option(default=1.0, doc="temperature of the soft maximum over negatives")
    ignore_index: int = option(default=-100, doc="the label of classes to exclude from a sample's sums")
    reduction: Literal["mean"] = option(default="mean", doc="one value for the batch; no other reduction")

    @answering
    def forward(
        self, input: Tensor, target: Tensor, weight: Tensor | None = None, mask: Tensor | None = None
    ) -> Tensor:
        if is_sharded((input, target, weight, mask)):
            return of_shards(self, (input, target), {"weight": weight, "mask": mask})
        value = self.shortcut(input, target) if weight is mask is None else None
        return self.reduced(input, target, weight, mask) if value is None else value

    def closed_form(self, input: Tensor, target: Tensor, *, derive: bool) -> closed_forms.Found | None:
        yes = closed_forms.binary_labels(input, target, self.ignore_index) if input.dim() == 2 else None
        if yes is None:
            return None
        return closed_forms.two_way(input, yes, self.positive_temperature, self.negative_temperature, derive)

    def reduced(
        self, input: Tensor, target: Tensor, weight: Tensor | None = None, mask: Tensor | None = None
    ) -> Tensor:
        inputs = InputSpec("sigmoid", ignore_index=self.ignore_index, same_shape=True).parse(
            self.name, input, target, weight, mask
        )
        bad = values.check(inputs)
        elements = Elements(inputs)
        x, positive = (_rows(t) for t in (finite(elements.input), elements.target))
        counts = torch.ones_like(x, dtype=torch.bool)
        if elements.counts is not None:
            counts = _rows(elements.counts.expand(inputs.input.shape))
        share = _rows(elements.selected_weight.expand_as(elements.input)).amax(1)
        check_size(size_of(share), self.name)
        yes, no = (torch.where(counts, t, 0.0) for t in (positive, 1 - positive))
        of_samples, some = self._apart(x, yes, no, 1)
        value = divide((share * of_samples).sum(), torch.where(some, share, 0.0).sum(), self.empty, self.name)
        of_classes, some = self._apart(x, yes * share.unsqueeze(1), no * share.unsqueeze(1), 0)
        value = value + divide(of_classes.sum(), some.to(x.dtype).sum(), self.empty, self.name)
        return sum(bad, value)

    def _apart(self, x: Tensor, yes: Tensor, no: Tensor, dim: int) -> tuple[Tensor, Tensor]:
        """The loss along a dimension, and where there is a positive; the loss is 0 where there is no negative."""
        hardest = [
            _soft_largest(side * x, share, temperature, dim)
            for side, share, temperature in ((-1, yes, self.positive_temperature), (1, no, self.negative_temperature))
        ]
        known = (yes > 0).any(dim), (no > 0).any(dim)
        gap = torch.where(known[0] & known[1], hardest[0] + hardest[1], 0.0)
        return torch.where(known[0] & known[1], -log_sigmoid(-gap), 0.0), known[0]


def _rows(tensor: Tensor) -> Tensor:
    """(N, C, *) as rows of classes, one per position."""
    return tensor.movedim(1, -1).reshape(-1, tensor.shape[1])


def _soft_largest(x: Tensor, share: Tensor, temperature: float, dim: int) -> Tensor:
    """`T log sum share exp(x / T)`, and 0 where no share is above 0."""
    belongs = share > 0
    some = belongs.any(dim, keepdim=True)
    scores = torch.where(belongs, x / temperature + torch.where(belongs, share, 1.0).log(), -torch.inf)
    return temperature * torch.where(some, scores, 0.0).logsumexp(dim)
