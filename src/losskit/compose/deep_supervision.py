"""DeepSupervisionLoss: one loss on outputs at several resolutions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal, NamedTuple

import torch
from torch import Tensor

from losskit.core.contract import shape
from losskit.core.domains import NonNegative
from losskit.core.loss import Part, Parts
from losskit.core.operands import as_loss, call, require_normalizer
from losskit.core.options import Configured, option
from losskit.core.summable import Summable, answering
from losskit.core.sums import Sums

Several = Tensor | Sequence[Tensor]
Normalizer = float | Tensor | Sequence[float | Tensor]


class _Level(NamedTuple):
    output: Tensor
    target: Tensor
    weight: Tensor | None
    mask: Tensor | None


class DeepSupervisionLoss(Summable):
    r"""Deep supervision: the weighted mean of one loss over a decoder's outputs at several resolutions.

    .. math:: \sum_i w_i\,\ell(x_i, y_i) \big/ \sum_i w_i

    `criterion(outputs, target)` takes a list of outputs, the highest resolution first, or one tensor, as in evaluation.
    A single target tensor is resized to each output by nearest-neighbour sampling, aligned at pixel centres, so that
    labels and ignored labels stay valid; a list gives one target per output. `weight` and `mask` likewise. A dropped
    output is not used, so DistributedDataParallel needs `find_unused_parameters=True` for its head.

    Source: Lee et al. 2014, arXiv:1409.5185; the weights Isensee et al. 2018, arXiv:1809.10486.

    Elsewhere: MONAI's weights do not sum to one and stop decreasing at 1/16; nnU-Net drops the lowest resolution.

    Example:
        >>> loss = losskit.DeepSupervisionLoss(losskit.CrossEntropyLoss())
        >>> outputs = [torch.zeros(1, 2, 8, 8), torch.zeros(1, 2, 4, 4)]  # logits, the highest resolution first
        >>> target = torch.ones(1, 8, 8, dtype=torch.long)  # class indices (N, H, W)
        >>> loss(outputs, target)
        tensor(0.6931)
    """

    shapes: ClassVar[str] = "a list of (N, C, *), the highest resolution first, and the target of the criterion."
    authority: ClassVar[str] = "monai.losses.DeepSupervisionLoss with weights that sum to one"
    without: ClassVar[tuple[str, ...]] = ("reduction", "empty")
    has_parts: ClassVar[bool] = True

    weights: Literal["halve", "equal"] | Sequence[NonNegative] = option(
        default="halve", doc="of the outputs, before normalization to a sum of 1: 1, 1/2, 1/4, ..., all 1, or a list"
    )
    drop_lowest: bool = option(default=False, doc="drop the last of several outputs, as nnU-Net does")

    def __init__(
        self, criterion: Any, weights: Literal["halve", "equal"] | Sequence[float] = "halve", **options: Any
    ) -> None:
        Configured.__init__(self, weights=weights, **options)
        self.criterion = as_loss(criterion)
        if self.criterion.is_unreduced:
            raise ValueError(f"{self.name}: the criterion must return one number per output, not reduction='none'.")
        self.across_ranks = self.criterion.across_ranks  # type: ignore[misc]

    def __post_init__(self) -> None:
        if not isinstance(self.weights, str) and not sum(self.weights) > 0:
            raise ValueError(f"{self.name}: weights must not all be 0; got {list(self.weights)}.")

    @answering
    def forward(
        self,
        output: Several,
        target: Several,
        weight: Several | None = None,
        mask: Several | None = None,
        *,
        normalizer: Normalizer | None = None,
        whole: Sums | None = None,
        **named: Any,
    ) -> Tensor:
        return self._mean(self._values(output, target, weight, mask, normalizer, whole, named))

    def parts(self, output: Several, target: Several, *others: Any, **named: Any) -> tuple[Tensor, Parts]:  # type: ignore[override]
        """The loss, and the parts of the criterion by output: `0.dice`, `0.ce`, `1.dice`, ..."""
        arguments = {**dict(zip(("weight", "mask"), others, strict=False)), **named}
        weight, mask, normalizer, whole = (arguments.pop(n, None) for n in ("weight", "mask", "normalizer", "whole"))
        inner: dict[int, Parts] = {}
        values = self._values(output, target, weight, mask, normalizer, whole, arguments, inner)
        parts = Parts()
        for index, (value, share) in enumerate(zip(values, self._shares(len(values)), strict=True)):
            alone = Parts({self.criterion.label: Part(value.detach(), value.detach())})
            for name, part in inner.get(index, alone).times(share).items():
                parts[f"{index}.{name}"] = part
        return self._mean(values), parts

    def _values(
        self,
        output: Several,
        target: Several,
        weight: Several | None,
        mask: Several | None,
        normalizer: Normalizer | None,
        whole: Sums | None,
        named: dict[str, Any],
        inner: dict[int, Parts] | None = None,
    ) -> list[Tensor]:
        """The criterion's value on each output; `inner` receives its parts there."""
        if whole is not None:
            self.require_summable()
        levels = self._levels(output, target, weight, mask)
        divisors = self._normalizers(normalizer, [level.output.shape[2:].numel() for level in levels])
        wholes = [None if whole is None else whole.part(str(i)) for i in range(len(levels))]
        return [
            call(self.criterion, (x, t)[: self.criterion.arity], w, m, divisors[i], wholes[i], named, i, inner)
            for i, (x, t, w, m) in enumerate(levels)
        ]

    @property
    def takes_normalizer(self) -> bool:
        return self.criterion.takes_normalizer

    def _normalizers(self, given: Normalizer | None, sizes: list[int]) -> list[Any]:
        """The normalizer of each resolution; one number is valid if all outputs have one size."""
        if given is None:
            return [None] * len(sizes)
        require_normalizer(self.name, self.criterion, given)
        if isinstance(given, Sequence):
            if len(given) < len(sizes):
                raise ValueError(
                    f"{self.name}: there are {len(sizes)} outputs, but {len(given)} normalizers; pass one for each."
                )
            return list(given)
        if len(set(sizes)) > 1:
            raise ValueError(
                f"{self.name}: the outputs have {len(sizes)} resolutions, each a mean over its own elements, so one "
                "normalizer cannot apply to all. Pass a list with one for each output, normalizer=[...]."
            )
        return [given] * len(sizes)

    @property
    def summable(self) -> bool:
        return self.criterion.summable

    @property
    def is_mean(self) -> bool:
        return False  # the targets alone do not determine the resolutions, nor what counts

    def require_summable(self) -> None:
        self.criterion.require_summable()

    def totals(self, *tensors: Any, weight: Several | None = None, mask: Several | None = None) -> Sums:
        self.require_summable()
        levels = self._levels(tensors[0], tensors[1], weight, mask)
        criterion: Any = self.criterion
        return Sums(**{str(i): criterion.totals(x, t, weight=w, mask=m) for i, (x, t, w, m) in enumerate(levels)})

    def finish(self, sums: Sums, *, normalizer: Normalizer | None = None, whole: Sums | None = None) -> Tensor:
        criterion: Any = self.criterion
        # Sums carry no resolution. They are taken as different, so that one number for several outputs is an error.
        divisors = self._normalizers(normalizer, list(range(len(sums.names()))))
        return self._mean(
            [
                criterion.finish(
                    sums.part(name), normalizer=divisors[i], whole=None if whole is None else whole.part(name)
                )
                for i, name in enumerate(sums.names())
            ]
        )

    def _mean(self, values: list[Tensor]) -> Tensor:
        shares = self._shares(len(values))
        first, *others = [share * value for share, value in zip(shares, values, strict=True)]
        return sum(others, start=first)

    def _shares(self, levels: int) -> list[float]:
        """The normalized weights of this many outputs."""
        if levels == 1:
            return [1.0]
        if self.weights == "halve":
            given = [0.5**i for i in range(levels)]
        elif self.weights == "equal":
            given = [1.0] * levels
        else:
            given = [float(w) for w in self.weights[:levels]]
        return [w / sum(given) for w in given]

    def _levels(self, output: Several, target: Several, weight: Several | None, mask: Several | None) -> list[_Level]:
        """Output, target, weight and mask of each resolution in use."""
        outputs = [output] if isinstance(output, Tensor) else list(output)
        if not outputs or not all(isinstance(x, Tensor) for x in outputs):
            raise TypeError(
                f"{self.name}: outputs must be a list of tensors, the highest resolution first, or one tensor; got "
                f"{output!r}."
            )
        sizes = [x.shape[2:].numel() for x in outputs]
        if sizes[0] < sizes[-1]:
            raise ValueError(
                f"{self.name}: outputs come with the highest resolution first; got {shape(outputs[0])} before "
                f"{shape(outputs[-1])}. Pass them in reverse, outputs[::-1]."
            )
        if len(outputs) > 1 and not isinstance(self.weights, str) and len(self.weights) != len(outputs):
            raise ValueError(f"{self.name}: there are {len(outputs)} outputs, but {len(self.weights)} weights.")
        targets, weights, masks = (
            self._each(name, given, outputs) for name, given in (("target", target), ("weight", weight), ("mask", mask))
        )
        levels = [_Level(*level) for level in zip(outputs, targets, weights, masks, strict=True)]
        return levels[:-1] if self.drop_lowest and len(levels) > 1 else levels

    def _each(self, name: str, given: Several | None, outputs: list[Tensor]) -> list[Any]:
        """The value given for each output."""
        if given is None or isinstance(given, Tensor):
            return [None if given is None else self._resized(name, given, x) for x in outputs]
        if len(given) != len(outputs):
            raise ValueError(
                f"{self.name}: there are {len(outputs)} outputs, but {len(given)} {name}s; pass one for each, or one "
                "tensor to be resized."
            )
        return list(given)

    def _resized(self, name: str, tensor: Tensor, output: Tensor) -> Tensor:
        """The tensor resized to the spatial size of the output (N, C, *) by nearest neighbour."""
        size = output.shape[2:]
        if tensor.dim() <= len(size):
            return tensor  # the criterion raises the error
        for dim, wanted in enumerate(size, start=tensor.dim() - len(size)):
            found = tensor.shape[dim]
            if found == wanted or (found == 1 and name != "target"):
                continue
            if found < wanted:
                raise ValueError(
                    f"{self.name}: {name} {shape(tensor)} is smaller than output {shape(output)}; it is resized to "
                    "lower resolutions only. Pass a list with one for each output."
                )
            centres = 2 * torch.arange(wanted, device=tensor.device) + 1
            tensor = tensor.index_select(dim, centres * found // (2 * wanted))
        return tensor
