"""Losses between distributions."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from losskit.core.means import ElementLoss
from losskit.core.options import option
from losskit.core.sums import size_of
from losskit.losses.shortcuts import ElementFormula
from losskit.ops.values import above_zero, log_probability_message, mark


class KLDivLoss(ElementFormula, ElementLoss):
    r"""Kullback-Leibler divergence of the target distribution from the predicted one, element-wise, in nats.

    .. math:: t\,(\log t - x), \quad x = \log p

    for each element; elements with a target of 0 are 0. The divergence of a sample is the sum of its elements, so
    `reduction="batchmean"` is the mean divergence; "mean" divides by the number of elements, as in PyTorch. With
    weights, "batchmean" divides by the sum over samples of the largest weight in each.

    Source: Kullback and Leibler 1951, "On Information and Sufficiency", Annals of Mathematical Statistics 22.

    Elsewhere: Keras takes probabilities on both sides and sums over the last dimension; distillation multiplies by
    the squared temperature.

    Example:
        >>> loss = losskit.KLDivLoss(reduction="batchmean")
        >>> input = torch.tensor([[0.5, 0.5]]).log()  # log-probabilities (N, C)
        >>> target = torch.tensor([[0.75, 0.25]])  # probabilities (N, C)
        >>> loss(input, target)
        tensor(0.1308)
    """

    authority = "torch.nn.functional.kl_div"
    function_name = "kl_div"
    short_name = "kl"

    log_target: bool = option(default=False, doc="whether the target contains log-probabilities, like the input")
    reduction: Literal["mean", "sum", "none", "batchmean"] = option(  # type: ignore[assignment]
        default="mean", doc="weighted mean, its numerator, every value, or the sum divided by the number of samples"
    )

    def size(self, share: Tensor) -> Tensor:
        if self.reduction != "batchmean" or share.numel() == 0 or share.dim() < 2:
            return size_of(share)
        return size_of(share.flatten(1).amax(1))

    def of_element(self, input: Tensor, target: Tensor) -> Tensor:
        value = self._divergence(input, target)
        valid = input <= above_zero(input)
        return torch.where(valid if self.log_target else valid & (target >= 0), value, torch.inf)

    def _divergence(self, input: Tensor, target: Tensor) -> Tensor:
        p = target.exp() if self.log_target else target
        absent = p == 0  # 0 log 0 = 0, also where the prediction is 0 too
        p = torch.where(absent, 1.0, p)
        log_p = torch.where(absent, 0.0, target) if self.log_target else p.log()
        return p * (log_p - torch.where(absent, 0.0, input))

    def per_element(self, input: Tensor, target: Tensor) -> Tensor:
        value = self._divergence(input, target)
        above = input > above_zero(input)
        value = mark(value, above, input, log_probability_message(self.name, "input", 1))
        if self.log_target:
            return value
        return mark(
            value,
            target < 0,
            target,
            f"{self.name}: target holds {{value}}, but probabilities are not negative. If it holds log-probabilities, "
            "pass log_target=True.",
        )
