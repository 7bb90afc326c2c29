"""Ordinal losses: classes with an order, such as grades and ages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from losskit.core.contract import Always, check_floating, check_real, shape
from losskit.core.logits import ClassesLoss, LogitsLoss
from losskit.core.options import option
from losskit.ops.maths import log_sigmoid, log_softmax


class RankLoss(LogitsLoss):
    """A loss of K - 1 logits, one per grade but the last: whether the truth is above it."""

    abstract: ClassVar[bool] = True
    always: ClassVar[Always | None] = "softmax"
    without: ClassVar[tuple[str, ...]] = ("from_logits", "mode", "class_weight")
    class_weight: ClassVar[None] = None  # type: ignore[misc] # weight= is the weight of each sample
    takes: ClassVar[tuple[str, ...]] = ("logits", "target")
    shapes: ClassVar[str] = (
        "input (N, K - 1, *); target (N, *) or (N, 1, *) of grades from 0 to K - 1; weight and mask (N, *) or "
        "(N, 1, *), with size 1 where they repeat; values (N, *)."
    )

    ignore_index: int | Sequence[int] | None = option(
        default=-100, doc="the label, or labels, of elements to leave out, as if they were not there; None for no label"
    )

    def weighed(
        self, *tensors: Tensor, weight: Tensor | None = None, mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        input, target = tensors
        check_floating(self.name, "input", input)
        if input.dim() < 2:
            raise ValueError(
                f"{self.name}: input must have shape (N, K - 1, *), a logit for each grade but the last; got "
                f"{shape(input)}. For a single sample pass input.unsqueeze(0)."
            )
        check_real(self.name, "target", target)
        grades = (input.shape[0], *input.shape[2:])
        if tuple(target.shape) not in (grades, (input.shape[0], 1, *input.shape[2:])):
            raise ValueError(
                f"{self.name}: target has shape {shape(target)}, but input {shape(input)} takes a target of shape "
                f"{grades}, a grade from 0 to {input.shape[1]} for each element. Make the shapes agree before the call."
            )
        last = input.new_zeros(()).expand(input[:, :1].shape)  # padding for the last grade
        return super().weighed(torch.cat([input, last], 1), target, weight=weight, mask=mask)


class CoralLoss(RankLoss):
    r"""CORAL ordinal loss: the sum of K - 1 binary cross-entropies of whether the truth is above each grade.

    .. math:: -\sum_{k=0}^{K-2} [y > k] \log \sigma(x_k) + [y \le k] \log(1 - \sigma(x_k))

    The logits share their weights and differ by a bias (the CORAL layer), so that the binary predictions are
    consistent. Predict the number of logits above 0.

    Source: Cao, Mirjalili, Raschka 2020, arXiv:1901.07884.

    Elsewhere: coral_pytorch takes the target as K - 1 binary labels (`levels`).

    Example:
        >>> loss = losskit.CoralLoss()
        >>> input = torch.tensor([[1.0, -1.0]])  # logits of "above grade 0", "above grade 1" (N, K - 1)
        >>> target = torch.tensor([1])  # grades (N,)
        >>> loss(input, target)
        tensor(0.6265)
    """

    authority = "its formula in mpmath"
    short_name = "coral"

    def per_position(self, logits: Tensor, target: Tensor) -> Tensor:
        above = above_each(target)
        x = logits[:, :-1]
        return -(above * log_sigmoid(x) + (1 - above) * log_sigmoid(-x)).sum(1)


class CornLoss(RankLoss):
    r"""CORN ordinal loss: binary cross-entropy of being above a grade, given being above the previous one.

    .. math:: -\sum_{k=0}^{\min(y, K-2)} [y > k] \log \sigma(x_k) + [y = k] \log(1 - \sigma(x_k))

    The mean is over all binary terms that apply. The cumulative product of the probabilities is the probability of
    being above a grade.

    Source: Shi, Cao, Raschka 2021, arXiv:2111.08851.

    Elsewhere: coral_pytorch's corn_loss has the same mean.

    Example:
        >>> loss = losskit.CornLoss()
        >>> input = torch.tensor([[1.0, -1.0]])  # logits of "above grade 0", "above grade 1" (N, K - 1)
        >>> target = torch.tensor([1])  # grades (N,)
        >>> loss(input, target)
        tensor(0.3133)
    """

    authority = "its formula in mpmath"
    short_name = "corn"
    counts_elements = False  # the denominator counts binary terms

    def weighed(
        self, *tensors: Tensor, weight: Tensor | None = None, mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        value, share = super().weighed(*tensors, weight=weight, mask=mask)
        target = tensors[1].reshape(value.shape)
        asked = (target.clamp(0, max(tensors[0].shape[1] - 1, 0)) + 1).to(share.dtype)
        return value, share * asked

    def per_position(self, logits: Tensor, target: Tensor) -> Tensor:
        x = logits[:, :-1]
        above, here = above_each(target), target[:, :-1]
        return -(above * log_sigmoid(x) + here * log_sigmoid(-x)).sum(1)


class OrdinalEMDLoss(ClassesLoss):
    r"""Squared earth mover's distance of ordered classes, from cumulative distributions; far errors weigh more.

    .. math:: \sum_{k=1}^{C} \Bigl(\sum_{c \le k} p_c - t_c\Bigr)^2

    Source: Hou, Yu, Samaras 2016, arXiv:1611.05916 (squared earth mover's distance).

    Elsewhere: NIMA takes the root of the mean over classes.

    Example:
        >>> loss = losskit.OrdinalEMDLoss()
        >>> input = torch.tensor([[2.0, 1.0, 0.0]])  # logits of the grades (N, C)
        >>> target = torch.tensor([0])  # grades (N,)
        >>> loss(input, target)
        tensor(0.1202)
    """

    authority = "its formula in mpmath"
    function_name = "ordinal_emd_loss"
    short_name = "emd"
    also_called = ("earth_mover", "squared_emd", "ordinal_emd", "rps")

    def per_position(self, logits: Tensor, target: Tensor) -> Tensor:
        p = log_softmax(logits).exp()
        until, after = p.cumsum(1)[:, :-1], above_each(p)
        truth = target.cumsum(1)[:, :-1]
        # until - truth, without cancellation where a class is nearly certain
        return (((1 - truth) * until - truth * after) ** 2).sum(1)


def above_each(target: Tensor) -> Tensor:
    """Whether the truth is above each grade but the last, (N, K - 1, *), from the share of each grade (N, K, *)."""
    return target.flip(1).cumsum(1).flip(1)[:, 1:]
