"""Cross-entropy with regularization against overconfidence or large logits, and consistency losses."""

from __future__ import annotations

import math
from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor

from losskit.core.contract import check_input, shape
from losskit.core.domains import NonNegative
from losskit.core.logits import ClassesLoss
from losskit.core.options import option
from losskit.losses.shortcuts import ClosedForm
from losskit.ops import closed_forms
from losskit.ops.inputs import summing_dtype
from losskit.ops.maths import log_softmax
from losskit.ops.reference import Elements


class MarginSmoothingLoss(ClassesLoss):
    r"""Margin-based label smoothing (MbLS): cross-entropy plus a penalty on logits far below the largest one.

    .. math:: -\sum_c t_c \log p_c + \alpha \sum_c \max\bigl(0, \max_k x_k - x_c - m\bigr)

    The penalty is linear in the logits, so a logit of minus infinity gives an infinite loss.

    Source: Liu et al. 2022, arXiv:2111.15430 (margin-based label smoothing).

    Elsewhere: the authors' code takes the mean over classes instead of the sum.

    Example:
        >>> loss = losskit.MarginSmoothingLoss(margin=10.0, alpha=0.1)
        >>> input = torch.tensor([[12.0, 0.0, 5.0]])  # logits (N, C)
        >>> target = torch.tensor([0])  # class indices (N,)
        >>> loss(input, target)
        tensor(0.2009)
    """

    authority = "its formula in mpmath"
    short_name = "margin_smoothing"
    also_called = ("mbls", "margin_based_label_smoothing")

    margin: NonNegative = option(default=10.0, doc="distance below the largest logit that is not penalized")
    alpha: NonNegative = option(default=0.1, doc="weight of the penalty; 0 gives cross-entropy")

    def per_position(self, logits: Tensor, target: Tensor) -> Tensor:
        below = logits.amax(1, keepdim=True) - logits
        return entropy_to(target, logits) + self.alpha * (below - self.margin).clamp_min(0).sum(1)


class ConfidencePenaltyLoss(ClassesLoss):
    r"""Confidence penalty: cross-entropy minus the weighted entropy of the prediction.

    .. math:: -\sum_c t_c \log p_c + \beta \sum_c p_c \log p_c

    Source: Pereyra et al. 2017, arXiv:1701.06548.

    Example:
        >>> loss = losskit.ConfidencePenaltyLoss(beta=0.1)
        >>> input = torch.tensor([[2.0, 0.0, 0.0]])  # logits (N, C)
        >>> target = torch.tensor([0])  # class indices (N,)
        >>> loss(input, target)
        tensor(0.1730)
    """

    authority = "its formula in mpmath"
    short_name = "confidence_penalty"
    also_called = ("entropy_penalty",)

    beta: NonNegative = option(default=0.1, doc="weight of the entropy; 0 gives cross-entropy")

    def per_position(self, logits: Tensor, target: Tensor) -> Tensor:
        log_p = log_softmax(logits)
        return entropy_to(target, logits) + self.beta * (log_p.exp() * log_p).sum(1)


class ZLoss(ClassesLoss):
    r"""Z-loss: the squared log-partition function of the softmax, which keeps logits from drifting.

    .. math:: \Bigl(\log\sum_c e^{x_c}\Bigr)^2

    at every position whose target counts; the target's class is not used. Add it to cross-entropy with a small weight,
    `CrossEntropyLoss() + 1e-4 * ZLoss()`.

    Source: Chowdhery et al. 2022, arXiv:2204.02311 (PaLM).

    Elsewhere: in mixtures of experts the z-loss applies to the router's logits; liger's cross-entropy adds it by
    `lse_square_scale`.

    Example:
        >>> loss = losskit.CrossEntropyLoss() + 1e-4 * losskit.ZLoss()
        >>> input = torch.tensor([[20.0, 18.0, 0.0]])  # logits (N, C)
        >>> target = torch.tensor([0])  # class indices (N,)
        >>> loss(input, target)
        tensor(0.1674)
    """

    authority = "its formula in mpmath"
    function_name = "z_loss"
    short_name = "z_loss"
    also_called = ("zloss", "logit_regularization")
    takes = ("logits",)

    def per_position(self, logits: Tensor) -> Tensor:
        denominator = logits.to(summing_dtype(logits)).logsumexp(1)  # float64 against cancellation
        return (denominator**2).to(logits.dtype)


class EvidentialClassificationLoss(ClassesLoss):
    r"""Evidential classification: expected cross-entropy under a Dirichlet distribution, with evidence from the logits.

    .. math:: \sum_c t_c\,\bigl(\psi(S) - \psi(\alpha_c)\bigr), \qquad \alpha_c = 1 + \log(1 + e^{x_c}), \quad
        S = \sum_c \alpha_c

    with :math:`\psi` the digamma function. The probability of a class is :math:`\alpha_c / S`, the uncertainty C / S.

    Source: Sensoy, Kaplan, Kandemir 2018, arXiv:1806.01768 (equation 4, with softplus for the evidence).

    Elsewhere: the paper's experiments use the expected squared error plus a divergence from the Dirichlet distribution
    without evidence, whose weight grows during training.

    Example:
        >>> loss = losskit.EvidentialClassificationLoss()
        >>> input = torch.tensor([[5.0, -2.0, -2.0]])  # evidence before softplus (N, C)
        >>> target = torch.tensor([0])  # class indices (N,)
        >>> loss(input, target)
        tensor(0.3424)
    """

    authority = "its formula in mpmath"
    short_name = "evidential_classification"
    also_called = ("edl", "evidential_ce")

    def per_position(self, logits: Tensor, target: Tensor) -> Tensor:
        # float64: the difference of two large digammas is small
        evidence = 1 + torch.nn.functional.softplus(logits.to(summing_dtype(logits)))
        each = evidence.sum(1, keepdim=True).digamma() - evidence.digamma()
        return torch.where(target == 0, 0.0, target * each).sum(1).to(logits.dtype)


def entropy_to(target: Tensor, logits: Tensor) -> Tensor:
    """The cross-entropy of each position, (N, *)."""
    return -torch.where(target == 0, 0.0, target * log_softmax(logits)).sum(1)


class JSDConsistencyLoss(ClosedForm, ClassesLoss):
    r"""Jensen-Shannon consistency loss (AugMix): cross-entropy of a clean view plus the divergence of all views.

    .. math:: -\sum_c t_c \log p^{(1)}_c + \frac{\alpha}{S} \sum_{s=1}^{S} \sum_c p^{(s)}_c \log\frac{p^{(s)}_c}{m_c},
        \qquad m = \frac{1}{S} \sum_s p^{(s)}

    The input stacks the S views in dimension 0: all samples of the first view, then all of the second, and so on. The
    target, weight and mask are those of the samples.

    Source: Hendrycks et al. 2020, arXiv:1912.02781 (AugMix).

    Elsewhere: timm smooths the labels by 0.1, and clamps m at 1e-7.

    Example:
        >>> loss = losskit.JSDConsistencyLoss(num_splits=3)
        >>> input = torch.tensor([[2.0, 0.0], [1.0, 0.0], [0.0, 1.0]])  # three views of one sample (3 N, C)
        >>> target = torch.tensor([0])  # class indices (N,)
        >>> loss(input, target)
        tensor(1.9348)
    """

    authority = "timm.loss.JsdCrossEntropy, its formula in mpmath and values worked by hand"
    short_name = "jsd_consistency"
    also_called = ("augmix", "jsd_cross_entropy")
    batch_first = False  # the rows of a sample are not adjacent
    shapes = (
        "input (S N, C, *) with C > 1; target (N, *) or (N, 1, *) of class indices, or (N, C, *) of probabilities; "
        "weight and mask (N, *) or (N, 1, *), with size 1 where they repeat; values (N, *)."
    )

    num_splits: Annotated[int, Ge(2)] = option(default=3, doc="number of views of each sample, S in the formula")
    alpha: NonNegative = option(default=12.0, doc="weight of the divergence; 0: cross-entropy of the first view")

    def weighed(
        self, *tensors: Tensor, weight: Tensor | None = None, mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        input, target = tensors
        check_input(self.name, input, target)
        if input.dim() < 2 or input.shape[0] % self.num_splits:
            raise ValueError(
                f"{self.name}: input has shape {shape(input)}, but it takes {self.num_splits} views of each sample, "
                f"(N, C, *) each, in one tensor of {self.num_splits} N rows. Pass torch.cat(views), or num_splits=."
            )
        first, *others = input.tensor_split(self.num_splits)
        return super().weighed(first, target, *others, weight=weight, mask=mask)

    def closed_form(self, input: Tensor, target: Tensor, *, derive: bool) -> closed_forms.Found | None:
        if input.shape[0] != self.num_splits * target.shape[:1].numel() or not target.dim():
            return None
        label = closed_forms.class_indices(input[: target.shape[0]], target, self.ignore_index)
        if label is None:
            return None
        return closed_forms.jsd_consistency(input, label, self.num_splits, self.alpha, derive)

    def prepare(self, elements: Elements, *others: Tensor) -> None:
        """Stack the views in a dimension after the classes."""
        views = [elements.input, *(elements.select(view.to(elements.dtype), 0.0) for view in others)]
        elements.input = torch.stack(views, 2)

    def per_position(self, logits: Tensor, target: Tensor) -> Tensor:
        log_p = log_softmax(logits)  # (N, C, S, *)
        first = -torch.where(target == 0, 0.0, target * log_p[:, :, 0]).sum(1)
        log_mean = log_p.logsumexp(2, keepdim=True) - math.log(self.num_splits)
        p = log_p.exp()
        apart = torch.where(p == 0, 0.0, p * (log_p - log_mean))
        return first + self.alpha * apart.sum(1).mean(1)

    def denominator(self, target: Tensor, weight: Tensor | None, mask: Tensor | None, classes: int | None) -> Tensor:
        given = target.shape if classes is None else (target.shape[0], classes, *target.shape[1:])
        input = torch.zeros((), dtype=summing_dtype(target), device=target.device).expand(given)
        return super().totals(torch.cat([input] * self.num_splits), target, weight=weight, mask=mask)["denominator"]
