"""Loss: the base class of every loss, an `nn.Module` with options, an algebra and a function form."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from losskit.core import catalogue, passes
from losskit.core.binding import MISSING, bind, refuse_missing, refuse_named, signature_of_call
from losskit.core.contract import check_tensor, elementwise
from losskit.core.domains import Reduction
from losskit.core.options import Configured, option
from losskit.core.parts import Part, Parts
from losskit.core.reduction import Empty, check_size, divide, reduce, result_dtype, weighted
from losskit.core.sharded import is_sharded, of_shards
from losskit.core.totals import Counts, Sums
from losskit.ops.inputs import computing_dtype, summing_dtype

Weight = float | Tensor | nn.Module

NO_SCRIPT = (
    "losskit: torch.jit.script does not compile losses, whose options are Python objects. Use torch.compile, "
    "torch.export.export, or script the model alone and call the loss outside it."
)

_FORMULAS = ("per_element", "values")  # methods whose parameters are the tensors of a call


def _name_tensors(cls: Any) -> None:
    """Set `tensors` from the parameters of the forward or of the formula, unless the class declares it."""
    own = cls.__dict__
    if "forward" in own or "tensors" not in own:
        source = own.get("forward") or next((own[name] for name in _FORMULAS if name in own), None)
        parameters = list(inspect.signature(source).parameters.values())[1:] if source else []
        kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.POSITIONAL_ONLY)
        names = tuple(p.name for p in parameters if p.kind in kinds and p.name not in ("weight", "mask"))
        cls.tensors = names or cls.tensors
    if "forward" not in own and issubclass(cls, Summable) and cls.tensors != _tensors_of_forward(cls):
        cls.forward = _forward_of(cls.tensors)


def _tensors_of_forward(cls: Any) -> Any:
    return next(base.tensors for base in cls.__mro__ if "forward" in base.__dict__)


AT_CALL = frozenset(("weight", "mask", "normalizer", "whole"))  # keyword arguments of a call


def _forward_of(names: tuple[str, ...]) -> Any:
    """A forward whose tensor parameters have these names."""

    def forward(self: Summable, *tensors: Any, **arguments: Any) -> Tensor:
        tensors = bind(self.name, names, tensors, arguments)
        if not arguments.keys() <= AT_CALL:
            refuse_named(self, names, [name for name in arguments if name not in AT_CALL])
        value = None
        if self.shortcut is not None and all(each is None for each in arguments.values()):
            value = self.shortcut(*tensors)
        return self.reduced(*tensors, **arguments) if value is None else value

    forward.__signature__ = signature_of_call(names)  # type: ignore[attr-defined]
    return forward


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


def check_divisor(owner: str, normalizer: object, whole: object) -> None:
    if whole is not None and normalizer is not None:
        raise TypeError(f"{owner}: pass normalizer= or whole=, not both; each replaces the denominator.")


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
    planned: ClassVar[bool] = False  # whether one C call can compute it: see losskit.core.passes
    shortcut: ClassVar[Any] = None  # how a plain call is computed faster: see losskit.core.shortcuts
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
        if any(passes.replaces(base) for base in foreign):
            cls.planned = False
        _name_tensors(cls)
        catalogue.describe(cls)
        catalogue.register(cls)

    def values(self, *tensors: Any, **_: Any) -> Tensor:  # any tensors by name, so that a class can name its own
        """One number per element or sample, unreduced."""
        raise TypeError(f"{type(self).__name__} must define values(...) or forward(...)")

    def forward(self, *tensors: Tensor, weight: Tensor | None = None, mask: Tensor | None = None) -> Tensor:
        """The loss of these tensors, reduced; `mask` is False where something does not count."""
        if is_sharded((*tensors, weight, mask)):
            gathered: Tensor = of_shards(self, tensors, {"weight": weight, "mask": mask})
            return gathered
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
        weight = elementwise(self.name, "weight", weight, values.shape)
        mask = elementwise(self.name, "mask", mask, values.shape)
        return weighted(values.to(computing_dtype(values)), weight, mask)

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


_BOTH_PASSES = (
    "pass whole= the sums of a first pass without gradient (losskit.distributed.micro_batches does both passes)."
)


class Summable(Loss):
    """A loss computed from sums, which add over micro-batches and ranks and finish into the exact loss."""

    tensors: ClassVar[tuple[str, ...]] = ("input", "target")
    across_ranks: ClassVar[str] = "exact after losskit.distributed.sync."
    batch_first: ClassVar[bool] = True  # whether samples are dimension 0 of every tensor

    @property
    def summable(self) -> bool:
        return True

    @property
    def is_mean(self) -> bool:
        return True

    @property
    def is_mean_of_elements(self) -> bool:
        """Whether its denominator is the number, or the total weight, of elements or samples."""
        return self.is_mean

    @property
    def takes_normalizer(self) -> bool:
        return self.is_mean_of_elements and self.reduction == "mean"

    def forward(  # type: ignore[override] # a call names its tensors
        self,
        input: Tensor = MISSING,
        target: Tensor = MISSING,
        weight: Tensor | None = None,
        mask: Tensor | None = None,
        *,
        normalizer: float | Tensor | None = None,
        whole: Sums | None = None,
        **unknown: Any,
    ) -> Tensor:
        """The loss of these tensors, reduced; `finish` describes `normalizer` and `whole`."""
        if unknown:
            refuse_named(self, self.tensors, list(unknown))
        if self.shortcut is not None and weight is mask is normalizer is None and whole is None:
            value: Tensor | None = self.shortcut(input, target)
            if value is not None:
                return value
        if self.planned and whole is None:
            value = passes.planned(self, input, target, weight, mask, normalizer)
            if value is not None:
                return value
        missing = [name for name, tensor in (("input", input), ("target", target)) if tensor is MISSING]
        if missing:
            refuse_missing(self.name, ("input", "target"), missing)
        return self.reduced(input, target, weight=weight, mask=mask, normalizer=normalizer, whole=whole)

    forward.__signature__ = signature_of_call(("input", "target"))  # type: ignore[attr-defined]

    # What a plan depends on besides the tensors: see losskit.core.passes.
    def plan_state(self) -> Any:
        """A value that changes whenever an option changes; None where no plan applies."""
        return self.generation

    def planned_parts(self) -> Sequence[Any]:
        return (self,)

    def totals(self, *tensors: Any, weight: Tensor | None = None, mask: Tensor | None = None) -> Sums:
        """The sums of this batch; add those of other batches and `finish` them for the loss of the whole."""
        raise NotImplementedError

    def conclude(self, sums: Sums) -> tuple[Tensor, Tensor | None]:
        """The numerator and, for means, the denominator."""
        return sums["numerator"], sums["denominator"]

    def elements(self, *tensors: Tensor, weight: Tensor | None = None, mask: Tensor | None = None) -> Tensor:
        """The values of reduction="none"."""
        return self.weighed(*tensors, weight=weight, mask=mask)[0]

    def finish(self, sums: Sums, *, normalizer: float | Tensor | None = None, whole: Sums | None = None) -> Tensor:
        """The loss from its sums.

        `normalizer` replaces the denominator of a mean. `whole` is the sums of a larger batch. With those of
        `counts(...)` the result is the contribution of these sums to its mean, and contributions add up. With those of
        `totals(...)` it is the value of the larger batch, with the gradient of these sums alone.
        """
        check_divisor(self.name, normalizer, whole)
        if isinstance(whole, Counts):
            self._require_mean()
            sums = sums.replaced(denominator=whole["denominator"])
        elif whole is not None:
            sums = sums.within(whole)
        numerator, denominator = self.conclude(sums)
        if self.reduction == "sum":
            denominator = None
        if normalizer is not None:
            if denominator is None or not self.is_mean:
                raise TypeError(
                    f"{self.name}: normalizer= replaces the denominator of a mean, and this loss is no mean."
                )
            denominator = torch.as_tensor(normalizer, dtype=numerator.dtype, device=numerator.device)
        elif denominator is not None:
            check_size(denominator, self.name)
        return numerator if denominator is None else divide(numerator, denominator, self.empty, self.name)

    def _of_shards(self, tensors: tuple[Any, ...], arguments: dict[str, Any]) -> Tensor:
        """The loss of DTensors, from the sums of each process's samples if they add."""
        normalizer, whole = arguments.get("normalizer"), arguments.get("whole")

        def finish(sums: Sums, input: Tensor) -> Tensor:
            return self.finish(sums, normalizer=normalizer, whole=whole).to(result_dtype(input))

        adds = self.summable and self.batch_first and getattr(self, "reduction", "mean") != "none"
        value: Tensor = of_shards(self, tensors, arguments, finish if adds else None)
        return value

    def counts(
        self,
        target: Tensor,
        weight: Tensor | None = None,
        mask: Tensor | None = None,
        *,
        num_classes: int | None = None,
    ) -> Counts:
        """The denominator of this batch's mean, from its targets. Add those of all batches and pass them as `whole=`.

        `num_classes` is the number of channels of the input, for targets without the input's shape.
        """
        self._require_counts()
        with torch.no_grad():
            return Counts(denominator=self.denominator(target, weight, mask, num_classes))

    def denominator(self, target: Tensor, weight: Tensor | None, mask: Tensor | None, classes: int | None) -> Tensor:
        """The denominator of the mean, from the targets."""
        given = target.shape if classes is None else (target.shape[0], classes, *target.shape[1:])
        input = torch.zeros((), dtype=summing_dtype(target), device=target.device).expand(given)
        return self.totals(input, target, weight=weight, mask=mask)["denominator"]

    def _require_mean(self) -> None:
        if not self.is_mean:
            raise TypeError(f"{self.name} is no mean, so the counts of a whole batch do not divide it: {_BOTH_PASSES}")

    def _require_counts(self) -> None:
        self._require_mean()
        if not self.counts_from_targets:
            raise TypeError(f"{self.name}: its targets alone do not determine how many values it has: {_BOTH_PASSES}")

    def reduced(
        self,
        *tensors: Tensor,
        weight: Tensor | None = None,
        mask: Tensor | None = None,
        normalizer: float | Tensor | None = None,
        whole: Sums | None = None,
    ) -> Tensor:
        """The loss of these tensors, finished from their sums or unreduced."""
        if is_sharded((*tensors, weight, mask)):
            return self._of_shards(tensors, {"weight": weight, "mask": mask, "normalizer": normalizer, "whole": whole})
        if self.reduction == "none":
            if normalizer is not None or whole is not None:
                raise TypeError(
                    f"{self.name}: reduction='none' has no denominator for normalizer= or whole= to replace."
                )
            return self.elements(*tensors, weight=weight, mask=mask).to(result_dtype(tensors[0]))
        sums = self.totals(*tensors, weight=weight, mask=mask)
        return self.finish(sums, normalizer=normalizer, whole=whole).to(result_dtype(tensors[0]))
