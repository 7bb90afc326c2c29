"""Cross-entropy with something that keeps answers from being surer, or logits larger, than they should be."""

from __future__ import annotations

import torch
from torch import Tensor

from losskit.core.domains import NonNegative
from losskit.core.logits import ClassesLoss
from losskit.core.options import option
from losskit.ops.inputs import summing_dtype
from losskit.ops.maths import log_softmax


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
