"""The algebra of losses: `DiceLoss() + 0.5 * FocalLoss()` is a loss, in one pass over the logits."""

from __future__ import annotations

import copy
import numbers
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from typing_extensions import Self

from losskit.core.contract import check_tensor
from losskit.core.domains import nearest
from losskit.core.labels import LabelLoss
from losskit.core.loss import Loss, Part, Parts, Weight
from losskit.core.operands import Product, Wrapped, as_loss, call, hooked, require_normalizer, split, takes, times
from losskit.core.options import Configured
from losskit.core.summable import AT_CALL, Summable, bind, check_divisor, signature_of_call
from losskit.core.sums import Counts, Sums, is_sharded, result_dtype
from losskit.ops import planning


class WeightedSum(Summable):
    """A weighted sum of losses with named parts. Parts that read the tensors alike share one pass over the logits."""

    without: ClassVar[tuple[str, ...]] = ("reduction", "empty")  # each part has its own
    planned: ClassVar[bool] = True
    is_sum: ClassVar[bool] = True
    has_parts: ClassVar[bool] = True
    shares_tensors: ClassVar[bool] = True  # whether all parts take the same tensors, which then need one meaning
    renamed: ClassVar[Mapping[str, str]] = MappingProxyType({})  # from default names to given ones

    def __init__(self, terms: Sequence[tuple[Weight, Any]], names: list[str] | None = None) -> None:
        Configured.__init__(self)
        self.set_terms(terms, names)

    def set_terms(self, terms: Sequence[tuple[Weight, Any]], names: list[str] | None = None) -> None:
        """Build the parts; unnamed nested sums are flattened."""
        self.losses = nn.ModuleList()
        self.numbers: list[float] = []  # the constant factor of each weight
        self.factors = nn.ModuleDict()  # its variable factor, by position
        self.names: list[str] = []
        self.offset = 0.0
        taken: dict[str, int] = {}
        for index, (weight, loss) in enumerate(terms):
            number, factor = split(weight)
            self._append(taken, number, factor, as_loss(loss), names[index] if names else None)
        self.names = [self.renamed.get(name, name) for name in self.names]
        _check_parts(self)
        self.__dict__["tensors"] = _tensors_of(self)

    def _append(
        self, taken: dict[str, int], number: float, factor: nn.Module | None, loss: Loss, name: str | None
    ) -> None:
        if not name and isinstance(loss, WeightedSum) and loss.joins(factor):
            self.offset += number * loss.offset
            inner = zip(loss.names, loss.numbers, loss.variable_factors(), loss.losses, strict=True)
            for inner_name, inner_number, inner_factor, part in inner:
                both = Product(factor, inner_factor) if factor and inner_factor else factor or inner_factor
                self._append_part(taken, number * inner_number, both, part, inner_name)  # type: ignore[arg-type]
        else:
            self._append_part(taken, number, factor, loss, name)

    def joins(self, factor: nn.Module | None) -> bool:
        """Whether its parts can be parts of a larger sum, each times the factor."""
        return self.planned and not (factor and self.offset)

    def _append_part(
        self, taken: dict[str, int], number: float, factor: nn.Module | None, loss: Loss, name: str | None
    ) -> None:
        """Append a part under a unique name: dice, dice_2. `taken` maps each name to its last number."""
        name = name or loss.label
        unique = name
        while unique in taken:
            taken[name] += 1
            unique = f"{name}_{taken[name]}"
        taken[unique] = 1
        self.names.append(unique)
        self.numbers.append(number)
        if factor is not None:
            self.factors[str(len(self.losses))] = factor
        self.losses.append(loss)

    def variable_factors(self) -> list[nn.Module | None]:
        return [self.factors[str(i)] if str(i) in self.factors else None for i in range(len(self.losses))]

    @property
    def varies(self) -> bool:
        """Whether the weights of its parts differ between calls."""
        return bool(self._modules["factors"]._modules)  # type: ignore[union-attr]

    def weights(self) -> list[float | Tensor]:
        """The current weight of each part."""
        if not self.factors:
            return list(self.numbers)
        return [
            number if factor is None else number * factor().reshape(())
            for number, factor in zip(self.numbers, self.variable_factors(), strict=True)
        ]

    def plan_state(self) -> Any:
        parts = self.planned_parts()
        for part in parts:
            if part._forward_hooks or part._forward_pre_hooks or part._backward_hooks:
                return None
        return self.generation, self.numbers[:], self.offset, [(part, part.generation) for part in parts]

    def planned_parts(self) -> list[Any]:
        modules = self._modules["losses"]
        assert modules is not None
        return list(modules._modules.values())

    def forward(
        self,
        *tensors: Any,
        weight: Any = None,
        mask: Any = None,
        normalizer: float | Tensor | None = None,
        whole: Sums | None = None,
        **named: Any,
    ) -> Tensor:
        weights = self.weights() if self.varies else None  # a factor may change each time it is called
        if self.planned and len(tensors) == 2 and whole is None and not named:
            value = planning.planned(self, *tensors, weight, mask, normalizer, weights=weights)
            if value is not None:
                return value
        arguments = {"weight": weight, "mask": mask, "normalizer": normalizer, "whole": whole, **named}
        return self.reduced(*bind(self.name, self.tensors, tensors, arguments), weights=weights, **arguments)

    forward.__signature__ = signature_of_call(("input", "target"), more=True)  # type: ignore[attr-defined]

    def reduced(self, *tensors: Any, weights: Sequence[float | Tensor] | None = None, **arguments: Any) -> Tensor:
        """The sum, computed by the registered operators."""
        if is_sharded((*tensors, arguments.get("weight"), arguments.get("mask"))) and not set(arguments) - AT_CALL:
            return self._of_shards(tensors, arguments)
        values = self.evaluate(tensors, arguments)
        return self.combine(values, self.weights() if weights is None else list(weights))

    def parts(self, *tensors: Any, **arguments: Any) -> tuple[Tensor, Parts]:
        tensors = bind(self.name, self.tensors, tensors, arguments)
        weights = self.weights()
        if self.planned and len(tensors) == 2 and arguments.keys() <= {"weight", "mask", "normalizer"}:
            dtype = torch.float64 if getattr(tensors[0], "dtype", None) == torch.float64 else torch.float32
            room = torch.empty(len(self.numbers), dtype=dtype, device=getattr(tensors[0], "device", None))
            weight, mask, normalizer = (arguments.get(name) for name in ("weight", "mask", "normalizer"))
            known = weights if self.varies else None
            loss = planning.planned(self, tensors[0], tensors[1], weight, mask, normalizer, values=room, weights=known)
            if loss is not None:
                return loss, self._named(list(room.unbind()), weights)
        inner: dict[int, Parts] = {}
        values = self.evaluate(tensors, arguments, inner)
        return self.combine(values, weights), self._named(values, weights, inner)

    def combined(self, values: list[Tensor]) -> tuple[Tensor, Parts]:
        """The sum, and each part's value by name."""
        weights = self.weights()
        return self.combine(values, weights), self._named(values, weights)

    def _named(
        self, values: list[Tensor], weights: list[float | Tensor], inner: Mapping[int, Parts] = MappingProxyType({})
    ) -> Parts:
        parts = Parts()
        for index, (name, value, weight) in enumerate(zip(self.names, values, weights, strict=True)):
            own = inner[index].times(weight) if index in inner else Parts()
            parts[name] = Part(value.detach(), times(weight, value).detach(), own)
        return parts

    def named(self, **names: str) -> Self:
        """The same sum with parts renamed: `(DiceLoss() + FocalLoss()).named(dice="overlap")`."""
        for name in names:
            if name not in self.names:
                raise TypeError(f"{self.name}: no part is called {name!r}{nearest(name, self.names)}")
        changed = [names.get(name, name) for name in self.names]
        if len(set(changed)) < len(changed):
            raise ValueError(f"{self.name}: parts must have different names; got {', '.join(changed)}.")
        before = {new: old for old, new in self.renamed.items()}
        twin = copy.copy(self)
        # Containers are copied, parts are shared: a part added to one of the two sums is not in the other.
        twin.__dict__.update({n: copy.copy(v) for n, v in self.__dict__.items() if type(v) in (dict, OrderedDict)})
        twin.names = changed
        twin.__dict__["renamed"] = {**self.renamed, **{before.get(old, old): new for old, new in names.items()}}
        return twin

    def combine(self, values: list[Tensor], weights: list[float | Tensor]) -> Tensor:
        """The sum from the values and weights of its parts."""
        first, *others = [times(weight, value) for weight, value in zip(weights, values, strict=True)]
        return sum(others, start=first) + self.offset if self.offset else sum(others, start=first)

    def evaluate(
        self, tensors: tuple[Any, ...], arguments: dict[str, Any], inner: dict[int, Parts] | None = None
    ) -> list[Tensor]:
        """The value of each part; those that read logits and labels alike share one pass.

        `inner` receives the parts of nested composites.
        """
        weight, mask, normalizer, whole = (arguments.pop(n, None) for n in ("weight", "mask", "normalizer", "whole"))
        self._check_call(normalizer, whole, arguments)
        sums = self._sums_of_labels(tensors, weight, mask, every=False)
        values = []
        for index, (own, w, m, n) in enumerate(self._own(tensors, weight, mask, normalizer)):
            part, of_whole = self.planned_parts()[index], None if whole is None else whole.part(str(index))
            require_normalizer(self.name, part, n)
            if index in sums:
                value = part.finish(sums[index], normalizer=n, whole=of_whole).to(result_dtype(own[0]))
            else:
                value = call(part, own, w, m, n, of_whole, arguments, index, inner)
            values.append(value)
        return values

    def _own(self, tensors: tuple[Any, ...], *others: Any) -> list[tuple[Any, ...]]:
        """The tensors of each part, and its share of the other arguments."""
        return [(tensors[: part.arity], *others) for part in self.planned_parts()]

    def _check_call(self, normalizer: float | Tensor | None, whole: Sums | None, named: dict[str, Any]) -> None:
        check_divisor(self.name, normalizer, whole)
        refusing = [name for name, part in leaves(self) if normalizer is not None and not part.takes_normalizer]
        if refusing:
            given = ", ".join(self.tensors)
            apart = [f"{name}({given}{'' if name in refusing else ', normalizer=...'})" for name in self.names]
            raise TypeError(
                f"{self.name}: normalizer= replaces the number of elements that a mean divides by, and "
                f"{' and '.join(refusing)} {'are no means' if len(refusing) > 1 else 'is no mean'} of elements. Give "
                f"each part its own: call the parts one by one, {' + '.join(apart)}."
            )
        if whole is not None:
            self.require_summable()
        for name in named:
            if not takes(self, name):
                raise TypeError(f"{self.name}: no part of it, {', '.join(self.names)}, takes {name}=.")

    def _sums_of_labels(
        self, tensors: tuple[Tensor, ...], weight: Tensor | None, mask: Tensor | None, *, every: bool
    ) -> dict[int, Sums]:
        """The sums of label losses, by position. A part with hooks is called as a module instead, unless `every`."""
        chosen = {
            index: part
            for index, part in enumerate(self.planned_parts())
            if isinstance(part, LabelLoss) and part.shares_pass and (every or not hooked(part))
        }
        if not chosen:
            return {}
        parts = list(chosen.values())
        if len(tensors) < 2:
            raise TypeError(f"{parts[0].name} takes input and target; the composite was called with {len(tensors)}.")
        check_tensor(parts[0].name, "input", tensors[0])
        sums = planning.Pass(parts).sums(parts, tensors[0], tensors[1], weight, mask)
        return dict(zip(chosen, sums, strict=True))

    # Sums: those of the parts, nested.

    @property
    def summable(self) -> bool:
        return all(part.summable for part in self.planned_parts())

    def require_summable(self) -> None:
        for part in self.planned_parts():
            part.require_summable()

    @property
    def is_mean(self) -> bool:
        return not self.offset and all(part.is_mean for part in self.planned_parts())

    @property
    def counts_from_targets(self) -> bool:
        return self.is_mean and all(part.counts_from_targets for part in self.planned_parts())

    @property
    def takes_normalizer(self) -> bool:
        return all(part.takes_normalizer for part in self.planned_parts())

    def totals(self, *tensors: Any, **arguments: Any) -> Sums:
        self.require_summable()
        tensors = bind(self.name, self.tensors, tensors, arguments)
        weight, mask = arguments.get("weight"), arguments.get("mask")
        sums = self._sums_of_labels(tensors, weight, mask, every=True)
        for index, (own, w, m) in enumerate(self._own(tensors, weight, mask)):
            if index not in sums:
                sums[index] = self.planned_parts()[index].totals(*own, weight=w, mask=m)
        return Sums(**{str(index): sums[index] for index in range(len(self.losses))})

    def finish(self, sums: Sums, *, normalizer: float | Tensor | None = None, whole: Sums | None = None) -> Tensor:
        return self.combine(self.finish_parts(sums, normalizer=normalizer, whole=whole), self.weights())

    def finish_parts(
        self, sums: Sums, *, normalizer: float | Tensor | None = None, whole: Sums | None = None
    ) -> list[Tensor]:
        """The value of each part from its sums."""
        self._check_call(normalizer, whole, {})
        if isinstance(whole, Counts):
            self._require_mean()
        each = [(part, str(index)) for index, part in enumerate(self.planned_parts())]
        return [
            part.finish(sums.part(at), normalizer=normalizer, whole=None if whole is None else whole.part(at))
            for part, at in each
        ]

    def counts(
        self,
        target: Tensor,
        weight: Tensor | None = None,
        mask: Tensor | None = None,
        *,
        num_classes: int | None = None,
    ) -> Counts:
        self.require_summable()
        found = {
            str(index): part.counts(target, weight, mask, num_classes=num_classes)
            for index, part in enumerate(self.planned_parts())
        }
        self._require_counts()
        return Counts(**found)

    @property
    def label(self) -> str:
        return "+".join(self.names)

    def __repr__(self) -> str:
        """The sum as Python code, which `losskit.build` also reads."""
        if type(self) is not WeightedSum:
            return f"{self.name}({self.extra_repr()})"
        text = ""
        for number, factor, part in zip(self.numbers, self.variable_factors(), self.losses, strict=True):
            text += f"{' - ' if number < 0 else ' + '}{shown_term(abs(number), factor, part)}"
        return text[3:] if text.startswith(" + ") else f"-{text[3:]}"


def shown_term(number: float, factor: nn.Module | None, part: nn.Module) -> str:
    """A part and its weight as Python code."""
    size = f"{number:g}" if float(f"{number:g}") == number else repr(number)
    return f"{'' if size == '1' else f'{size} * '}{'' if factor is None else f'{factor!r} * '}{part!r}"


def weighted_sum(terms: Sequence[tuple[Weight, Any]]) -> WeightedSum:
    """The loss that `a + b`, `a - b` and `0.5 * a` return."""
    for weight, loss in terms:
        if isinstance(weight, Loss):
            raise TypeError("Losses are added and multiplied by numbers; a loss times a loss is not defined.")
        if isinstance(loss, (numbers.Number, Tensor)):
            raise TypeError("A number added to a loss changes no gradient; multiply the loss by it, or leave it out.")
    return WeightedSum(terms)


Loss._sum = staticmethod(weighted_sum)


def leaves(loss: Loss) -> Iterator[tuple[str, Loss]]:
    """The parts of a composite, or the loss itself."""
    if isinstance(loss, WeightedSum):
        yield from zip(loss.names, loss.planned_parts(), strict=True)
    else:
        yield loss.label, loss


def _tensors_of(composite: WeightedSum) -> tuple[str, ...]:
    """The tensors of a call. Parts with fewer tensors take the first ones, whose names must therefore agree."""
    if not composite.shares_tensors:
        return max((part.tensors for part in composite.planned_parts()), key=len) or ("input", "target")
    named = {name: part.tensors for name, part in leaves(composite) if not isinstance(part, Wrapped)}
    longest = max(named, key=lambda name: len(named[name]), default="")
    for name, tensors in named.items():
        if len(tensors) < len(named[longest]) and tensors != named[longest][: len(tensors)]:
            raise TypeError(
                f"{name} takes ({', '.join(tensors)}) and {longest} ({', '.join(named[longest])}): one call cannot "
                "have both. Call them separately and add the values."
            )
    known = named.get(longest) or ("input", "target")
    arity = max(2, *(part.arity for _, part in leaves(composite)))
    return (*known, *(f"tensor {k + 1}" for k in range(len(known), arity)))[: max(arity, len(known))]


def _check_parts(composite: WeightedSum) -> None:
    ignored = (
        {}
        if not composite.shares_tensors
        else {
            name: module.ignore_index
            for name, part in leaves(composite)
            for module in part.modules()
            if hasattr(module, "ignore_index")
        }
    )
    if len(set(ignored.values())) > 1:
        listed = ", ".join(f"{name} {value}" for name, value in ignored.items())
        raise ValueError(f"The parts of a composite must leave out the same label; ignore_index is {listed}.")
    for name, part in leaves(composite):
        if part.is_unreduced:
            raise ValueError(
                f"{name} has reduction='none', and a composite is one number. For the components call "
                "parts(input, target) on the composite."
            )
