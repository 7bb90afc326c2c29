"""The algebra of losses: `DiceLoss() + 0.5 * FocalLoss()` is a loss, in one pass over the logits."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from torch import Tensor, nn

from losskit.core.contract import check_tensor
from losskit.core.labels import LabelLoss, gather
from losskit.core.loss import Additive, Loss
from losskit.core.options import Configured
from losskit.core.reduction import result_dtype
from losskit.core.sums import Counts, Sums
from losskit.ops.reading import Reading

Weight = float | Tensor | nn.Module  # a module is called for the weight of the moment (a schedule, a learned weight)


class Part(NamedTuple):
    """One component of a composite, detached, for logging."""

    raw: Tensor
    weighted: Tensor


Parts = dict[str, Part]


class WeightedSum(Additive):
    """The weighted sum of losses: one pass over the logits for parts that read alike; named parts for logging."""

    def __init__(self, terms: list[tuple[Weight, Any]], names: list[str] | None = None) -> None:
        Configured.__init__(self)
        self.set_terms(terms, names)

    def set_terms(self, terms: list[tuple[Weight, Any]], names: list[str] | None = None) -> None:
        """Build the parts; nested sums become one."""
        self.losses = nn.ModuleList()
        self.numbers: list[float] = []  # the constant factor of each weight
        self.factors = nn.ModuleDict()  # its variable one, by position
        self.names: list[str] = []
        self.offset = 0.0
        for index, (weight, loss) in enumerate(terms):
            self._append(weight, as_loss(loss), names[index] if names else None)
        _check_parts(self)
        self.arity = max([2, *(len(part.tensor_names()) for _, part in leaves(self))])

    def _append(self, weight: Weight, loss: Loss, name: str | None) -> None:
        if isinstance(loss, WeightedSum) and not isinstance(weight, (nn.Module, Tensor)):  # nested sums are one sum
            self.offset += float(weight) * loss.offset
            for inner_name, number, factor, part in zip(
                loss.names, loss.numbers, loss.variable_factors(), loss.losses, strict=True
            ):
                assert isinstance(part, Loss)
                self._append_part(float(weight) * number, factor, part, inner_name)
        elif isinstance(weight, nn.Module):
            self._append_part(1.0, weight, loss, name)
        elif isinstance(weight, Tensor):
            self._append_part(1.0, _Held(weight), loss, name)
        else:
            self._append_part(float(weight), None, loss, name)

    def _append_part(self, number: float, factor: nn.Module | None, loss: Loss, name: str | None) -> None:
        name = name or loss.label
        taken = sum(1 for n in self.names if n == name or (n.startswith(f"{name}_") and n[len(name) + 1 :].isdigit()))
        self.names.append(f"{name}_{taken + 1}" if taken else name)
        self.numbers.append(number)
        if factor is not None:
            self.factors[str(len(self.losses))] = factor
        self.losses.append(loss)

    def variable_factors(self) -> list[nn.Module | None]:
        return [self.factors[str(i)] if str(i) in self.factors else None for i in range(len(self.losses))]

    def weights(self) -> list[float | Tensor]:
        """The weight of each part at this moment."""
        return [
            number if factor is None else number * factor()
            for number, factor in zip(self.numbers, self.variable_factors(), strict=True)
        ]

    def forward(
        self,
        *tensors: Tensor,
        weight: Tensor | None = None,
        mask: Tensor | None = None,
        normalizer: float | Tensor | None = None,
        whole: Sums | None = None,
        **named: Any,
    ) -> Tensor:
        tensors, weight, mask = positional(self.arity, tensors, weight, mask)
        return self.combine(self.evaluate(tensors, weight, mask, normalizer, whole, named))

    def parts(self, *tensors: Tensor, **arguments: Any) -> tuple[Tensor, Parts]:
        weight, mask = arguments.pop("weight", None), arguments.pop("mask", None)
        tensors, weight, mask = positional(self.arity, tensors, weight, mask)
        normalizer, whole = arguments.pop("normalizer", None), arguments.pop("whole", None)
        values = self.evaluate(tensors, weight, mask, normalizer, whole, arguments)
        weights = self.weights()
        named = {
            name: Part(value.detach(), (value * w).detach())
            for name, value, w in zip(self.names, values, weights, strict=True)
        }
        return self.combine(values, weights), named

    def combine(self, values: list[Tensor], weights: list[float | Tensor] | None = None) -> Tensor:
        result: Tensor | float = self.offset
        for value, weight in zip(values, weights or self.weights(), strict=True):
            result = result + weight * value
        assert isinstance(result, Tensor)
        return result

    def evaluate(
        self,
        tensors: tuple[Tensor, ...],
        weight: Tensor | None,
        mask: Tensor | None,
        normalizer: float | Tensor | None,
        whole: Sums | None,
        named: dict[str, Any],
    ) -> list[Tensor]:
        """The value of each part; those that read logits and labels alike share one pass."""
        sums = self._sums_of_labels(tensors, weight, mask)
        values = []
        for index, part in enumerate(self.losses):
            assert isinstance(part, Loss)
            own = None if whole is None else whole.part(str(index))
            if index in sums:
                assert isinstance(part, Additive)
                share = normalizer if part.conclude(sums[index])[1] is not None else None
                value = part.finish(sums[index], normalizer=share, whole=own).to(result_dtype(tensors[0]))
            else:
                value = _call(part, tensors, weight, mask, normalizer, own, named)
            values.append(value)
        return values

    def _sums_of_labels(
        self, tensors: tuple[Tensor, ...], weight: Tensor | None, mask: Tensor | None
    ) -> dict[int, Sums]:
        groups: list[tuple[Reading, list[tuple[int, LabelLoss]]]] = []
        for index, part in enumerate(self.losses):
            if not (isinstance(part, LabelLoss) and type(part).forward is LabelLoss.forward):
                continue
            input, target = _two(part.name, tensors)
            reading = part.read(input, target, weight, mask)
            for known, members in groups:
                if known.equals(reading):
                    members.append((index, part))
                    break
            else:
                groups.append((reading, [(index, part)]))
        found: dict[int, Sums] = {}
        for reading, members in groups:
            for (index, _), sums in zip(members, gather([part for _, part in members], reading), strict=True):
                found[index] = sums
        return found

    # Sums: those of the parts, nested.

    def totals(self, *tensors: Tensor, weight: Tensor | None = None, mask: Tensor | None = None) -> Sums:
        self._check_additive()
        sums = self._sums_of_labels(tensors, weight, mask)
        for index, part in enumerate(self.losses):
            if index not in sums:
                assert isinstance(part, Additive)
                sums[index] = part.totals(*tensors, weight=weight, mask=mask)
        return Sums(**{str(index): sums[index] for index in range(len(self.losses))})

    def finish(self, sums: Sums, *, normalizer: float | Tensor | None = None, whole: Sums | None = None) -> Tensor:
        self._check_additive()
        values = []
        for index, part in enumerate(self.losses):
            assert isinstance(part, Additive)
            own = None if whole is None else whole.part(str(index))
            values.append(part.finish(sums.part(str(index)), normalizer=normalizer, whole=own))
        return self.combine(values)

    def counts(
        self,
        target: Tensor,
        weight: Tensor | None = None,
        mask: Tensor | None = None,
        *,
        num_classes: int | None = None,
    ) -> Counts:
        self._check_additive()
        found = {}
        for index, part in enumerate(self.losses):
            assert isinstance(part, Additive)
            found[str(index)] = part.counts(target, weight, mask, num_classes=num_classes)
        return Counts(**found)

    def _check_additive(self) -> None:
        for name, part in zip(self.names, self.losses, strict=True):
            if not isinstance(part, Additive):
                raise TypeError(
                    f"{self.name}: {name} ({type(part).__name__}) has no sums that add: "
                    f"{getattr(part, 'across_ranks', 'it is computed as a whole.')}"
                )

    @property
    def label(self) -> str:
        return "+".join(self.names)

    def __repr__(self) -> str:
        """The sum as Python writes it, which `losskit.build` reads too."""
        if type(self) is not WeightedSum:
            return f"{self.name}({self.extra_repr()})"
        text = ""
        for number, factor, part in zip(self.numbers, self.variable_factors(), self.losses, strict=True):
            sign = " - " if number < 0 else " + "
            size = f"{abs(number):g}" if float(f"{abs(number):g}") == abs(number) else repr(abs(number))
            times = "" if size == "1" else f"{size} * "
            text += f"{sign}{times}{'' if factor is None else f'{factor!r} * '}{part!r}"
        return text[3:] if text.startswith(" + ") else f"-{text[3:]}"


class _Held(nn.Module):
    """A tensor or parameter as a weight."""

    def __init__(self, value: Tensor) -> None:
        super().__init__()
        if isinstance(value, nn.Parameter):
            self.value = value
        else:
            self.register_buffer("value", value)

    def __repr__(self) -> str:
        return f"{float(self.value):.4g}"

    def forward(self) -> Tensor:
        return self.value


class Wrapped(Loss):
    """Any module or callable as a loss, for the algebra."""

    across_ranks = "it is a function losskit cannot see into."

    def __init__(self, function: Callable[..., Tensor]) -> None:
        Configured.__init__(self)
        self.function = function

    def forward(self, *tensors: Tensor, weight: Tensor | None = None, mask: Tensor | None = None) -> Tensor:
        given = {name: value for name, value in (("weight", weight), ("mask", mask)) if value is not None}
        missing = [name for name in given if not _accepts(self.function, name)]
        if missing:
            raise TypeError(
                f"{self.label} takes no {missing[0]}, which was given to the composite it is a part of. Write it with "
                "the kit (@losskit.loss), or leave it out of this sum."
            )
        return self.function(*tensors, **given)

    def __repr__(self) -> str:
        module = isinstance(self.function, nn.Module)
        place = type(self.function).__module__ if module else self.function.__module__
        return f"{place}:{self.function!r}" if module else f"{place}:{self.label}"

    @property
    def label(self) -> str:
        function = self.function
        return getattr(function, "__name__", type(function).__name__)


def as_loss(loss: Any) -> Loss:
    """A loss as it is; a module or callable wrapped."""
    if isinstance(loss, Loss):
        return loss
    if isinstance(loss, type) or not callable(loss):
        raise TypeError(f"A loss, a module or a callable can be added to a loss; got {loss!r}.")
    module = getattr(loss, "Module", None)  # a function made by the kit stands for its module with default options
    if isinstance(module, type) and issubclass(module, Loss):
        return module()
    return Wrapped(loss)


def scale(weight: Any, loss: Any) -> WeightedSum:
    if isinstance(weight, Loss):
        raise TypeError("Losses are added and multiplied by numbers; a loss times a loss is not defined.")
    if not isinstance(weight, (Tensor, nn.Module)):
        try:
            weight = float(weight)
        except (TypeError, ValueError):
            raise TypeError(f"A loss is multiplied by a number, a tensor or a weight module; got {weight!r}.") from None
    elif isinstance(weight, Tensor) and weight.numel() != 1:
        raise ValueError(f"A loss is multiplied by one number; got a tensor of shape {tuple(weight.shape)}.")
    return WeightedSum([(weight, loss)])


def add(a: Any, b: Any) -> WeightedSum:
    if isinstance(a, (int, float)) or isinstance(b, (int, float)):
        raise TypeError("A number added to a loss changes no gradient; multiply the loss by it, or leave it out.")
    return WeightedSum([(1.0, a), (1.0, b)])


def leaves(loss: Loss) -> Iterator[tuple[str, Loss]]:
    """The parts of a composite, or the loss itself."""
    if isinstance(loss, WeightedSum):
        yield from zip(loss.names, loss.losses, strict=True)
    else:
        yield loss.label, loss


def positional(
    arity: int, tensors: tuple[Any, ...], weight: Tensor | None, mask: Tensor | None
) -> tuple[tuple[Tensor, ...], Tensor | None, Tensor | None]:
    """`criterion(input, target, weight, mask)` with weight and mask by position, as the parts take them."""
    if len(tensors) > arity and weight is None:
        weight = tensors[arity]
    if len(tensors) > arity + 1 and mask is None:
        mask = tensors[arity + 1]
    return tensors[:arity], weight, mask


def _two(owner: str, tensors: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
    if len(tensors) != 2:
        raise TypeError(f"{owner} takes input and target; the composite was called with {len(tensors)} tensors.")
    check_tensor(owner, "input", tensors[0])
    return tensors[0], tensors[1]


def _call(
    part: Loss,
    tensors: tuple[Tensor, ...],
    weight: Tensor | None,
    mask: Tensor | None,
    normalizer: float | Tensor | None,
    whole: Sums | None,
    named: dict[str, Any],
) -> Tensor:
    arguments: dict[str, Any] = {"weight": weight, "mask": mask, "normalizer": normalizer, "whole": whole}
    given = {name: value for name, value in arguments.items() if value is not None}
    for name in ("normalizer", "whole"):
        if name in given and not _accepts(part.forward, name):
            if name == "normalizer":
                given.pop(name)  # replaces the denominator of the parts that are means
            else:
                raise TypeError(f"{part.name} has no sums that add: {part.across_ranks}")
    given.update({name: value for name, value in named.items() if _accepts(part.forward, name)})
    value: Tensor = part(*tensors, **given)
    if value.dim() != 0:
        raise ValueError(f"{part.name}: a part of a composite returns one number; got shape {tuple(value.shape)}.")
    return value


def _accepts(function: Callable[..., Any], name: str) -> bool:
    function = function.forward if isinstance(function, nn.Module) else function
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return False
    return name in parameters or any(p.kind is p.VAR_KEYWORD for p in parameters.values())


def _check_parts(composite: WeightedSum) -> None:
    ignored = {name: p.ignore_index for name, p in leaves(composite) if isinstance(p, LabelLoss)}
    if len(set(ignored.values())) > 1:
        listed = ", ".join(f"{name} {value}" for name, value in ignored.items())
        raise ValueError(f"The parts of a composite must leave out the same label; ignore_index is {listed}.")
    for name, part in leaves(composite):
        if part.reduction == "none":
            raise ValueError(
                f"{name} has reduction='none', and a composite is one number. For the components call "
                "parts(input, target) on the composite."
            )
