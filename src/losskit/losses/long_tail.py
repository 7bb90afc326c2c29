"""Losses for long-tailed classes and imbalanced labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal

import torch
from annotated_types import Ge
from torch import Tensor, nn

from losskit.core.contract import Always
from losskit.core.domains import ClassNumbers, NonNegative, Positive
from losskit.core.labels import LabelLoss, over_samples
from losskit.core.logits import ClassesLoss, ScoreLoss
from losskit.core.options import option
from losskit.core.sums import Sums, check_size, divide
from losskit.losses.classification import CrossEntropyLoss
from losskit.losses.region import ratio
from losskit.losses.shortcuts import ClosedForm
from losskit.ops import closed_forms
from losskit.ops.columns import Column, Formula, TermColumn
from losskit.ops.inputs import Inputs, Link, summing_dtype
from losskit.ops.maths import log_rest_softmax, log_sigmoid


class BalancedSoftmaxLoss(CrossEntropyLoss):
    r"""Balanced softmax: cross-entropy of logits shifted by the logarithm of the class frequencies.

    .. math:: -\sum_c t_c \log\mathrm{softmax}(x + \log\pi)_c

    The prior belongs to training only; predict from the logits themselves.

    Source: Ren et al. 2020, arXiv:2007.10740.

    Elsewhere: it equals LogitAdjustedLoss with tau 1, and `CrossEntropyLoss(prior=counts)`.

    Example:
        >>> loss = losskit.BalancedSoftmaxLoss(prior=[900, 100])  # samples of each class
        >>> input = torch.tensor([[0.0, 0.0], [1.0, 3.0]])  # logits (N, C)
        >>> target = torch.tensor([1, 1])  # class indices (N,)
        >>> loss(input, target)
        tensor(1.5496)
    """

    authority = "its formula in mpmath"
    function_name = "balanced_softmax_loss"
    short_name = "balanced_softmax"
    also_called: ClassVar[tuple[str, ...]] = ("bsm",)
    without = ("from_logits",)
    from_logits: ClassVar[bool] = True  # type: ignore[misc] # a prior adjusts logits

    prior: ClassNumbers = option(doc="class frequencies in training, counts or shares, all > 0")


class LogitAdjustedLoss(BalancedSoftmaxLoss):
    r"""Logit adjustment: cross-entropy of logits shifted by tau times the logarithm of the class frequencies.

    .. math:: -\sum_c t_c \log\mathrm{softmax}(x + \tau\log\pi)_c

    The prior belongs to training only; predict from the logits themselves.

    Source: Menon et al. 2020, arXiv:2007.07314.

    Elsewhere: the paper's post-hoc variant adjusts the logits of a trained model instead, without a loss.

    Example:
        >>> loss = losskit.LogitAdjustedLoss(prior=[900, 100], tau=1.0)  # samples of each class
        >>> input = torch.tensor([[0.0, 0.0]])  # logits (N, C)
        >>> target = torch.tensor([1])  # class indices (N,), the rare class
        >>> loss(input, target)
        tensor(2.3026)
    """

    authority = "its formula in mpmath"
    function_name = "logit_adjusted_loss"
    short_name = "logit_adjusted"
    also_called = ("logit_adjustment", "la")

    tau: NonNegative = option(default=1.0, doc="factor of the log prior; 0 gives cross-entropy")

    def logit_bias(self) -> Tensor | None:
        bias = super().logit_bias()
        return None if bias is None else self.tau * bias


class LDAMLoss(ClassesLoss):
    r"""LDAM (label-distribution-aware margin) loss: cross-entropy with wider margins for rarer classes.

    .. math:: \log\Bigl(1 + \sum_{k \ne y} e^{s\,(x_k - x_y + m_y)}\Bigr), \qquad
        m_c = m \left(\frac{\min_k n_k}{n_c}\right)^{1/4}

    with n the class counts and s the scale. The logits are cosines, from a layer with normalized weights and features.

    Source: Cao et al. 2019, arXiv:1906.07413.

    Elsewhere: its deferred re-weighting corresponds to setting `class_weight` after some epochs.

    Example:
        >>> loss = losskit.LDAMLoss(class_counts=[900, 100])
        >>> input = torch.tensor([[0.4, 0.8]])  # cosines (N, C)
        >>> target = torch.tensor([1])  # class indices (N,), the rare class
        >>> loss(input, target)
        tensor(3.0486)
    """

    authority = "its formula in mpmath"
    function_name = "ldam_loss"
    short_name = "ldam"

    class_counts: ClassNumbers = option(doc="number of training elements of each class, all > 0")
    max_margin: NonNegative = option(default=0.5, doc="margin of the rarest class")
    scale: Positive = option(default=30.0, doc="multiplies the logits, after the margin")

    def __post_init__(self) -> None:
        check_counts(self.name, "class_counts", self.class_counts)

    def per_position(self, logits: Tensor, target: Tensor) -> Tensor:
        check_classes(self.name, "class_counts", self.class_counts, logits)
        counts = self.class_counts.to(summing_dtype(logits))  # type: ignore[union-attr]
        margin = self.max_margin * (counts.min() / counts) ** 0.25
        # float64, since the scale multiplies the rounding errors of differences; the largest logit becomes 0
        scaled = self.scale * (logits - logits.detach().amax(1, keepdim=True)).to(summing_dtype(logits))
        others = scaled.logsumexp(1, keepdim=True) + log_rest_softmax(scaled)
        ahead = scaled - self.scale * margin.view(-1, *(1,) * (logits.dim() - 2)) - others
        each = torch.nn.functional.softplus(-ahead, threshold=40.0)
        return torch.where(target == 0, 0.0, target * each).sum(1).to(logits.dtype)


class BinaryMeansLoss(LabelLoss):
    """A function of the batch's mean over positives and its mean over negatives: define `of_means(yes, no, known)`."""

    abstract: ClassVar[bool] = True
    always: ClassVar[Always | None] = "sigmoid"
    shapes: ClassVar[str] = (
        "input (N, C, *) or (N,), target of the same shape, with one channel also (N, *); weight and mask of that "
        "shape, with size 1 where they repeat; the value is one number."
    )

    reduction: Literal["mean"] = option(default="mean", doc="one value for the batch; no other reduction")

    def label_term(self) -> Formula:
        """The loss of a label as a function of its log-probability."""
        raise NotImplementedError

    def of_means(self, yes: Tensor, no: Tensor, known: tuple[Tensor, Tensor]) -> Tensor:
        """The loss from the two means; an empty mean is 0, and not known."""
        raise NotImplementedError

    @property
    def is_mean(self) -> bool:
        return False

    @property
    def pools(self) -> bool:
        return True

    def columns(self, link: Link) -> list[Column]:
        return [TermColumn(self.label_term(), "truth", 0), TermColumn(self.label_term(), "truth", 1), "target", "count"]

    def sums_from_totals(self, totals: Sequence[Tensor], inputs: Inputs) -> Sums:
        yes, no, target, count = map(over_samples, totals)
        return Sums(yes=yes, no=no, positives=target, count=count)

    def conclude(self, sums: Sums) -> tuple[Tensor, Tensor | None]:
        yes, no, positives, count = (self.by_class(sums[n]).sum() for n in ("yes", "no", "positives", "count"))
        check_size(count, self.name)
        negatives = count - positives
        value = self.of_means(ratio(yes, positives), ratio(no, negatives), (positives != 0, negatives != 0))
        return divide(value, (count != 0).to(value), self.empty, self.name), None


class BalancedBCELoss(BinaryMeansLoss):
    r"""Class-balanced binary cross-entropy: half the mean over positives plus half the mean over negatives.

    .. math:: -\frac{1}{2}\left(\frac{\sum_i t_i \log p_i}{\sum_i t_i} +
        \frac{\sum_i (1 - t_i) \log(1 - p_i)}{\sum_i (1 - t_i)}\right)

    over all elements of the batch. If positives or negatives are absent, the loss is the mean over the others alone.

    Source: Xie and Tu 2015, arXiv:1504.06375, which weights edges by the share of the opposite label in each image.

    Elsewhere: pytorch_toolbelt raises the shares to a power; mmsegmentation calls it BoundaryLoss; `pos_weight` of
    BCEWithLogitsLoss is a constant that does not depend on the batch.

    Example:
        >>> loss = losskit.BalancedBCELoss()
        >>> input = torch.tensor([-2.0, -2.0, -2.0, -2.0])  # logits (N,)
        >>> target = torch.tensor([0, 0, 0, 1])  # a rare positive
        >>> loss(input, target)
        tensor(1.1269)
    """

    authority = "its formula in mpmath"
    function_name = "balanced_bce_loss"
    short_name = "balanced_bce"
    also_called = ("class_balanced_bce", "hed")

    def label_term(self) -> Formula:
        return Formula()

    def of_means(self, yes: Tensor, no: Tensor, known: tuple[Tensor, Tensor]) -> Tensor:
        both = known[0].to(yes) + known[1].to(yes)
        return (yes + no) / both.clamp_min(1)


class AUCMLoss(ClosedForm, BinaryMeansLoss):
    r"""AUC margin loss (AUCM): a min-max surrogate of the area under the ROC curve.

    .. math:: \mathrm{mean}_+ (p - a)^2 + \mathrm{mean}_- (p - b)^2 + 2 \alpha\,(m + \mathrm{mean}_-\,p -
        \mathrm{mean}_+\,p) - \alpha^2

    Positives and negatives are each drawn towards a learned value, and apart by a margin. a, b and alpha are learned:
    pass the module's parameters to an optimizer. The gradient with respect to alpha is reversed, so that a descent step
    of all is an ascent step of alpha; keep alpha at 0 or above, `loss.alpha.data.clamp_(min=0)`. If positives or
    negatives are absent, their term is 0, and that of alpha too. The function form takes the three as tensors.

    Source: Yuan et al. 2021, arXiv:2012.03173.

    Elsewhere: this is version "v2" of LibAUC and MONAI, of probabilities; "v1" is this times the product of the shares
    of positives and negatives.

    Example:
        >>> loss = losskit.AUCMLoss()  # its parameters a, b and alpha belong in the optimizer
        >>> input = torch.tensor([2.0, 0.0, -2.0, -3.0])  # logits (N,)
        >>> target = torch.tensor([1, 1, 0, 0])
        >>> loss(input, target).detach()
        tensor(0.5211)
    """

    authority = "monai.losses.AUCMLoss and its formula in mpmath"
    function_name = "aucm_loss"
    short_name = "aucm"
    also_called = ("auc_margin", "deep_auc")

    margin: Positive = option(default=1.0, doc="required distance of positives above negatives")
    a: float | Tensor = option(default=0.0, doc="score to which positives are drawn: its initial value, or a tensor")
    b: float | Tensor = option(default=0.0, doc="score to which negatives are drawn: its initial value, or a tensor")
    alpha: float | Tensor = option(default=0.0, doc="multiplier of the margin: its initial value, or a tensor")

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("a", "b", "alpha"):
            value = getattr(self, name, None)
            if isinstance(value, float):
                self.__dict__[f"_{name}_at_first"] = self.__dict__.pop(name)
            if not isinstance(value, Tensor):
                first = torch.tensor(self.__dict__[f"_{name}_at_first"], dtype=torch.float64)
                self.register_parameter(name, nn.Parameter(first))

    def learned_tensors(self) -> list[Tensor]:
        return [each for each in (self.a, self.b, self.alpha) if isinstance(each, Tensor)]

    def closed_form(self, input: Tensor, target: Tensor, *, derive: bool) -> closed_forms.Found | None:
        labels = closed_forms.shares(input, target, self.ignore_index)
        learned = (self.a, self.b, self.alpha)
        if labels is None or any(isinstance(each, Tensor) and each.dim() for each in learned):
            return None
        numbers = [float(each) for each in learned]
        value, gradient, slopes = closed_forms.aucm(input, labels, self.margin, numbers, derive)
        tensors = (each.new_tensor(s) for each, s in zip(learned, slopes, strict=True) if isinstance(each, Tensor))
        return None if value is None else (value, [gradient, None, *tensors])

    def columns(self, link: Link) -> list[Column]:
        return ["tp", "pred", "pred_sq", TermColumn(Formula(log=0.0, rest=1.0, q=2.0), "truth", 0), "target", "count"]

    def sums_from_totals(self, totals: Sequence[Tensor], inputs: Inputs) -> Sums:
        yes, both, both_square, rest, positives, count = map(over_samples, totals)
        yes_square = positives - 2 * rest  # the term is (1 - p^2) / 2
        return Sums(
            yes=yes, yes_square=yes_square, no=both - yes, no_square=both_square - yes_square, positives=positives,
            count=count,
        )  # fmt: skip

    def conclude(self, sums: Sums) -> tuple[Tensor, Tensor | None]:
        total = {name: self.by_class(sums[name]).sum() for name in sums.names()}
        check_size(total["count"], self.name)
        value = torch.zeros_like(total["count"])
        means = []
        for name, to, size in (
            ("yes", self.a, total["positives"]),
            ("no", self.b, total["count"] - total["positives"]),
        ):
            mean = ratio(total[name], size)
            value = value + torch.where(size != 0, ratio(total[f"{name}_square"], size) - 2 * to * mean + to * to, 0.0)
            means.append((mean, size != 0))
        (yes, some_yes), (no, some_no) = means
        alpha = reversed_gradient(self.alpha)
        apart = 2 * alpha * (self.margin + no - yes) - alpha * alpha
        value = value + torch.where(some_yes & some_no, apart, 0.0)
        return divide(value, (total["count"] != 0).to(value), self.empty, self.name), None


def reversed_gradient(number: float | Tensor) -> Any:
    """The same number, with its gradient negated."""
    return 2 * number.detach() - number if isinstance(number, Tensor) else number


class DistributionBalancedLoss(ClosedForm, ScoreLoss):
    r"""Distribution-balanced loss: re-balanced multi-label binary cross-entropy, tolerant to negatives.

    .. math:: w_c\,f\,\Bigl(t_c (1 - p_c)^{\gamma} (-\log p_c) + (1 - t_c)\,q_c^{\gamma}\,\frac{-\log(1 - q_c)}{\lambda}
        \Bigr), \qquad w_c = \alpha + \sigma\left(\beta\left(\frac{1 / n_c}{\sum_k t_k / n_k} - \mu\right)\right)

    with :math:`p = \sigma(z)`, :math:`q = \sigma(\lambda z)`, :math:`z_c = x_c - \frac{\kappa}{\lambda} \log(N / n_c -
    1)` and n the class counts among N samples. A sample without labels has the weight :math:`1 + \alpha`.

    Source: Wu et al. 2020, arXiv:2007.09654.

    Elsewhere: timm omits the factor f if the exponent is 0.

    Example:
        >>> loss = losskit.DistributionBalancedLoss(class_counts=[500, 20], num_samples=1000)
        >>> input = torch.tensor([[1.0, -2.0], [1.0, 0.0]])  # logits (N, C)
        >>> target = torch.tensor([[1, 0], [1, 1]])  # labels (N, C)
        >>> loss(input, target)
        tensor(0.1278)
    """

    authority = "timm.loss.DistributionBalancedLoss and its formula in mpmath"
    short_name = "distribution_balanced"
    also_called = ("db_loss", "db_focal")

    class_counts: ClassNumbers = option(doc="number of training samples of each label, above 0 and below num_samples")
    num_samples: Annotated[int, Ge(2)] = option(doc="number of training samples, N in the formula")
    map_alpha: NonNegative = option(default=0.1, doc="minimum weight")
    map_beta: NonNegative = option(default=10.0, doc="steepness of the weight function at mu")
    map_mu: NonNegative = option(default=0.2, doc="share of a sample's rarity at which the weight is halfway")
    neg_scale: Positive = option(default=2.0, doc="lambda, the scale of the logits of negatives")
    init_bias: NonNegative = option(default=0.05, doc="kappa, the factor of the class log-odds added to the logits")
    focal_gamma: NonNegative = option(default=2.0, doc="focusing exponent")
    focal_balance: NonNegative = option(default=2.0, doc="f, a factor of the whole loss")

    def __post_init__(self) -> None:
        super().__post_init__()
        check_counts(self.name, "class_counts", self.class_counts)
        if isinstance(self.class_counts, Tensor) and bool((self.class_counts >= self.num_samples).any()):
            raise ValueError(
                f"{self.name}: class_counts must be below num_samples={self.num_samples}; got "
                f"{self.class_counts.tolist()}. Leave out a class that every sample has, or count it once less."
            )

    def closed_form(self, input: Tensor, target: Tensor, *, derive: bool) -> closed_forms.Found | None:
        yes = closed_forms.binary_labels(input, target, self.ignore_index)
        if yes is None or not isinstance(self.class_counts, Tensor) or len(self.class_counts) != input.shape[1]:
            return None
        return closed_forms.distribution_balanced(
            input, yes, self.class_counts, self.num_samples, (self.map_alpha, self.map_beta, self.map_mu),
            self.neg_scale, self.init_bias, self.focal_gamma, self.focal_balance, derive,
        )  # fmt: skip

    def per_position(self, logits: Tensor, target: Tensor) -> Tensor:
        check_classes(self.name, "class_counts", self.class_counts, logits)
        counts = self.class_counts.to(logits.dtype).view(-1, *(1,) * (logits.dim() - 2))  # type: ignore[union-attr]
        rarity = (target / counts).sum(1, keepdim=True)
        share = 1 / (counts * torch.where(rarity > 0, rarity, 1.0))
        weight = torch.where(rarity > 0, torch.sigmoid(self.map_beta * (share - self.map_mu)), 1.0) + self.map_alpha
        moved = logits - self.init_bias / self.neg_scale * torch.log(self.num_samples / counts - 1)
        yes = -torch.exp(self.focal_gamma * log_sigmoid(-moved)) * log_sigmoid(moved)
        scaled = self.neg_scale * moved
        no = -torch.exp(self.focal_gamma * log_sigmoid(scaled)) * log_sigmoid(-scaled) / self.neg_scale
        each = torch.where(target == 0, 0.0, target * yes) + torch.where(target == 1, 0.0, (1 - target) * no)
        return self.focal_balance * weight * each


def check_counts(owner: str, name: str, counts: object) -> None:
    if isinstance(counts, Tensor) and bool((counts <= 0).any()):
        raise ValueError(
            f"{owner}: {name} must be > 0 for every class; got {counts.tolist()}. Count a class that never occurs once."
        )


def check_classes(owner: str, name: str, numbers: object, logits: Tensor) -> None:
    if isinstance(numbers, Tensor) and numbers.shape[0] != logits.shape[1]:
        raise ValueError(
            f"{owner}: {name} has {numbers.shape[0]} numbers, but input {tuple(logits.shape)} has {logits.shape[1]} "
            "classes. Give it one number per class."
        )
