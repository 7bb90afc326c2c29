"""Summable: a loss computed from sums that add over batches. PlannedLoss: one whose sums come from one pass."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, NoReturn

import torch
from torch import Tensor

from losskit.core.contract import check_real
from losskit.core.loss import Loss
from losskit.core.sums import Counts, Sums, check_size, divide, is_sharded, of_shards, result_dtype
from losskit.ops.columns import Column
from losskit.ops.finish import Finish
from losskit.ops.inputs import Inputs, Link, summing_dtype
from losskit.ops.planning import Watching, planned

MISSING: Any = object()  # the default of a tensor that a call omits


def bind(owner: str, names: Sequence[str], given: tuple[Any, ...], arguments: dict[str, Any]) -> tuple[Any, ...]:
    """The tensors of a call in order. Tensors may be passed by name, and weight and mask by position."""
    if len(given) == len(names):
        return given
    if len(given) > len(names) + 2:
        raise TypeError(f"{owner} takes {len(names)} tensors, weight and mask; got {len(given)} by position.")
    for name, tensor in zip(("weight", "mask"), given[len(names) :], strict=False):
        if arguments.get(name) is not None:
            raise TypeError(f"{owner}: {name} was given twice, by position and by name.")
        arguments[name] = tensor
    missing = [name for name in names[len(given) :] if name not in arguments]
    if missing:
        refuse_missing(owner, names, missing)
    return (*given[: len(names)], *(arguments.pop(name) for name in names[len(given) :]))


def refuse_missing(owner: str, names: Sequence[str], missing: Sequence[str]) -> NoReturn:
    """Raise the error for missing tensors of a call."""
    raise TypeError(f"{owner} takes ({', '.join(names)}); {' and '.join(missing)} {_is(missing)} missing.")


def refuse_named(loss: Any, names: Sequence[str], unknown: Sequence[str]) -> NoReturn:
    """Raise the error for unknown arguments of a call, which are most often options."""
    name, owner = unknown[0], loss.name
    if name in loss.options:
        raise TypeError(f"{owner}: {name} is an option of the loss, not of a call. Pass it to the constructor.")
    raise TypeError(f"{owner} takes ({', '.join(names)}) and, by name, weight, mask, normalizer, whole; got {name}=.")


def answering(forward: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """The forward with the usual errors for missing tensors and unknown arguments."""
    known = list(inspect.signature(forward).parameters.values())[1:]
    required = [p.name for p in known if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD]
    takes_any = any(p.kind is p.VAR_KEYWORD for p in known)
    names = {p.name for p in known}

    def answered(self: Any, *tensors: Any, **arguments: Any) -> Tensor:
        missing = [name for name in required[len(tensors) :] if name not in arguments]
        if missing:
            refuse_missing(self.name, required, missing)
        if not takes_any and not all(name in names for name in arguments):
            refuse_named(self, required, sorted(arguments.keys() - names))
        return forward(self, *tensors, **arguments)

    answered.__signature__ = inspect.signature(forward)  # type: ignore[attr-defined]
    answered.__doc__ = forward.__doc__
    return answered


def _is(names: Sequence[str]) -> str:
    return "is" if len(names) == 1 else "are"


def signature_of_call(names: tuple[str, ...], beside: Sequence[str] = (), *, more: bool = False) -> inspect.Signature:
    """The signature of a forward of these tensors; with `more`, it takes further tensors and any keyword arguments."""
    optional = {"weight": Tensor | None, "mask": Tensor | None}
    by_name: dict[str, Any] = dict.fromkeys(beside, Tensor | None)
    by_name |= {"normalizer": float | Tensor | None, "whole": Sums | None}
    either, keyword = inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY
    given = keyword if more else either
    return inspect.Signature(
        [
            inspect.Parameter("self", either),
            *(inspect.Parameter(name, either, annotation=Tensor) for name in names),
            *([inspect.Parameter("tensors", inspect.Parameter.VAR_POSITIONAL)] if more else []),
            *(inspect.Parameter(n, given, default=None, annotation=a) for n, a in optional.items()),
            *(inspect.Parameter(n, keyword, default=None, annotation=a) for n, a in by_name.items()),
            *([inspect.Parameter("named", inspect.Parameter.VAR_KEYWORD)] if more else []),
        ],
        return_annotation=Tensor,
    )


AT_CALL = frozenset(("weight", "mask", "normalizer", "whole"))  # keyword arguments of a call


def _forward_of(names: tuple[str, ...], beside: tuple[str, ...]) -> Any:
    """A forward whose tensor parameters have these names; those of `beside` are optional and given by name."""

    def forward(self: Summable, *tensors: Any, **arguments: Any) -> Tensor:
        others = {name: arguments.pop(name, None) for name in beside}
        others = {name: tensor for name, tensor in others.items() if tensor is not None}
        tensors = bind(self.name, names, tensors, arguments)
        if not arguments.keys() <= AT_CALL:
            refuse_named(self, names, [name for name in arguments if name not in AT_CALL])
        for name, tensor in others.items():
            check_real(self.name, name, tensor)
        value = None
        if self.shortcut is not None and not others and all(each is None for each in arguments.values()):
            value = self.shortcut(*tensors)
        return self.reduced(*tensors, *others.values(), **arguments) if value is None else value

    forward.__signature__ = signature_of_call(names, beside)  # type: ignore[attr-defined]
    return forward


def check_divisor(owner: str, normalizer: object, whole: object) -> None:
    if whole is not None and normalizer is not None:
        raise TypeError(f"{owner}: pass normalizer= or whole=, not both; each replaces the denominator.")


_BOTH_PASSES = (
    "pass whole= the sums of a first pass without gradient (losskit.distributed.micro_batches does both passes)."
)


class Summable(Loss):
    """A loss computed from sums, which add over micro-batches and ranks and finish into the exact loss."""

    tensors: ClassVar[tuple[str, ...]] = ("input", "target")
    across_ranks: ClassVar[str] = "exact after losskit.distributed.sync."
    beside: ClassVar[tuple[str, ...]] = ()  # optional further tensors of a call, given by name
    counts_elements: ClassVar[bool] = True  # whether the denominator of its mean does, and not regions or images
    batch_first: ClassVar[bool] = True  # whether samples are dimension 0 of every tensor

    @classmethod
    def declare_call(cls) -> None:
        """The same, and a forward of these tensors, unless the class or a base has one."""
        super().declare_call()
        base: Any = next(base for base in cls.__mro__ if "forward" in base.__dict__)
        if base is not cls and (cls.tensors, cls.beside) != (base.tensors, base.beside):
            cls.forward = _forward_of(cls.tensors, cls.beside)  # type: ignore[method-assign]

    @property
    def summable(self) -> bool:
        return True

    @property
    def is_mean(self) -> bool:
        return True

    @property
    def is_mean_of_elements(self) -> bool:
        """Whether its denominator is the number, or the total weight, of elements or samples."""
        return self.is_mean and self.counts_elements

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
            value = planned(self, input, target, weight, mask, normalizer)
            if value is not None:
                return value
        missing = [name for name, tensor in (("input", input), ("target", target)) if tensor is MISSING]
        if missing:
            refuse_missing(self.name, ("input", "target"), missing)
        return self.reduced(input, target, weight=weight, mask=mask, normalizer=normalizer, whole=whole)

    forward.__signature__ = signature_of_call(("input", "target"))  # type: ignore[attr-defined]

    # What a plan depends on besides the tensors: see losskit.ops.planning.
    def plan_state(self) -> Any:
        """A value that changes whenever an option changes; None where no plan applies."""
        return self.generation

    def planned_parts(self) -> Sequence[Any]:
        return (self,)

    def number_tensors(self) -> dict[str, Tensor]:
        """0-dim tensors that the formula reads as attributes, such as learned options. They may require gradients."""
        return {}

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

        adds = self.summable and self.batch_first and not self.is_unreduced
        return of_shards(self, tensors, arguments, finish if adds else None)

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


class PlannedLoss(Summable):
    """A loss whose sums come from one pass over input and target: an input spec, columns, and sums from their totals.

    A plan computes it in one C call where the columns and the finish have that form: see losskit.ops.planning.
    """

    planned: ClassVar[bool] = True

    @property
    def spec(self) -> Any:
        """How it parses the tensors of a call to inputs."""
        raise NotImplementedError

    @property
    def pools(self) -> bool:
        """Whether totals of the batch suffice, without those of each sample."""
        return False

    def logit_bias(self) -> Tensor | None:
        """An offset added to the logits of each class, (C,)."""
        return None

    def check_classes(self, inputs: Inputs) -> None:
        """Raise an error if an option does not fit the classes of the input."""

    def columns(self, link: Link) -> list[Column]:
        """The columns that this loss sums."""
        raise NotImplementedError

    def planned_columns(self, inputs: Inputs, watched: Watching) -> list[Column]:
        """The columns as C computes them; raises Untraceable if a formula cannot become a program."""
        return self.columns(inputs.link)

    def sums_from_totals(self, totals: Sequence[Tensor], inputs: Inputs) -> Sums:
        """The sums, which add, from the totals of each column: (N, C), or (C,) if every loss of the pass pools."""
        raise NotImplementedError

    def finish_plan(self, inputs: Inputs, watched: Watching) -> Finish | None:
        """The finish as C evaluates it, or None if C cannot."""
        return None

    @property
    def finishes_in_c(self) -> bool:
        """Whether C can reduce it; `reduction="none"` and errors for empty batches are Python's."""
        return self.reduction in ("mean", "sum") and self.empty != "raise"

    def neutral_numbers(self) -> Sequence[float]:
        """The input and target that replace those of elements that do not count."""
        return 0.0, 0.0

    def option_tensors(self) -> tuple[Tensor | None, Tensor | None]:
        """Class weights and weights of the true label, if they are tensors, whose values each call reads."""
        return None, None
