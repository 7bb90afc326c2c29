"""LearnedWeights: losses weighted by learned uncertainties."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from losskit.compose.heads import HeadsSum
from losskit.core.algebra import WeightedSum
from losskit.core.loss import Parts
from losskit.core.operands import as_loss, call, hooked, require_normalizer
from losskit.core.options import Configured, option
from losskit.core.sums import Sums, anything_counts, result_dtype


class LearnedWeights(HeadsSum):
    r"""Uncertainty weighting: a sum of losses whose weights, one log-variance per loss, are learned with the model.

    .. math:: \sum_i e^{-s_i} \ell_i + s_i / 2 \qquad
        \text{or (liebel)} \qquad \sum_i e^{-s_i} \ell_i / 2 + \log(1 + e^{s_i})

    with :math:`s_i = \log \sigma_i^2` the parameter `log_variance`, initially 0: pass it to the optimizer together with
    the model's. Pass losses in order or by name, `LearnedWeights(classes=CrossEntropyLoss(), depth=L1Loss())`.
    Tensors go to every loss; a dict of tensors by name, or a list in order, assigns tensors to losses:
    `criterion({"classes": logits, "depth": output}, {"classes": labels, "depth": depth})`.

    Source: Kendall, Gal, Cipolla 2018, arXiv:1705.07115; Liebel and Koerner 2018, arXiv:1805.06334, whose penalty
    keeps the loss positive.

    A task without counted elements in a batch (all its labels are ignored) is left out together with its penalty, so
    that its weight does not change. Losses without additive sums, such as TopKLoss, do not support this.

    Elsewhere: Kendall et al. halve the weight of regression losses: pass `0.5 * loss` for that; Liebel and Koerner
    learn sigma itself.

    Example:
        >>> loss = losskit.LearnedWeights(classes=losskit.CrossEntropyLoss(), depth=losskit.L1Loss())
        >>> input = {"classes": torch.tensor([[2.0, 0.0]]), "depth": torch.tensor([3.0])}
        >>> target = {"classes": torch.tensor([0]), "depth": torch.tensor([2.5])}
        >>> loss(input, target).detach()
        tensor(0.6269)
    """

    shapes: ClassVar[str] = "those of the losses; or dicts or lists with one tensor per loss."
    authority: ClassVar[str] = "values worked out by hand"
    without: ClassVar[tuple[str, ...]] = ("reduction", "empty")

    variant: Literal["kendall", "liebel"] = option(
        default="kendall", doc="weights and penalty of Kendall et al., or of Liebel and Koerner"
    )

    def __init__(self, *losses: Any, variant: Literal["kendall", "liebel"] = "kendall", **named: Any) -> None:
        Configured.__init__(self, variant=variant)
        parts = {**{str(i): as_loss(part) for i, part in enumerate(losses)}, **named}
        if not parts:
            raise TypeError("LearnedWeights takes the losses to weigh, in order or by name; got none.")
        given = {name: as_loss(part) for name, part in parts.items()}
        names = [part.label if name not in named else name for name, part in given.items()]
        self.set_terms([(1.0, part) for part in given.values()], names)
        self.log_variance = nn.Parameter(torch.empty(len(given)))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Reset every log-variance to its initial value, for example after `to_empty`."""
        nn.init.zeros_(self.log_variance)

    def weights(self) -> list[float | Tensor]:
        weights = torch.exp(-self.log_variance)
        return list((weights / 2 if self.variant == "liebel" else weights).unbind())

    def combine(self, values: list[Tensor], weights: list[float | Tensor]) -> Tensor:
        *values, counts = values
        s = self.log_variance
        penalty = F.softplus(s) if self.variant == "liebel" else s / 2
        left = torch.where(counts.to(s.device) != 0, penalty, 0.0)
        return super().combine(values, weights) + left.sum().to(values[0].dtype)

    def _named(
        self, values: list[Tensor], weights: list[float | Tensor], inner: Mapping[int, Parts] = MappingProxyType({})
    ) -> Parts:
        return super()._named(values[:-1], weights, inner)

    @property
    def is_mean(self) -> bool:
        return False  # the penalty is added once, not once per batch

    def evaluate(
        self, tensors: tuple[Any, ...], arguments: dict[str, Any], inner: dict[int, Parts] | None = None
    ) -> list[Tensor]:
        """The value of each part, followed by whether any element of each part counts, (parts,)."""
        weight, mask, normalizer, whole = (arguments.pop(n, None) for n in ("weight", "mask", "normalizer", "whole"))
        self._check_call(normalizer, whole, arguments)
        known = self._sums_of_labels(tensors, weight, mask, every=False)
        values, counts = [], []
        for index, (own, w, m, n) in enumerate(self._own(tensors, weight, mask, normalizer)):
            part: Any = self.losses[index]
            require_normalizer(self.name, part, n)
            of_whole = None if whole is None else whole.part(str(index))
            sums = known.get(index)
            if sums is None and part.summable and not arguments and not hooked(part):
                sums = part.totals(*own, weight=w, mask=m)
            counts.append(own[0].new_ones((), dtype=torch.bool) if sums is None else anything_counts(sums))
            if sums is None or (inner is not None and isinstance(part, WeightedSum)):
                values.append(call(part, own, w, m, n, of_whole, arguments, index, inner))
            else:
                values.append(part.finish(sums, normalizer=n, whole=of_whole).to(result_dtype(own[0])))
        return [*values, torch.stack(counts)]

    def finish_parts(
        self, sums: Sums, *, normalizer: float | Tensor | None = None, whole: Sums | None = None
    ) -> list[Tensor]:
        values = super().finish_parts(sums, normalizer=normalizer, whole=whole)
        return [*values, torch.stack([anything_counts(sums.part(str(i))) for i in range(len(self.losses))])]
