"""LearnedWeights: losses weighed by uncertainties that are learned with the model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from losskit.core.algebra import WeightedSum, call
from losskit.core.options import Configured, option
from losskit.core.totals import Sums
from losskit.core.wrapped import as_loss


class LearnedWeights(WeightedSum):
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
    planned: ClassVar[bool] = False  # its weights are learned

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

    def evaluate(self, tensors: tuple[Any, ...], arguments: dict[str, Any]) -> list[Tensor]:
        if not _several(tensors):
            return super().evaluate(tensors, arguments)
        weight, mask, normalizer, whole = (arguments.pop(n, None) for n in ("weight", "mask", "normalizer", "whole"))
        self._check_call(normalizer, whole, arguments)
        return [
            call(part, *own, normalizer, None if whole is None else whole.part(str(index)), arguments)
            for index, (part, own) in enumerate(zip(self._parts, self._own(tensors, weight, mask), strict=True))
        ]

    def totals(self, *tensors: Any, weight: Any = None, mask: Any = None) -> Sums:
        if not _several(tensors):
            return super().totals(*tensors, weight=weight, mask=mask)
        self.require_summable()
        own = self._own(tensors, weight, mask)
        return Sums(
            **{
                str(index): part.totals(*of_part, weight=w, mask=m)
                for index, (part, (of_part, w, m)) in enumerate(zip(self._parts, own, strict=True))
            }
        )

    def _own(self, tensors: tuple[Any, ...], weight: Any, mask: Any) -> list[tuple[tuple[Tensor, ...], Any, Any]]:
        """The tensors, weight and mask of each loss."""
        return [
            (
                tuple(self._pick(given, index, name) for given in tensors),
                *(self._pick(given, index, name, None) for given in (weight, mask)),
            )
            for index, name in enumerate(self.names)
        ]

    def _pick(self, given: Any, index: int, name: str, *otherwise: Any) -> Any:
        if isinstance(given, Mapping):
            if name not in given and not otherwise:
                raise KeyError(f"{self.name}: a dict was given without {name!r}; it has {', '.join(map(str, given))}.")
            return given.get(name, *otherwise)
        if isinstance(given, (list, tuple)):
            if len(given) != len(self.names):
                raise ValueError(f"{self.name}: a list of {len(given)} was given to {len(self.names)} losses.")
            return given[index]
        return given

    def extra_repr(self) -> str:
        parts = [f"{name}={part!r}" for name, part in zip(self.names, self.losses, strict=True)]
        return ", ".join([*parts, Configured.extra_repr(self)]).removesuffix(", ")


def _several(tensors: tuple[Any, ...]) -> bool:
    return bool(tensors) and isinstance(tensors[0], (Mapping, list, tuple))
