"""Cross-entropy with something that keeps answers from being surer, or logits larger, than they should be."""

from __future__ import annotations

import math
from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor

from losskit.core.contract import check_input
from losskit.core.domains import NonNegative
from losskit.core.errors import shape
from losskit.core.logits import ClassesLoss
from losskit.core.options import option
from losskit.core.shortcuts import closed
from losskit.ops import closed_forms
from losskit.ops.inputs import summing_dtype
from losskit.ops.maths import log_softmax
from losskit.ops.reference import Elements


class MarginSmoothingLoss(ClassesLoss):
    r"""Cross-entropy that also costs logits which lie further below the largest than a margin.

    .. math:: -\sum_c t_c \log p_c + \alpha \sum_c \max\bigl(0, \max_k x_k - x_c - m\bigr)

    The penalty is linear in the logits, so that a class at minus infinity costs infinitely much.

    Source: Liu et al. 2022, arXiv:2111.15430 (margin-based label smoothing).

    Elsewhere: the authors' code takes the mean over classes for the sum.
    """

    authority = "its formula in mpmath"
    short_name = "margin_smoothing"
    also_called = ("mbls", "margin_based_label_smoothing")

    margin: NonNegative = option(default=10.0, doc="how far below the largest logit the others may lie")
    alpha: NonNegative = option(default=0.1, doc="weight of the penalty; 0 is cross-entropy")

    def per_position(self, logits: Tensor, target: Tensor) -> Tensor:
        below = logits.amax(1, keepdim=True) - logits
        return entropy_to(target, logits) + self.alpha * (below - self.margin).clamp_min(0).sum(1)


class ConfidencePenaltyLoss(ClassesLoss):
    r"""Cross-entropy less a share of the prediction's entropy, so that being sure costs.

    .. math:: -\sum_c t_c \log p_c + \beta \sum_c p_c \log p_c

    Source: Pereyra et al. 2017, arXiv:1701.06548.
    """

    authority = "its formula in mpmath"
    short_name = "confidence_penalty"
    also_called = ("entropy_penalty",)

    beta: NonNegative = option(default=0.1, doc="weight of the entropy; 0 is cross-entropy")

    def per_position(self, logits: Tensor, target: Tensor) -> Tensor:
        log_p = log_softmax(logits)
        return entropy_to(target, logits) + self.beta * (log_p.exp() * log_p).sum(1)


class ZLoss(ClassesLoss):
    r"""Keeps the logarithm of the softmax's denominator near 0, so that logits do not drift.

    .. math:: \Bigl(\log\sum_c e^{x_c}\Bigr)^2

    at every position whose target counts; the target's class is not read. Add it to cross-entropy with a small weight,
    `CrossEntropyLoss() + 1e-4 * ZLoss()`.

    Source: Chowdhery et al. 2022, arXiv:2204.02311 (PaLM).

    Elsewhere: in mixtures of experts the z-loss is that of the router's logits; liger's cross-entropy adds it by
    `lse_square_scale`.
    """

    authority = "its formula in mpmath"
    function_name = "z_loss"
    short_name = "z_loss"
    also_called = ("zloss", "logit_regularization")
    takes = ("logits",)

    def per_position(self, logits: Tensor) -> Tensor:
        denominator = logits.to(summing_dtype(logits)).logsumexp(1)  # float64, since it may be a small difference
        return (denominator**2).to(logits.dtype)


class EvidentialClassificationLoss(ClassesLoss):
    r"""Cross-entropy expected under a Dirichlet distribution whose evidence the logits are, so that doubt can be told.

    .. math:: \sum_c t_c\,\bigl(\psi(S) - \psi(\alpha_c)\bigr), \qquad \alpha_c = 1 + \log(1 + e^{x_c}), \quad
        S = \sum_c \alpha_c

    with :math:`\psi` the digamma function. The probability of a class is :math:`\alpha_c / S` and the doubt C / S.

    Source: Sensoy, Kaplan, Kandemir 2018, arXiv:1806.01768 (equation 4, with softplus for the evidence).

    Elsewhere: the paper's experiments take the expected squared error, and add a divergence from no evidence whose
    weight grows during training.
    """

    authority = "its formula in mpmath"
    short_name = "evidential_classification"
    also_called = ("edl", "evidential_ce")

    def per_position(self, logits: Tensor, target: Tensor) -> Tensor:
        # in float64: the difference of two large digammas is small
        evidence = 1 + torch.nn.functional.softplus(logits.to(summing_dtype(logits)))
        each = evidence.sum(1, keepdim=True).digamma() - evidence.digamma()
        return torch.where(target == 0, 0.0, target * each).sum(1).to(logits.dtype)


def entropy_to(target: Tensor, logits: Tensor) -> Tensor:
    """Cross-entropy of each position, (N, *)."""
    return -torch.where(target == 0, 0.0, target * log_softmax(logits)).sum(1)


class JSDConsistencyLoss(ClassesLoss):
    r"""Cross-entropy of a clean view of each sample, and the divergence between the answers for all of its views.

    .. math:: -\sum_c t_c \log p^{(1)}_c + \frac{\alpha}{S} \sum_{s=1}^{S} \sum_c p^{(s)}_c \log\frac{p^{(s)}_c}{m_c},
        \qquad m = \frac{1}{S} \sum_s p^{(s)}

    The input holds the S views one after the other, all samples of the first one, then all of the second; the target,
    weight and mask are those of the samples.

    Source: Hendrycks et al. 2020, arXiv:1912.02781 (AugMix).

    Elsewhere: timm smooths the labels by 0.1, and keeps m above 1e-7.
    """

    authority = "timm.loss.JsdCrossEntropy, its formula in mpmath and values worked by hand"
    short_name = "jsd_consistency"
    also_called = ("augmix", "jsd_cross_entropy")
    batch_first = False  # a sample has rows in several places of the input
    shapes = (
        "input (S N, C, *) with C > 1; target (N, *) or (N, 1, *) of class indices, or (N, C, *) of probabilities; "
        "weight and mask (N, *) or (N, 1, *), with size 1 where they repeat; values (N, *)."
    )

    num_splits: Annotated[int, Ge(2)] = option(default=3, doc="how many views of each sample the input holds; S")
    alpha: NonNegative = option(default=12.0, doc="weight of the divergence; 0 is the cross-entropy of the first view")

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

    shortcut = closed

    def closed_form(self, input: Tensor, target: Tensor, *, derive: bool) -> closed_forms.Found | None:
        if input.shape[0] != self.num_splits * target.shape[:1].numel() or not target.dim():
            return None
        label = closed_forms.class_indices(input[: target.shape[0]], target, self.ignore_index)
        if label is None:
            return None
        return closed_forms.jsd_consistency(input, label, self.num_splits, self.alpha, derive)

    def prepare(self, elements: Elements, *others: Tensor) -> None:
        """Views follow the logits as more classes."""
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
