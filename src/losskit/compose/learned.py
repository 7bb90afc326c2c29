"""LearnedWeights: losses weighed by uncertainties that are learned with the model."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from losskit.compose.heads import HeadsSum
from losskit.core.options import Configured, option
from losskit.core.wrapped import as_loss


class LearnedWeights(HeadsSum):
    r"""Weighs losses against each other by how uncertain each is, which it learns with the model.

    .. math:: \sum_i e^{-s_i} \ell_i + s_i / 2 \qquad
        \text{or (liebel)} \qquad \sum_i e^{-s_i} \ell_i / 2 + \log(1 + e^{s_i})

    with :math:`s_i = \log \sigma_i^2` the parameter `log_variance`, at first 0: give it to the optimizer with the
    model's. Losses are given in order or by name, `LearnedWeights(classes=CrossEntropyLoss(), depth=L1Loss())`.
    Tensors go to every loss; a dict of tensors by name, or a list in order, gives each loss its own:
    `criterion({"classes": logits, "depth": output}, {"classes": labels, "depth": depth})`.

    Source: Kendall, Gal, Cipolla 2018, arXiv:1705.07115; Liebel and Koerner 2018, arXiv:1805.06334, whose penalty
    keeps the loss positive.

    Elsewhere: Kendall et al. halve the weight of regression losses, for which pass `0.5 * loss`; Liebel and Koerner
    learn sigma itself.
    """

    shapes: ClassVar[str] = "those of the losses; or dicts or lists with one tensor a loss."
    authority: ClassVar[str] = "values worked out by hand"
    without: ClassVar[tuple[str, ...]] = ("reduction", "empty")

    variant: Literal["kendall", "liebel"] = option(default="kendall", doc="whose weights and penalty")

    def __init__(self, *losses: Any, variant: Literal["kendall", "liebel"] = "kendall", **named: Any) -> None:
        Configured.__init__(self, variant=variant)
        parts = {**{str(i): as_loss(part) for i, part in enumerate(losses)}, **named}
        if not parts:
            raise TypeError("LearnedWeights takes the losses to weigh, in order or by name; got none.")
        given = {name: as_loss(part) for name, part in parts.items()}
        names = [part.label if name not in named else name for name, part in given.items()]
        self.set_terms([(1.0, part) for part in given.values()], names)
        self.log_variance = nn.Parameter(torch.zeros(len(given)))

    def weights(self) -> list[float | Tensor]:
        weights = torch.exp(-self.log_variance)
        return list((weights / 2 if self.variant == "liebel" else weights).unbind())

    def combine(self, values: list[Tensor], weights: list[float | Tensor]) -> Tensor:
        s = self.log_variance
        penalty = F.softplus(s) if self.variant == "liebel" else s / 2
        return super().combine(values, weights) + penalty.sum().to(values[0].dtype)

    @property
    def is_mean(self) -> bool:
        return False  # the penalty is added once, not for each batch
