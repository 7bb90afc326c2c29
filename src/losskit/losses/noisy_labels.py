"""Losses for noisy labels, and for complementary, partial or missing ones."""

from __future__ import annotations

import math
from typing import Annotated

import torch
from annotated_types import Ge, Interval
from torch import Tensor

from losskit.core.contract import check_tensor, shape
from losskit.core.domains import NonNegative
from losskit.core.labels import ClassificationLoss, ModeOptions
from losskit.core.logits import ClassesLoss, finite
from losskit.core.options import option
from losskit.losses.long_tail import BinaryMeansLoss
from losskit.losses.shortcuts import ClosedForm
from losskit.ops import closed_rows
from losskit.ops.closed_forms import Found, class_indices
from losskit.ops.columns import Formula
from losskit.ops.inputs import summing_dtype
from losskit.ops.maths import log_rest_softmax, log_softmax, one_minus_exp, safe_power
from losskit.ops.reference import Elements

_STEPS = 30  # Newton steps, each of which doubles the digits


class TaylorCrossEntropyLoss(ModeOptions, ClassificationLoss):
    r"""Taylor cross-entropy: the truncated Taylor series of cross-entropy, bounded and robust to label noise.

    .. math:: \sum_{k=1}^{n} \frac{(1 - p_t)^k}{k}

    order 1 is the absolute error of the true class's probability; large orders approach cross-entropy.

    Source: Feng et al. 2020, "Can Cross Entropy Loss Be Robust to Label Noise?", IJCAI.

    Elsewhere: in CoinCheung's pytorch-loss "Taylor cross-entropy" is the cross-entropy of a Taylor softmax.

    Example:
        >>> loss = losskit.TaylorCrossEntropyLoss(order=2)
        >>> input = torch.tensor([[2.0, 0.0]])  # logits (N, C)
        >>> target = torch.tensor([0])  # class indices (N,)
        >>> loss(input, target)
        tensor(0.1263)
    """

    authority = "its formula in mpmath"
    short_name = "taylor_ce"
    function_name = "taylor_cross_entropy_loss"

    order: Annotated[int, Ge(1)] = option(default=2, doc="number of terms of the series")

    def term(self, log_p: Tensor) -> Tensor:
        rest = one_minus_exp(log_p)
        value = power = rest
        for k in range(2, self.order + 1):
            power = power * rest
            value = value + power / k
        return value


class SymmetricCrossEntropyLoss(ModeOptions, ClassificationLoss):
    r"""Symmetric cross-entropy: cross-entropy plus reverse cross-entropy, robust to label noise.

    .. math:: -\alpha \log p_t - \beta\,\log(\text{floor})\,(1 - p_t)

    The reverse part is :math:`-\sum_c p_c \log t_c` with the zeros of a hard target replaced by the floor.

    Source: Wang et al. 2019, arXiv:1908.06112.

    Elsewhere: the paper writes the logarithm of the floor as A; released code clamps the target at 1e-4.

    Example:
        >>> loss = losskit.SymmetricCrossEntropyLoss(alpha=0.1, beta=1.0)
        >>> input = torch.tensor([[2.0, 0.0]])  # logits (N, C)
        >>> target = torch.tensor([0])  # class indices (N,)
        >>> loss(input, target)
        tensor(1.1106)
    """

    authority = "its formula in mpmath"
    short_name = "sce"

    alpha: NonNegative = option(default=0.1, doc="weight of cross-entropy")
    beta: NonNegative = option(default=1.0, doc="weight of reverse cross-entropy")
    floor: Annotated[float, Interval(gt=0, lt=1)] = option(default=1e-4, doc="replaces a target of 0 in the logarithm")

    def formula(self) -> Formula:
        return Formula(log=self.alpha, rest=-self.beta * math.log(self.floor))


class ReverseCrossEntropyLoss(ModeOptions, ClassificationLoss):
    r"""Reverse cross-entropy: prediction and target exchanged; a multiple of MAE, robust to label noise.

    .. math:: -\sum_c p_c \log t_c = -\log(\text{floor})\,(1 - p_t)

    for a hard target, whose zeros are replaced by the floor.

    Source: Wang et al. 2019, arXiv:1908.06112; as a separate loss Ma et al. 2020, arXiv:2006.13554.

    Elsewhere: SymmetricCrossEntropyLoss adds cross-entropy to it.

    Example:
        >>> loss = losskit.ReverseCrossEntropyLoss()
        >>> input = torch.tensor([[2.0, 0.0]])  # logits (N, C)
        >>> target = torch.tensor([0])  # class indices (N,)
        >>> loss(input, target)
        tensor(1.0979)
    """

    authority = "its formula in mpmath"
    short_name = "rce"

    floor: Annotated[float, Interval(gt=0, lt=1)] = option(default=1e-4, doc="replaces a target of 0 in the logarithm")

    def formula(self) -> Formula:
        return Formula(log=0.0, rest=-math.log(self.floor))


class NegativeLearningLoss(ClassesLoss):
    r"""Negative learning: minus log(1 - p) of a complementary label, a class that is known to be wrong.

    .. math:: -\sum_c \bar t_c \log(1 - p_c)

    Source: Kim et al. 2019, arXiv:1908.07387.

    Elsewhere: for one channel it is binary cross-entropy with exchanged labels, so this loss takes several classes
    only.

    Example:
        >>> loss = losskit.NegativeLearningLoss()
        >>> input = torch.tensor([[2.0, 0.0]])  # logits (N, C)
        >>> target = torch.tensor([1])  # a class that is wrong (N,)
        >>> loss(input, target)
        tensor(0.1269)
    """

    authority = "its formula in mpmath"
    short_name = "negative_learning"
    also_called = ("nl", "nlnl", "complementary")

    def per_position(self, logits: Tensor, target: Tensor) -> Tensor:
        return -torch.where(target == 0, 0.0, target * log_rest_softmax(logits)).sum(1)


class PartialLabelLoss(ClassesLoss):
    r"""Marginal loss for partially labelled data: cross-entropy with unlabelled classes merged into the background.

    .. math:: -\log \sum_{c \in B} p_c \text{ where } y \in B, \qquad -\log p_y \text{ elsewhere}

    with B the background, class 0, and the classes for which a sample is not labelled. `labelled` is True where a
    sample is labelled for a class; its first column has no effect.

    Source: Shi et al. 2021, arXiv:2007.03868 (marginal loss).

    Elsewhere: the paper adds Dice of the same merged classes, and an exclusion loss.

    Example:
        >>> loss = losskit.PartialLabelLoss()
        >>> input = torch.tensor([[2.0, 1.0, 2.0]])  # logits (N, C)
        >>> target = torch.tensor([0])  # class indices (N,), 0 for background or not labelled
        >>> loss(input, target, labelled=torch.tensor([[True, True, False]]))  # (N, C)
        tensor(0.1688)
    """

    authority = "its formula in mpmath and values worked by hand"
    short_name = "partial_label"
    also_called = ("marginal_loss", "partial_labels")
    tensors = ("input", "target", "labelled")
    shapes = f"{ClassesLoss.shapes[:-1]}; labelled bool (N, C)."

    @property
    def counts_from_targets(self) -> bool:
        return False

    def prepare(self, elements: Elements, *others: Tensor) -> None:
        (labelled,) = others
        input = elements.input
        check_tensor(self.name, "labelled", labelled)
        if labelled.dtype != torch.bool:
            raise TypeError(f"{self.name}: labelled must be bool; got {labelled.dtype}. Pass labelled.bool().")
        if labelled.shape != input.shape[:2]:
            raise ValueError(
                f"{self.name}: labelled has shape {shape(labelled)}, but input {shape(input)} takes "
                f"{tuple(input.shape[:2])}. Make it True where a sample was labelled for a class."
            )
        known = labelled.reshape(*labelled.shape, *(1,) * (input.dim() - 2))
        known = torch.cat([torch.zeros_like(known[:, :1]), known[:, 1:]], 1)
        x = finite(input)
        x = x - x.detach().amax(1, keepdim=True)  # keeps the logarithm of a sum small
        background = torch.where(known, -torch.inf, x).logsumexp(1, keepdim=True)
        elements.input = torch.cat([background, torch.where(known, x, -torch.inf)[:, 1:]], 1)
        unknown = torch.where(known, 0.0, elements.target).sum(1, keepdim=True)
        elements.target = torch.cat([unknown, torch.where(known, elements.target, 0.0)[:, 1:]], 1)

    def per_position(self, logits: Tensor, target: Tensor) -> Tensor:
        return -torch.where(target == 0, 0.0, target * log_softmax(logits)).sum(1)


class NormalizedLoss(ClassesLoss):
    r"""Normalized loss: a loss divided by its sum over all possible labels, which makes it robust to label noise.

    .. math:: \frac{\sum_c t_c\,f(\log p_c)}{\sum_c f(\log p_c)}

    with f the term of the criterion. It lies in [0, 1]. Added to a passive loss, `NormalizedLoss(criterion=ce) +
    ReverseCrossEntropyLoss()`, it learns faster. Weights of the true class and label smoothing of the criterion have no
    effect; class weights are those of this loss.

    Source: Ma et al. 2020, arXiv:2006.13554 (active passive loss).

    Example:
        >>> loss = losskit.NormalizedLoss(criterion=losskit.CrossEntropyLoss())
        >>> input = torch.tensor([[2.0, 0.0]])  # logits (N, C)
        >>> target = torch.tensor([0])  # class indices (N,)
        >>> loss(input, target)
        tensor(0.0563)
    """

    authority = "its formula in mpmath"
    short_name = "normalized"
    also_called = ("apl", "active_passive", "nce", "normalized_cross_entropy")

    criterion: ClassificationLoss = option(doc="loss whose term is normalized, such as CrossEntropyLoss or FocalLoss")

    def per_position(self, logits: Tensor, target: Tensor) -> Tensor:
        each = self.criterion.term(log_softmax(logits))
        return torch.where(target == 0, 0.0, target * each).sum(1) / each.sum(1)


class BiTemperedLoss(ClosedForm, ClassesLoss):
    r"""Bi-tempered logistic loss: a bounded logarithm and a heavy-tailed softmax, robust to label noise.

    .. math:: \sum_c t_c\,(\log_{t_1} t_c - \log_{t_1} p_c) - \frac{t_c^{\,2 - t_1} - p_c^{\,2 - t_1}}{2 - t_1}

    with :math:`\log_t u = (u^{1 - t} - 1) / (1 - t)`, its inverse :math:`\exp_t`, and :math:`p_c =
    \exp_{t_2}(x_c - \lambda)`, where :math:`\lambda` makes them sum to 1. t1 is for wrong labels far from the decision
    boundary, t2 for those near it. Both temperatures 1 give cross-entropy, minus the entropy of a soft target.

    Source: Amid et al. 2019, arXiv:1906.03361.

    Elsewhere: pytorch_toolbelt takes five iterations for :math:`\lambda`, here it is exact; its smoothing replaces the
    target.

    Example:
        >>> loss = losskit.BiTemperedLoss(t1=0.8, t2=1.2)
        >>> input = torch.tensor([[2.0, 0.0], [8.0, 0.0]])  # logits (N, C)
        >>> target = torch.tensor([0, 1])  # class indices (N,), the second one wrong
        >>> loss(input, target)
        tensor(1.5910)
    """

    authority = "its formula in mpmath"
    short_name = "bi_tempered"
    also_called = ("bitempered", "bi_tempered_logistic")
    function_name = "bi_tempered_loss"

    t1: Annotated[float, Interval(ge=0, le=1)] = option(default=0.8, doc="logarithm temperature; bounded below 1")
    t2: Annotated[float, Interval(ge=1, lt=4)] = option(default=1.2, doc="softmax temperature; heavy tails above 1")

    def closed_form(self, input: Tensor, target: Tensor, *, derive: bool) -> Found | None:
        label = class_indices(input, target, self.ignore_index) if self.t1 < 1 < self.t2 else None
        return None if label is None else closed_rows.bi_tempered(input, label, self.t1, self.t2, derive)

    def per_position(self, logits: Tensor, target: Tensor) -> Tensor:
        p = self._softmax_of(logits.to(summing_dtype(logits)))  # float64: powers of confident predictions cancel
        power = 2 - self.t1
        gap = torch.where(target == 0, 0.0, target * (self._log(target) - self._log(p)))
        value = (gap - (safe_power(target, power) - safe_power(p, power)) / power).sum(1)
        return value.to(logits.dtype)

    def _log(self, x: Tensor) -> Tensor:
        if self.t1 == 1:
            return torch.where(x > 0, x, 1.0).log()
        return (safe_power(x, 1 - self.t1) - 1) / (1 - self.t1)

    def _softmax_of(self, x: Tensor) -> Tensor:
        """Probabilities `exp_t2(x - shift)`; their sum falls and is convex in the shift: Newton's method from below."""
        if self.t2 == 1:
            return log_softmax(x).exp()
        heavy = self.t2 - 1
        x = x - x.detach().amax(1, keepdim=True)
        shift = torch.zeros_like(x[:, :1])
        for step in range(_STEPS):
            at = x.detach() if step < _STEPS - 2 else x  # the last steps carry the derivatives
            base = 1 - heavy * (at - shift)
            p = base ** (-1 / heavy)
            shift = shift + (p.sum(1, keepdim=True) - 1) / (p / base).sum(1, keepdim=True)
        return (1 - heavy * (x - shift)) ** (-1 / heavy)


class PULoss(BinaryMeansLoss):
    r"""Non-negative PU loss: learning from positive and unlabelled elements, with the sigmoid loss.

    .. math:: \pi R^+ + \max\bigl(0,\; R_u^- - \pi R^-\bigr)

    with :math:`R^+` the mean of :math:`1 - p` over positives (label 1), :math:`R^-` that of p, and :math:`R_u^-` the
    mean of p over the unlabelled (label 0), which count as negatives minus the positives among them. An empty mean is
    0.

    Source: Kiryo et al. 2017, arXiv:1703.00593 (non-negative risk).

    Elsewhere: the paper's algorithm ascends where the second part is negative; here its gradient is that of the value,
    which is 0 there.

    Example:
        >>> loss = losskit.PULoss(prior=0.3)  # the share of positives
        >>> input = torch.tensor([3.0, -2.0, 0.5])  # logits (N,)
        >>> target = torch.tensor([1, 0, 0])  # 1 positive, 0 unlabelled
        >>> loss(input, target)
        tensor(0.0993)
    """

    authority = "its formula in mpmath"
    function_name = "pu_loss"
    short_name = "pu"
    also_called = ("nnpu", "positive_unlabeled")

    prior: Annotated[float, Interval(gt=0, lt=1)] = option(doc="fraction of positives among the unlabelled")

    def label_term(self) -> Formula:
        return Formula(log=0.0, rest=1.0)

    def of_means(self, yes: Tensor, no: Tensor, known: tuple[Tensor, Tensor]) -> Tensor:
        of_positives = torch.where(known[0], 1 - yes, 0.0)  # the mean of p over positives
        return self.prior * yes + (no - self.prior * of_positives).clamp_min(0)
