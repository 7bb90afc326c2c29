"""Sums whose parts take separate tensors, as dicts or lists: MultiTaskLoss and its base class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor

from losskit.core.algebra import WeightedSum, shown_term
from losskit.core.loss import Parts
from losskit.core.operands import as_loss
from losskit.core.options import Configured
from losskit.core.sums import Sums


class HeadsSum(WeightedSum):
    """A weighted sum that takes dicts of tensors keyed by part name, or lists in part order."""

    planned: ClassVar[bool] = False  # a call may pass several tensors per argument

    def _check_call(self, normalizer: Any, whole: Sums | None, named: dict[str, Any]) -> None:
        super()._check_call(None if several((normalizer,)) else normalizer, whole, named)

    def _sums_of_labels(self, tensors: tuple[Any, ...], weight: Any, mask: Any, *, every: bool) -> dict[int, Sums]:
        return {} if several(tensors) else super()._sums_of_labels(tensors, weight, mask, every=every)

    def _own(self, tensors: tuple[Any, ...], *others: Any) -> list[tuple[Any, ...]]:
        return [
            (
                tuple(self._pick(given, index, name) for given in tensors[: part.arity]),
                *(self._pick(given, index, name, None) for given in others),
            )
            for index, (name, part) in enumerate(zip(self.names, self.planned_parts(), strict=True))
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
        terms = zip(self.names, self.numbers, self.variable_factors(), self.losses, strict=True)
        parts = [f"{name}={shown_term(number, factor, part)}" for name, number, factor, part in terms]
        return ", ".join([*parts, Configured.extra_repr(self)]).removesuffix(", ")


class MultiTaskLoss(HeadsSum):
    r"""Multi-task loss: the sum of one loss per head of a model with several outputs, with fixed weights.

    .. math:: \sum_h w_h\,\ell_h(x_h, y_h)

    `MultiTaskLoss(heads={"classes": CrossEntropyLoss(), "depth": 0.5 * L1Loss()})` takes the model's output and the
    targets as dicts with these names, or as lists in this order. A single target tensor is passed to every head.
    Entries with other names are ignored. `weight`, `mask` and `normalizer` may be dicts too, and may omit heads.
    `DeepSupervisionLoss` is for one loss on outputs of several resolutions; `LearnedWeights` learns the weights.

    Source: Caruana 1997, "Multitask Learning", Machine Learning 28.

    Example:
        >>> heads = {"classes": losskit.CrossEntropyLoss(), "depth": 0.5 * losskit.L1Loss()}
        >>> loss = losskit.MultiTaskLoss(heads)
        >>> input = {"classes": torch.tensor([[2.0, 0.0]]), "depth": torch.tensor([3.0])}
        >>> target = {"classes": torch.tensor([0]), "depth": torch.tensor([2.5])}
        >>> loss(input, target)
        tensor(0.3769)
    """

    shapes: ClassVar[str] = "dicts or lists with the tensors of each head's loss."
    authority: ClassVar[str] = "the heads' losses, called one by one"
    without: ClassVar[tuple[str, ...]] = ("reduction", "empty")
    shares_tensors: ClassVar[bool] = False

    def __init__(self, heads: Mapping[str, Any]) -> None:
        if not isinstance(heads, Mapping) or not heads:
            raise TypeError(
                f"MultiTaskLoss: heads must be a dict of a loss for each output; got {heads!r}. Pass "
                'heads={"classes": CrossEntropyLoss(), "depth": 0.5 * L1Loss()}.'
            )
        Configured.__init__(self)
        self.set_terms([_weighted(loss) for loss in heads.values()], [str(name) for name in heads])

    @property
    def counts_from_targets(self) -> bool:
        return False

    def evaluate(
        self, tensors: tuple[Any, ...], arguments: dict[str, Any], inner: dict[int, Parts] | None = None
    ) -> list[Tensor]:
        if not several(tensors):
            raise TypeError(
                f"{self.name}: output must be a dict or a list with a tensor for each head, {', '.join(self.names)}; "
                f'got {type(tensors[0]).__name__}. Pass {{"{self.names[0]}": output, ...}}.'
            )
        return super().evaluate(tensors, arguments, inner)


def _weighted(loss: Any) -> tuple[Any, Any]:
    """A loss and its weight; for a sum of one part, that part and its weight."""
    loss = as_loss(loss)
    if type(loss) is WeightedSum and len(loss.losses) == 1 and not loss.offset:
        (factor,), (part,) = loss.variable_factors(), loss.losses
        if factor is None:
            return loss.numbers[0], part
        if loss.numbers[0] == 1:
            return factor, part
    return 1.0, loss


def several(tensors: tuple[Any, ...]) -> bool:
    """Whether each part takes separate tensors."""
    return len(tensors) > 0 and isinstance(tensors[0], (Mapping, list, tuple))
