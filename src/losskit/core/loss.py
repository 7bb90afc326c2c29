"""Loss: the base class of every loss, an `nn.Module` with options, an algebra and a function form; its parts."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from losskit.core import catalogue
from losskit.core.contract import check_tensor, weight_and_mask
from losskit.core.domains import Reduction
from losskit.core.options import Configured, option
from losskit.core.sums import Empty, is_sharded, of_shards, reduce, weighted
from losskit.ops import planning
from losskit.ops.inputs import computing_dtype

Weight = float | Tensor | nn.Module

NO_SCRIPT = (
    "losskit: torch.jit.script does not compile losses, whose options are Python objects. Use torch.compile, "
    "torch.export.export, or script the model alone and call the loss outside it."
)


_FORMULAS = ("per_element", "values")  # methods whose parameters are the tensors of a call


class Parts(dict[str, "Part"]):
    """The components by name."""

    def numbers(self) -> dict[str, Tensor]:
        """The weighted values by name, 0-dim tensors without gradient, as `log_dict` takes them.

        The values of nested parts follow under dotted names, such as `deep_supervision.0.dice`.
        """
        found: dict[str, Tensor] = {}
        for name, part in self.items():
            found[name] = part.weighted
            found.update({f"{name}.{inner}": value for inner, value in part.parts.numbers().items()})
        return found

    def times(self, weight: float | Tensor) -> Parts:
        """The same components, their weighted values multiplied by `weight`."""
        return Parts({n: Part(p.raw, (weight * p.weighted).detach(), p.parts.times(weight)) for n, p in self.items()})


@dataclass(frozen=True, eq=False)
class Part:
    """One component of a composite, without gradient: its value, and its weighted contribution."""

    raw: Tensor
    weighted: Tensor
    parts: Parts = field(default_factory=Parts)  # its own components

    def __float__(self) -> float:
        return float(self.weighted)


def _selected(tensors: Sequence[Tensor], mask: Tensor | None) -> Sequence[Tensor]:
    """The tensors with 0 where the mask (per element or per sample) is False, so that NaN there has no gradient."""
    if not isinstance(mask, Tensor) or mask.dtype != torch.bool or not mask.dim():
        return tensors
    selected = []
    for tensor in tensors:
        of_samples = mask.reshape(*mask.shape, *(1,) * max(tensor.dim() - mask.dim(), 0))
        fits = tensor.dim() == of_samples.dim() and all(
            m == 1 or m == t for m, t in zip(of_samples.shape, tensor.shape, strict=True)
        )
        counts = fits and (tensor.is_floating_point() or tensor.is_complex())
        selected.append(tensor.where(of_samples, 0.0) if counts else tensor)
    return selected


class Loss(Configured):
    """The base class of every loss. Define `values(...)`, unreduced, and the rest follows; or override `forward`.

    `values(self, *tensors)` returns one number per element or sample. `weight` and `mask` at the call have its shape,
    with size 1 where they broadcast. A loss that is not a mean of values overrides `forward`.
    """

    written_doc: ClassVar[str] = ""  # the docstring as its author wrote it, without its example
    example: ClassVar[str] = ""  # a doctest
    shapes: ClassVar[str] = "the tensors of the call; values have one number per element or sample."
    authority: ClassVar[str] = ""  # what its numbers are tested against: tests/authorities/
    across_ranks: ClassVar[str] = (
        "it is computed from each rank's own batch, and averaging over ranks averages these losses."
    )
    tensors: ClassVar[tuple[str, ...]] = ()  # of a call, before weight and mask
    planned: ClassVar[bool] = False  # whether one C call can compute it: see losskit.ops.planning
    shortcut: ClassVar[Any] = None  # how a plain call is computed faster: see losskit.losses.shortcuts
    is_sum: ClassVar[bool] = False
    has_parts: ClassVar[bool] = False  # whether `parts` names more than the loss itself
    varies: ClassVar[Any] = False  # whether the weights of its parts differ between calls
    __array_ufunc__ = None  # a numpy number times a loss is a loss

    reduction: Reduction = option(
        default="mean",
        doc="'mean' is the weighted mean over what counts, 'sum' its numerator, 'none' every value, unreduced",
    )
    empty: Empty = option(
        default="zero", doc="the mean when nothing counts: 0 with a zero gradient ('zero'), NaN, or an error ('raise')"
    )

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        foreign = (base for base in cls.__mro__ if not base.__module__.startswith(("losskit.", "torch.")))
        if any(planning.replaces(base) for base in foreign):
            cls.planned = False
        cls.declare_call()
        catalogue.describe(cls)
        catalogue.register(cls)

    @classmethod
    def declare_call(cls) -> None:
        """Set `tensors` from the parameters of the forward or of the formula, unless the class declares it."""
        own = cls.__dict__
        if "forward" in own or "tensors" not in own:
            source = own.get("forward") or next((own[name] for name in _FORMULAS if name in own), None)
            parameters = list(inspect.signature(source).parameters.values())[1:] if source else []
            kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.POSITIONAL_ONLY)
            names = tuple(p.name for p in parameters if p.kind in kinds and p.name not in ("weight", "mask"))
            cls.tensors = names or cls.tensors

    def values(self, *tensors: Any, **_: Any) -> Tensor:  # any tensors by name, so that a class can name its own
        """One number per element or sample, unreduced."""
        raise TypeError(f"{type(self).__name__} must define values(...) or forward(...)")

    def forward(self, *tensors: Tensor, weight: Tensor | None = None, mask: Tensor | None = None) -> Tensor:
        """The loss of these tensors, reduced; `mask` is False where something does not count."""
        if is_sharded((*tensors, weight, mask)):
            return of_shards(self, tensors, {"weight": weight, "mask": mask})
        value, share = self.weighed(*tensors, weight=weight, mask=mask)
        return reduce(value, share, self.reduction, self.empty, self.name)

    def weighed(self, *tensors: Tensor, weight: Tensor | None, mask: Tensor | None) -> tuple[Tensor, Tensor]:
        """Each element's weighted value, and its weight; both 0 where it does not count."""
        for name, tensor in zip(self.tensors, tensors, strict=False):
            check_tensor(self.name, name, tensor)
        values = self.values(*_selected(tensors, mask))
        if not isinstance(values, Tensor):
            raise TypeError(f"{self.name}: values(...) must return a tensor; got {type(values).__name__}.")
        return self._weigh(values, weight, mask)

    def reduce(self, values: Tensor, weight: Tensor | None = None, mask: Tensor | None = None) -> Tensor:
        """Weight, mask and reduce unreduced values by the rule that every loss shares."""
        value, share = self._weigh(values, weight, mask)
        return reduce(value, share, self.reduction, self.empty, self.name)

    def _weigh(self, values: Tensor, weight: Tensor | None, mask: Tensor | None) -> tuple[Tensor, Tensor]:
        weight, mask = weight_and_mask(self.name, weight, mask, values.shape)
        return weighted(values.to(computing_dtype(values)), weight, mask)

    @property
    def is_unreduced(self) -> bool:
        """Whether it returns every value; composites have no such option."""
        return "reduction" in self.options and self.reduction == "none"

    @property
    def summable(self) -> bool:
        """Whether its sums add over batches into the exact loss of all of them."""
        return False

    @property
    def is_mean(self) -> bool:
        """Whether the loss of several batches is the sum of their numerators over the sum of their denominators."""
        return False

    @property
    def counts_from_targets(self) -> bool:
        """Whether the targets alone determine the denominator."""
        return self.is_mean

    @property
    def takes_normalizer(self) -> bool:
        """Whether `normalizer=` of a composite can replace the denominator of this part, a number of elements."""
        return False

    def __prepare_scriptable__(self) -> Any:
        """The first method that torch.jit.script calls."""
        raise RuntimeError(NO_SCRIPT)

    def require_summable(self) -> None:
        """Raise an error that says what the loss does instead, if its sums do not add over batches."""
        if not self.summable:
            raise TypeError(f"{self.name} has no sums that add over batches: {self.across_ranks}")

    @property
    def name(self) -> str:
        """The name in error messages."""
        return type(self).__name__

    @property
    def label(self) -> str:
        """The short name among the parts of a composite."""
        return catalogue.short_name(type(self))

    @property
    def arity(self) -> int:
        """The number of tensors before weight and mask in a call."""
        return len(self.tensors) or 2

    # The algebra: a + b, 0.5 * a, -a, a / 2, sum([a, b]); any module or callable can be an operand.

    _sum: ClassVar[Any]  # of (weight, loss) pairs; losskit.core.algebra sets it

    def __add__(self, other: Any) -> Any:
        return self._sum([(1.0, self), (1.0, other)])

    def __radd__(self, other: Any) -> Any:
        return self if isinstance(other, (int, float)) and other == 0 else self._sum([(1.0, other), (1.0, self)])

    def __sub__(self, other: Any) -> Any:
        return self._sum([(1.0, self), (-1.0, other)])

    def __rsub__(self, other: Any) -> Any:
        return self._sum([(1.0, other), (-1.0, self)])

    def __mul__(self, weight: Weight) -> Any:
        return self._sum([(weight, self)])

    __rmul__ = __mul__

    def __truediv__(self, divisor: float | Tensor) -> Any:
        return self * (1.0 / divisor)

    def __neg__(self) -> Any:
        return self * -1.0

    def parts(self, *tensors: Tensor, **arguments: Any) -> tuple[Tensor, Parts]:
        """The loss to call backward on, and its named components for logging, computed once."""
        loss = self(*tensors, **arguments)
        return loss, Parts({self.label: Part(loss.detach(), loss.detach())})
