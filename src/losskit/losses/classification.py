"""Element-wise classification losses: functions of the log-probability of the true class."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, ClassVar

import torch
from annotated_types import Ge, Interval
from torch import Tensor

from losskit.core.domains import ClassNumbers, NonNegative, OneOrPerClass
from losskit.core.labels import ClassificationLoss, ModeOptions, check_length
from losskit.core.logits import ClassesLoss
from losskit.core.options import Configured, option
from losskit.core.sums import Sums, check_size, divide
from losskit.losses.shortcuts import ClosedForm
from losskit.ops import closed_forms, closed_rows
from losskit.ops.columns import Formula
from losskit.ops.finish import Finish, TermsFinish, TruthWeight
from losskit.ops.inputs import Inputs, Link, summing_dtype
from losskit.ops.maths import one_minus_exp, safe_power
from losskit.ops.planning import Watching
from losskit.ops.recorder import trace

_SOFTMAX_SHAPES = (
    "input (N, C, *) with C > 1; target (N, *) or (N, 1, *) of class indices, or (N, C, *) of probabilities; weight "
    "and mask (N, *) or (N, 1, *), with size 1 where they repeat; values (N, *)."
)


class BCEOptions(Configured):
    """The options of binary cross-entropy."""

    pos_weight: OneOrPerClass | None = option(
        default=None, doc="weight of the positives, one number or one per class; scales the loss, not its denominator"
    )


class BCEWithLogitsLoss(BCEOptions, ClassificationLoss):
    r"""Binary cross-entropy on logits, per element.

    .. math:: -w_+\,t \log\sigma(x) - (1 - t)\log(1 - \sigma(x))

    Label smoothing :math:`\varepsilon` replaces t by :math:`t (1 - \varepsilon) + \varepsilon / 2`.

    Source: Good 1952, "Rational Decisions", J. Roy. Stat. Soc. B 14.

    Elsewhere: in segmentation_models_pytorch and pytorch_toolbelt a `smooth_factor` of e is a label smoothing of 2e
    here; PyTorch divides by the number of elements even with weights, this mean by the sum of the weights.

    Example:
        >>> loss = losskit.BCEWithLogitsLoss()
        >>> input = torch.tensor([2.0, -1.0])  # logits (N,)
        >>> target = torch.tensor([1.0, 0.0])
        >>> loss(input, target)
        tensor(0.2201)
    """

    always = "sigmoid"
    authority = "torch.nn.functional.binary_cross_entropy_with_logits and its formula in mpmath"
    function_name = "binary_cross_entropy_with_logits"
    short_name = "bce"
    shapes = (
        "input (N, C, *) or (N,), target of the same shape, with one channel also (N, *); weight and mask of that "
        "shape, with size 1 where they repeat; values of the input's shape."
    )

    def formula(self) -> Formula:
        return Formula()

    def check_classes(self, inputs: Inputs) -> None:
        super().check_classes(inputs)
        check_length(self.name, "pos_weight", self.pos_weight, inputs)

    def truth_weight(self, link: Link) -> TruthWeight | None:
        return None if self.pos_weight is None else TruthWeight(self.pos_weight, "positives")  # type: ignore[arg-type]


class CEOptions(Configured):
    """The options of cross-entropy."""

    prior: ClassNumbers | None = option(
        default=None,
        doc="class frequencies in training (counts or shares, all > 0), whose logarithm is added to the logits to "
        "remove the preference for frequent classes",
    )


class CrossEntropyLoss(CEOptions, ClassificationLoss):
    r"""Cross-entropy on logits: minus the log-probability of the true class.

    .. math:: -\sum_c t_c \log\mathrm{softmax}(x + \log\pi)_c

    Source: Good 1952, "Rational Decisions", J. Roy. Stat. Soc. B 14; label smoothing Szegedy et al. 2015,
    arXiv:1512.00567; prior :math:`\pi` Menon et al. 2020, arXiv:2007.07314 (logit adjustment) and Ren et al. 2020,
    arXiv:2007.10740 (balanced softmax). For a temperature tau pass `prior ** tau`.

    Elsewhere: PyTorch names `class_weight` `weight`. It divides by the number of positions for one-hot and soft
    targets, and by the sum of the weights for class indices; here both are divided by the sum of the weights.

    Example:
        >>> loss = losskit.CrossEntropyLoss()
        >>> input = torch.tensor([[2.0, 0.0, 0.0], [0.0, 1.0, 3.0]])  # logits (N, C)
        >>> target = torch.tensor([0, 2])  # class indices (N,)
        >>> loss(input, target)
        tensor(0.2047)
    """

    always = "softmax"
    authority = "torch.nn.functional.cross_entropy and its formula in mpmath"
    function_name = "cross_entropy"
    short_name = "ce"
    also_called: ClassVar[tuple[str, ...]] = ("cross_entropy_loss",)
    shapes = _SOFTMAX_SHAPES

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.prior, Tensor):
            if bool((self.prior <= 0).any()):
                raise ValueError(
                    f"{self.name}: prior must be > 0 for every class; got {self.prior.tolist()}. Leave out classes "
                    "that never occur, or count each once."
                )
            if not self.from_logits:
                raise ValueError(f"{self.name}: prior adjusts logits, so it cannot go with from_logits=False.")

    def formula(self) -> Formula:
        return Formula()

    def check_classes(self, inputs: Inputs) -> None:
        super().check_classes(inputs)
        check_length(self.name, "prior", self.prior, inputs)

    def logit_bias(self) -> Tensor | None:
        if not isinstance(self.prior, Tensor):
            return None
        prior = self.prior.to(summing_dtype(self.prior))
        return torch.log(prior / prior.sum())


class NLLLoss(ClosedForm, ClassificationLoss):
    r"""Negative log-likelihood: minus the given log-probability of the true class.

    .. math:: -\sum_c t_c\,x_c

    Source: Fisher 1922, "On the Mathematical Foundations of Theoretical Statistics", Phil. Trans. A 222.

    Elsewhere: PyTorch names `class_weight` `weight`.

    Example:
        >>> loss = losskit.NLLLoss()
        >>> input = torch.tensor([[0.7, 0.2, 0.1], [0.3, 0.2, 0.5]]).log()  # log-probabilities (N, C)
        >>> target = torch.tensor([0, 2])  # class indices (N,)
        >>> loss(input, target)
        tensor(0.5249)
    """

    always = "log_softmax"
    authority = "torch.nn.functional.nll_loss and its formula in mpmath"
    function_name = "nll_loss"
    short_name = "nll"
    shapes = _SOFTMAX_SHAPES

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.from_logits:
            raise ValueError(
                f"{self.name} takes log-probabilities. For probabilities use CrossEntropyLoss(from_logits=False)."
            )

    def closed_form(self, input: Tensor, target: Tensor, *, derive: bool) -> closed_forms.Found | None:
        label = None if self.label_smoothing else closed_forms.class_indices(input, target, self.ignore_index)
        return None if label is None else closed_rows.nll(input, label, derive)

    def formula(self) -> Formula:
        return Formula()


class FocalOptions(Configured):
    """The options of the focal loss."""

    gamma: NonNegative = option(default=2.0, doc="focusing exponent; 0 does not down-weight easy elements")
    alpha: Annotated[float, Interval(ge=0, le=1)] | ClassNumbers | None = option(
        default=None,
        doc="binary and multi-label: weight of the positives, 1 - alpha that of the negatives, one number or one per "
        "class; multi-class: one weight per class",
    )


class FocalLoss(FocalOptions, ModeOptions, ClassificationLoss):
    r"""Focal loss: cross-entropy that down-weights well-classified elements.

    .. math:: -\alpha_t (1 - p_t)^{\gamma} \log p_t

    with :math:`p_t` the probability of the true class, by sigmoid or softmax depending on the target. gamma = 0 is
    exactly binary cross-entropy or cross-entropy.

    Source: Lin et al. 2017, arXiv:1708.02002.

    Elsewhere: segmentation_models_pytorch's multi-class focal loss is one-vs-rest, by sigmoid; MONAI's and kornia's
    softmax focal losses are divided by the number of classes; the tutorials apply the modulation once, to the mean
    (MeanFocalLoss); torchvision's default alpha is 0.25; Keras does not apply alpha by default.

    Example:
        >>> loss = losskit.FocalLoss(gamma=2.0, alpha=0.25)
        >>> input = torch.tensor([[2.0], [-1.0], [-4.0]])  # logits (N, 1)
        >>> target = torch.tensor([[1], [0], [0]])
        >>> loss(input, target)
        tensor(0.0058)
    """

    authority = "torchvision.ops.sigmoid_focal_loss and its formula in mpmath"
    short_name = "focal"

    def formula(self) -> Formula:
        return Formula(gamma=self.gamma)

    def check_classes(self, inputs: Inputs) -> None:
        super().check_classes(inputs)
        check_length(self.name, "alpha", self.alpha, inputs)
        if inputs.link == "softmax" and self.alpha is not None and not isinstance(self.alpha, Tensor):
            raise ValueError(
                f"{self.name}: alpha={self.alpha} is one number, which for several classes means three things "
                "elsewhere: a factor on the whole loss (multiply the loss instead), class 0 as background with 1 - "
                "alpha (pass alpha=[1 - a, a, ..., a]), or nothing at all. Pass one number per class."
            )

    def truth_weight(self, link: Link) -> TruthWeight | None:
        return None if self.alpha is None else TruthWeight(self.alpha, "both")  # type: ignore[arg-type]


class MeanFocalLoss(ModeOptions, ClassificationLoss):
    r"""Focal modulation of the batch's mean cross-entropy: the "focal loss" of many tutorials.

    .. math:: \alpha (1 - e^{-B})^{\gamma} B

    with B the mean binary cross-entropy (cross-entropy for class indices). Elements are not weighted against each
    other; FocalLoss does that. The loss is a function of the whole batch's mean: it is one number for every reduction,
    and averaging it over micro-batches changes it.

    Source: the "Loss Function Library" notebook on Kaggle and its many copies; the focal loss itself is Lin et al.
    2017, arXiv:1708.02002.

    Elsewhere: every library's focal loss modulates each element.

    Example:
        >>> loss = losskit.MeanFocalLoss(alpha=0.8, gamma=2.0)
        >>> input = torch.tensor([[2.0], [-1.0], [-4.0]])  # logits (N, 1)
        >>> target = torch.tensor([[1], [0], [0]])
        >>> loss(input, target)
        tensor(0.0025)
    """

    authority = "its formula in mpmath"
    short_name = "mean_focal"

    alpha: NonNegative = option(default=0.8, doc="factor of the whole loss")
    gamma: NonNegative = option(default=2.0, doc="exponent of the modulation")

    def formula(self) -> Formula:
        return Formula()

    @property
    def is_mean(self) -> bool:
        return False

    def conclude(self, sums: Sums) -> tuple[Tensor, Tensor | None]:
        numerator, denominator = super().conclude(sums)
        assert denominator is not None
        check_size(denominator, self.name)
        return self.of_mean(divide(numerator, denominator, self.empty, self.name)), None

    def of_mean(self, mean: Tensor) -> Tensor:
        """The loss from the mean cross-entropy."""
        return self.alpha * safe_power(one_minus_exp(-mean), self.gamma) * mean

    def finish_plan(self, inputs: Inputs, watched: Watching) -> Finish | None:
        finish = super().finish_plan(inputs, watched)
        if not isinstance(finish, TermsFinish):
            return None
        tape = trace(lambda numbers: self.of_mean(*numbers), [torch.full((), 0.7, dtype=torch.float64)])
        return replace(finish, of_mean=tape, reduction="mean")

    def elements(self, *tensors: Tensor, weight: Tensor | None = None, mask: Tensor | None = None) -> Tensor:
        return self.conclude(self.totals(*tensors, weight=weight, mask=mask))[0]


class PolyLoss(ModeOptions, ClassificationLoss):
    r"""Poly-1 loss: cross-entropy with a modified coefficient of its first polynomial term.

    .. math:: -\log p_t + \epsilon\,(1 - p_t)

    epsilon = 0 is cross-entropy or binary cross-entropy; -1 removes the first term.

    Source: Leng et al. 2022, arXiv:2204.12511 (Poly-1).

    Elsewhere: timm's binary form is based on the focal loss, with the power gamma + 1 of :math:`1 - p_t`.

    Example:
        >>> loss = losskit.PolyLoss(epsilon=1.0)
        >>> input = torch.tensor([[2.0, 0.0, 0.0]])  # logits (N, C)
        >>> target = torch.tensor([0])  # class indices (N,)
        >>> loss(input, target)
        tensor(0.4526)
    """

    authority = "timm.loss.PolyBinaryCrossEntropy and its formula in mpmath"
    short_name = "poly"
    also_called = ("poly1", "poly_1")

    epsilon: Annotated[float, Ge(-1)] = option(default=1.0, doc="added to the coefficient of 1 - p")

    def formula(self) -> Formula:
        return Formula(rest=self.epsilon)


class GeneralizedCrossEntropyLoss(ModeOptions, ClassificationLoss):
    r"""Generalized cross-entropy: a bounded loss between MAE and cross-entropy, robust to label noise.

    .. math:: \frac{1 - p_t^{\,q}}{q}

    q = 1 is the absolute error of the true class's probability (MAE); q towards 0 is cross-entropy.

    Source: Zhang and Sabuncu 2018, arXiv:1805.07836.

    Example:
        >>> loss = losskit.GeneralizedCrossEntropyLoss(q=0.7)
        >>> input = torch.tensor([[2.0, 0.0], [4.0, 0.0]])  # logits (N, C)
        >>> target = torch.tensor([0, 1])  # class indices (N,), the second one wrong
        >>> loss(input, target)
        tensor(0.7321)
    """

    authority = "its formula in mpmath"
    short_name = "gce"

    q: Annotated[float, Interval(gt=0, le=1)] = option(default=0.7, doc="1 is MAE, towards 0 cross-entropy")

    def formula(self) -> Formula:
        return Formula(log=0.0, rest=1.0, q=self.q)


class FocalCosineLoss(ClosedForm, ClassesLoss):
    r"""Focal cosine loss: the cosine distance of logits and target plus a focal loss of the normalized logits.

    .. math:: 1 - \cos(x, t) - w\sum_c t_c\,(1 - p_c)^{\gamma} \log p_c, \qquad
        p = \mathrm{softmax}\left(\frac{x}{\lVert x \rVert}\right)

    If all logits are 0, the cosine is 0, with a zero gradient.

    Source: Kim et al. 2020, arXiv:2007.07805.

    Elsewhere: pytorch_toolbelt calls the weight xent, and multiplies it by an alpha.

    Example:
        >>> loss = losskit.FocalCosineLoss()
        >>> input = torch.tensor([[3.0, 4.0]])  # logits (N, C)
        >>> target = torch.tensor([1])  # class indices (N,)
        >>> loss(input, target)
        tensor(0.2121)
    """

    authority = "pytorch_toolbelt.losses.FocalCosineLoss and its formula in mpmath"
    short_name = "focal_cosine"

    gamma: NonNegative = option(default=2.0, doc="focusing exponent of the focal part")
    focal_weight: NonNegative = option(default=0.1, doc="weight of the focal part; 0 gives the cosine distance alone")

    def closed_form(self, input: Tensor, target: Tensor, *, derive: bool) -> closed_forms.Found | None:
        label = closed_forms.class_indices(input, target, self.ignore_index)
        if label is None:
            return None
        return closed_forms.focal_cosine(input, label, self.gamma, self.focal_weight, derive)

    def per_position(self, logits: Tensor, target: Tensor) -> Tensor:
        logits, target_length = logits / _largest(logits), (target**2).sum(1, keepdim=True)
        square = (logits**2).sum(1, keepdim=True)
        some = square != 0  # NaN stays
        unit = torch.where(some, logits / torch.where(some, square, 1.0).sqrt(), 0.0)
        aim = target / torch.where(target_length > 0, target_length, 1.0).sqrt()
        turned = torch.where(some.squeeze(1), ((unit - aim) ** 2).sum(1) / 2, 1.0)  # 1 - cos, without cancellation
        log_p = unit.log_softmax(1)  # inputs in [-1, 1], so no probability is close to 1
        focal = -safe_power(one_minus_exp(log_p), self.gamma) * log_p
        return turned + self.focal_weight * (target * focal).sum(1)


def _largest(logits: Tensor) -> Tensor:
    """The largest absolute logit of each position, by which the others are divided before squaring."""
    size = logits.detach().abs().amax(1, keepdim=True)
    return torch.where(size == 0, 1.0, size)
