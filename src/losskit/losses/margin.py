"""Margin losses: a score is correct only if it is correct by a margin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from losskit.core.contract import Always, InputSpec, check_equal, check_floating, check_real, shape, weight_and_mask
from losskit.core.domains import ClassWeights
from losskit.core.labels import ClassificationLoss, check_length, class_weights, labels_of
from losskit.core.means import ElementLoss, MeanLoss
from losskit.core.options import option
from losskit.core.summable import Summable
from losskit.core.sums import Sums, weighted
from losskit.losses.shortcuts import ClosedForm, ElementFormula
from losskit.ops import closed_forms, closed_rows
from losskit.ops.columns import Formula
from losskit.ops.finish import Finish, TermsFinish
from losskit.ops.inputs import Inputs, computing_dtype
from losskit.ops.layouts import serves_plain_code
from losskit.ops.maths import log_sigmoid
from losskit.ops.planning import Watching
from losskit.ops.reference import Elements
from losskit.ops.values import check, mark


class MarginRankingLoss(ElementFormula, ElementLoss):
    r"""Margin ranking loss: hinge on the difference of two scores; the target, 1 or -1, states which is higher.

    .. math:: \max(0, -y\,(x_1 - x_2) + m)

    Source: Herbrich, Graepel, Obermayer 1999, "Support vector learning for ordinal regression", ICANN.

    Elsewhere: losses of whole rankings (LambdaRank, ListNet) form the pairs themselves; here they are given.

    Example:
        >>> loss = losskit.MarginRankingLoss(margin=0.5)
        >>> input1, input2 = torch.tensor([0.9, 0.2]), torch.tensor([0.3, 0.6])  # scores (N,)
        >>> target = torch.tensor([1, 1])  # input1 should be larger
        >>> loss(input1, input2, target)
        tensor(0.4500)
    """

    authority = "torch.nn.functional.margin_ranking_loss"
    function_name = "margin_ranking_loss"
    shapes = "input1, input2 and target of one shape, targets 1 or -1; weight and mask of it too, or size 1."

    margin: float = option(default=0.0, doc="required difference of the scores")

    def neutral(self, position: int) -> float:
        return 1.0 if position == 2 else 0.0

    def shortcut(self, *tensors: Any) -> Tensor | None:
        if not serves_plain_code() or not all(type(each) in (Tensor, nn.Parameter) for each in tensors):
            return None
        input1, input2, target = tensors
        if input1.shape != input2.shape or input1.dtype != input2.dtype:
            return None
        return super().shortcut(input1 - input2, target) if input1.dtype in (torch.float32, torch.float64) else None

    def of_element(self, input: Tensor, target: Tensor) -> Tensor:
        value = (self.margin - target * input).clamp_min(0)
        return torch.where((target == 1) | (target == -1), value, torch.inf)

    def per_element(self, input1: Tensor, input2: Tensor, target: Tensor) -> Tensor:
        value = (self.margin - target * (input1 - input2)).clamp_min(0)
        return signed(self.name, value, target)


class HingeEmbeddingLoss(ElementFormula, ElementLoss):
    r"""Hinge embedding loss: the distance of similar pairs, and a hinge at the margin for dissimilar pairs.

    .. math:: \begin{cases} x & y = 1 \\ \max(0, m - x) & y = -1 \end{cases}

    The input is the distance.

    Source: Hadsell, Chopra, LeCun 2006, "Dimensionality Reduction by Learning an Invariant Mapping", CVPR, which
    squares both cases.

    Elsewhere: "contrastive loss" is the squared form, or a loss over all pairs of a batch.

    Example:
        >>> loss = losskit.HingeEmbeddingLoss(margin=1.0)
        >>> input = torch.tensor([0.2, 0.3])  # distances of pairs (N,)
        >>> target = torch.tensor([1, -1])  # similar, dissimilar
        >>> loss(input, target)
        tensor(0.4500)
    """

    authority = "torch.nn.functional.hinge_embedding_loss"

    margin: float = option(default=1.0, doc="distance beyond which dissimilar pairs have loss 0")

    def neutral(self, position: int) -> float:
        return float(position)  # a target of 1

    def of_element(self, input: Tensor, target: Tensor) -> Tensor:
        unlike = torch.where(target == -1, (self.margin - input).clamp_min(0), torch.inf)
        return torch.where(target == 1, input, unlike)

    def per_element(self, input: Tensor, target: Tensor) -> Tensor:
        value = torch.where(target == 1, input, (self.margin - input).clamp_min(0))
        return signed(self.name, value, target)


class SoftMarginLoss(ElementFormula, ElementLoss):
    r"""Soft margin loss: the logistic loss for targets 1 and -1.

    .. math:: \log(1 + e^{-y x})

    Source: logistic regression, Cox 1958, "The Regression Analysis of Binary Sequences", JRSS B 20.

    Elsewhere: it equals binary cross-entropy on logits for targets 0 and 1.

    Example:
        >>> loss = losskit.SoftMarginLoss()
        >>> input = torch.tensor([2.0, -1.0])  # logits (N,)
        >>> target = torch.tensor([1, -1])
        >>> loss(input, target)
        tensor(0.2201)
    """

    authority = "torch.nn.functional.soft_margin_loss"

    def neutral(self, position: int) -> float:
        return float(position)

    def of_element(self, input: Tensor, target: Tensor) -> Tensor:
        return torch.where((target == 1) | (target == -1), -log_sigmoid(target * input), torch.inf)

    def per_element(self, input: Tensor, target: Tensor) -> Tensor:
        return signed(self.name, -log_sigmoid(target * input), target)


class MultiMarginLoss(ClosedForm, MeanLoss):
    r"""Multi-class margin (hinge) loss: the score of the true class must exceed every other one by a margin.

    .. math:: \frac{1}{C} \sum_{i \ne y} \max(0, m - x_y + x_i)^p

    Source: Weston and Watkins 1999, "Support vector machines for multi-class pattern recognition", ESANN.

    Elsewhere: Crammer and Singer use the largest violation instead of the sum; PyTorch names the class weights
    `weight`, and its mean divides by the number of samples, not by the sum of their class weights.

    Example:
        >>> loss = losskit.MultiMarginLoss()
        >>> input = torch.tensor([[1.0, 0.5, 0.2]])  # scores (N, C)
        >>> target = torch.tensor([0])  # class indices (N,)
        >>> loss(input, target)
        tensor(0.2333)
    """

    authority = "torch.nn.functional.multi_margin_loss"
    shapes = "input (N, C, *), target (N, *) of class indices; weight (N, 1, *), mask (N, *) or (N, 1, *)."

    p: Literal[1, 2] = option(default=1, doc="exponent of each violation")
    margin: float = option(default=1.0, doc="required distance of the true class above the others")
    class_weight: ClassWeights | None = option(default=None, doc="one weight per class, selected by the true class")
    ignore_index: int | Sequence[int] | None = option(
        default=-100, doc="the label, or labels, of positions to leave out; None for no label"
    )

    def closed_form(self, input: Tensor, target: Tensor, *, derive: bool) -> closed_forms.Found | None:
        label = closed_forms.class_indices(input, target, self.ignore_index)
        return None if label is None else closed_rows.multi_margin(input, label, self.p, self.margin, derive)

    def weighed(
        self, *tensors: Tensor, weight: Tensor | None = None, mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        input, target = tensors
        spec = InputSpec("softmax", ignore_index=labels_of(self.ignore_index))  # one true class per position
        inputs = spec.parse(self.name, input, target, weight, mask)
        if not inputs.holds_indices:
            raise ValueError(
                f"{self.name}: target has the input's shape {shape(input)}, but it takes one class index per position. "
                "Pass target.argmax(1) if it is one-hot; for several labels use MultiLabelMarginLoss."
            )
        check_length(self.name, "class_weight", self.class_weight, inputs)
        bad = check(inputs)
        elements = Elements(inputs)
        scores, counts = elements.input, elements.counts  # (N, C, *), (N, 1, *)
        truth = inputs.target.unsqueeze(1).long()
        truth = (truth if counts is None else truth.where(counts, 0)).clamp(0, inputs.num_classes - 1)
        violation = (self.margin - scores.gather(1, truth) + scores).relu() ** self.p
        value = violation.scatter(1, truth, 0.0).sum(1, keepdim=True) / inputs.num_classes
        share = inputs.weight
        weights = class_weights(self.class_weight, value.new_empty(inputs.num_classes))
        if weights is not None:
            of_truth = weights[truth]
            share = of_truth if share is None else of_truth * share.to(value)
        value, share = weighted(value + sum(bad) if bad else value, share, counts)
        return value.squeeze(1), share.squeeze(1)

    denominator = Summable.denominator


class MultiLabelMarginLoss(ClosedForm, MeanLoss):
    r"""Multi-label margin loss: the score of every label must exceed that of every other class by 1.

    .. math:: \frac{1}{C} \sum_{j \in y} \sum_{i \notin y} \max(0, 1 - (x_j - x_i))

    The target lists the labels of each sample; -1 ends the list.

    Source: Elisseeff and Weston 2001, "A kernel method for multi-labelled classification", NIPS, which divides by
    the number of pairs.

    Elsewhere: for targets of 0 and 1 per class use MultiLabelSoftMarginLoss.

    Example:
        >>> loss = losskit.MultiLabelMarginLoss()
        >>> input = torch.tensor([[0.1, 0.2, 0.4, 0.8]])  # scores (N, C)
        >>> target = torch.tensor([[3, 0, -1, 1]])  # the true classes are 3 and 0; -1 ends the list
        >>> loss(input, target)
        tensor(0.8500)
    """

    authority = "torch.nn.functional.multilabel_margin_loss"
    function_name = "multilabel_margin_loss"
    shapes = "input (N, C) or (C,), target of class indices in the same shape, each row ended by -1; weight, mask (N,)."

    def closed_form(self, input: Tensor, target: Tensor, *, derive: bool) -> closed_forms.Found | None:
        if input.shape != target.shape or target.dtype != torch.int64 or input.dim() not in (1, 2):
            return None
        return closed_rows.multi_label_margin(input, target, derive)

    def weighed(
        self, *tensors: Tensor, weight: Tensor | None = None, mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        input, target = tensors
        check_floating(self.name, "input", input)
        check_real(self.name, "target", target)
        check_equal(self.name, {"input": input, "target": target})
        if input.dim() not in (1, 2):
            raise ValueError(f"{self.name}: input must have shape (N, C) or (C,); got {shape(input)}.")
        if target.is_floating_point() or target.dtype == torch.bool:
            raise TypeError(
                f"{self.name}: target lists class indices, ended by -1, so it holds integers; got {target.dtype}. For "
                "0 and 1 per class use MultiLabelSoftMarginLoss."
            )
        weight, mask = weight_and_mask(self.name, weight, mask, input.shape[:-1])
        scores, target = input.to(computing_dtype(input)), target.long()
        if mask is not None:
            scores, target = scores.where(mask.unsqueeze(-1), 0.0), target.where(mask.unsqueeze(-1), -1)
        return weighted(self.values(scores, target), weight, mask)

    def values(self, input: Tensor, target: Tensor) -> Tensor:
        classes = input.shape[-1]
        listed = (target >= 0).cumprod(-1).bool()  # (N, L), before the first -1
        label = target.clamp(0, max(classes - 1, 0))
        named = listed.unsqueeze(-1) & (label.unsqueeze(-1) == torch.arange(classes, device=input.device))  # (N, L, C)
        pairs = listed.unsqueeze(-1) & ~named.any(-2, keepdim=True)
        violation = (1 - input.gather(-1, label).unsqueeze(-1) + input.unsqueeze(-2)).relu()
        value = torch.where(pairs, violation, 0.0).sum((-2, -1)) / max(classes, 1)
        return mark(
            value,
            (target < -1) | (target >= classes),
            target,
            f"{self.name}: target holds {{value}}, but it lists class indices 0 to {classes - 1}, ended by -1.",
        )

    def values_shape(self, target: Tensor) -> torch.Size:
        return target.shape[:-1]


class MultiLabelSoftMarginLoss(ClassificationLoss):
    r"""Multi-label soft margin loss: the mean over classes of the binary cross-entropy on logits.

    .. math:: -\frac{1}{C} \sum_c t_c \log \sigma(x_c) + (1 - t_c) \log(1 - \sigma(x_c))

    Source: logistic regression per label, Cox 1958; PyTorch's name.

    Elsewhere: its mean equals that of BCEWithLogitsLoss with `mode="multilabel"`; only "sum" and "none" differ, with
    one value per sample. PyTorch names the class weights `weight`, and its mean divides by the number of classes, not
    by their weights.

    Example:
        >>> loss = losskit.MultiLabelSoftMarginLoss()
        >>> input = torch.tensor([[2.0, -1.0]])  # logits (N, C)
        >>> target = torch.tensor([[1, 0]])  # labels (N, C)
        >>> loss(input, target)
        tensor(0.2201)
    """

    authority = "torch.nn.functional.multilabel_soft_margin_loss and its formula in mpmath"
    function_name = "multilabel_soft_margin_loss"
    always: ClassVar[Always | None] = "sigmoid"
    same_shape = True
    shapes = "input (N, C, *), target of the same shape in [0, 1]; weight and mask of the same shape, or size 1."

    def formula(self) -> Formula:
        return Formula()

    def finish_plan(self, inputs: Inputs, watched: Watching) -> Finish | None:
        finish = super().finish_plan(inputs, watched)
        return replace(finish, divisor=inputs.num_classes) if isinstance(finish, TermsFinish) else None

    def conclude(self, sums: Sums) -> tuple[Tensor, Tensor | None]:
        numerator, denominator = super().conclude(sums)
        classes = max(sums["numerator"].shape[-1], 1)
        return numerator / classes, None if denominator is None else denominator / classes

    def weighed(
        self, *tensors: Tensor, weight: Tensor | None = None, mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        value, share = super().weighed(*tensors, weight=weight, mask=mask)
        return value.mean(1), share.mean(1)


def signed(owner: str, value: Tensor, target: Tensor) -> Tensor:
    """The value, marked as an error where a target is neither 1 nor -1."""
    return mark(
        value,
        (target != 1) & (target != -1),
        target,
        f"{owner}: target holds {{value}}, but each target is 1 or -1. For labels 0 and 1 pass 2 * target - 1; leave "
        "pairs that are neither out with mask=.",
    )
