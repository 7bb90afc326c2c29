"""Binding: a loss called with the tensors and options of a reference."""

from __future__ import annotations

import copy
import inspect
import math
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from losskit.checker.calling import loss_of
from losskit.checker.claims.text import Text
from losskit.checker.origin import CannotRebuild, call_parameters
from losskit.checker.references.reference import Given, Pick, Reference, real
from losskit.checker.subject import Subject

EXAMPLES = 4  # seeds


@dataclass(frozen=True)
class Seen:
    """Values of the terms of a loss for one example, and their gradients."""

    values: Tensor  # (terms)
    slopes: Tensor  # (elements of the inputs, terms)


@dataclass
class Bound:
    """A loss as one of a family: its parameter of each role, and its options."""

    subject: Subject
    reference: Reference
    text: Text
    names: Mapping[str, str]  # the parameter of each role
    numbers: dict[str, float]  # options that the loss has
    changed: dict[str, Any]  # options of its constructor or call
    free: dict[str, tuple[float, ...]] = field(default_factory=dict)
    dtype: torch.dtype = torch.float64
    built: Callable[..., Any] | None = None
    order: list[str] | None = None
    listed: Sequence[float] = ()
    lists: Mapping[str, Sequence[float]] = field(default_factory=dict)  # all options that are lists, by name
    settings: Mapping[str, Any] = field(default_factory=dict)  # all options, as given or by default

    def build(self) -> Callable[..., Any]:
        if self.built is None:
            _seed()
            self.built = self.subject.origin.build(**self.changed)
        made = copy.deepcopy(self.built) if isinstance(self.built, nn.Module) else self.built
        if isinstance(made, nn.Module):
            made = made.to(self.dtype)
            for n, parameter in enumerate(made.parameters()):
                with torch.no_grad():
                    parameter.copy_(real(90 + n, *parameter.shape))
        return made

    def tensors(self, drawing: int, seed: int) -> dict[str, Any]:
        drawn = self.reference.draws[drawing](100 * seed)
        taken = {role: each for role, each in drawn.items() if role in self.names}
        if len(taken) < len(drawn) and any(self._alike(taken, n, seed) for n in range(drawing)):
            raise ValueError("without the roles that the loss lacks it is an earlier form")
        return {role: _cast(each, self.dtype) for role, each in taken.items()}

    def _alike(self, taken: Mapping[str, Any], drawing: int, seed: int) -> bool:
        """Whether an earlier form has the same tensors."""
        earlier = self.reference.draws[drawing](100 * seed)
        return all(
            role in earlier
            and isinstance(each, Tensor)
            and each.shape == getattr(earlier[role], "shape", None)
            and each.dtype == earlier[role].dtype
            for role, each in taken.items()
        )

    def trained(self, tensors: Mapping[str, Any]) -> list[str]:
        usual = [role for role, each in tensors.items() if isinstance(each, Tensor) and _leaves(each)]
        return [role for role in self.reference.trained or usual if role in tensors]

    def seen(self, tensors: Mapping[str, Any]) -> Seen:
        """The loss as written."""
        return _seen(lambda given: (self.written(given),), tensors, self.trained(tensors))

    def written(self, given: Mapping[str, Any]) -> Tensor:
        """The value of the loss as written."""
        criterion = self.build()
        _seed()
        return loss_of(self._called(criterion, given))[0].double().mean()

    def formula(self, tensors: Mapping[str, Any], pick: Pick) -> Seen:
        """The formula with one choice of its conventions."""
        # A module is cast before, so that the gradients are those of its own parameters.
        tensors = {r: _cast(x, torch.float64) if isinstance(x, nn.Module) else x for r, x in tensors.items()}
        return _seen(lambda given: self.terms(given, pick), tensors, self.trained(tensors))

    def terms(self, given: Mapping[str, Any], pick: Pick) -> tuple[Tensor, ...]:
        """The values of its terms."""
        criterion = self.build() if self.reference.states else None
        own = [each.detach().double() for each in criterion.parameters()] if isinstance(criterion, nn.Module) else []
        _seed()
        double = {r: x if isinstance(x, nn.Module) else _cast(x, torch.float64) for r, x in given.items()}
        try:
            made = self.reference.formula(self._given(double, pick, own), pick)
        except (RuntimeError, IndexError, ValueError, ZeroDivisionError, OverflowError):
            # A convention that does not take these examples or options is no variant.
            made = tuple(x.sum() * torch.nan for role in self.trained(given) for x in _leaves(given[role]))
        return made if isinstance(made, tuple) else (made,)

    def passed(self, tensors: Mapping[str, Any]) -> tuple[dict[str, Any], list[Tensor]]:
        """The arguments of a call, of which those that are trained are no leaves, so that a loss in place runs."""
        return _passed(tensors, self.trained(tensors))

    def buffers(self) -> dict[str, Tensor]:
        """What the loss stores besides parameters, such as a schedule."""
        criterion = self.built
        return dict(criterion.named_buffers()) if isinstance(criterion, nn.Module) else {}

    def _given(self, tensors: Mapping[str, Any], pick: Pick, own: Sequence[Tensor]) -> Given:
        given = {**tensors, "lists": self.lists, "settings": self.settings, "buffers": self.buffers()}
        return Given(given, self.numbers, self.free, pick, self.text, self.names, own, self.listed)

    def _called(self, criterion: Callable[..., Any], given: Mapping[str, Any]) -> Any:
        named = {self.names[role]: each for role, each in given.items()}
        if self.order is None:
            places = (p for p in call_parameters(criterion) if p.kind is not p.KEYWORD_ONLY)
            self.order = [p.name for p in places if p.name not in self.changed]
        leading: list[Any] = []
        for name in self.order:
            if name not in named:
                break
            leading.append(named.pop(name))
        return criterion(*leading, **named)

    def call_code(self, tensors: Mapping[str, Any]) -> str:
        return ", ".join(f"{self.names[role]}={self.names[role]}" for role in tensors)


def _seed() -> None:
    """As `torch.manual_seed(0)`, which takes ten times as long, for the CPU."""
    torch.default_generator.manual_seed(0)


def _cast(x: Any, dtype: torch.dtype) -> Any:
    if isinstance(x, (list, tuple)):
        return type(x)(_cast(each, dtype) for each in x)
    if isinstance(x, nn.Module):
        return copy.deepcopy(x).to(dtype)
    return x.to(dtype) if isinstance(x, Tensor) and x.is_floating_point() else x


def _each(x: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """The same with every tensor changed; a module is copied."""
    if isinstance(x, (list, tuple)):
        return type(x)(_each(each, change) for each in x)
    if isinstance(x, nn.Module):
        return x if change is _not_leaf else copy.deepcopy(x)
    return change(x) if isinstance(x, Tensor) else x


def _not_leaf(x: Tensor) -> Tensor:
    return x * 1 if x.is_floating_point() else x


def _leaves(x: Any) -> list[Tensor]:
    """The tensors whose gradient counts: parameters of a module, and tensors of floating point."""
    if isinstance(x, (list, tuple)):
        return [leaf for each in x for leaf in _leaves(each)]
    if isinstance(x, nn.Module):
        return list(x.parameters())
    return [x] if isinstance(x, Tensor) and x.is_floating_point() else []


def _seen(
    run: Callable[[Mapping[str, Any]], tuple[Tensor, ...]], tensors: Mapping[str, Any], trained: Sequence[str]
) -> Seen:
    passed, inputs = _passed(tensors, trained)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        terms = run(passed)
    columns = []
    for term in terms:
        if not term.requires_grad:
            columns.append(torch.zeros(sum(each.numel() for each in inputs), dtype=torch.float64))
            continue
        found = torch.autograd.grad(term, inputs, retain_graph=True, allow_unused=True)
        parts = [
            torch.zeros(x.numel(), dtype=torch.float64) if g is None else g.detach().reshape(-1).double()
            for g, x in zip(found, inputs, strict=True)
        ]
        columns.append(torch.cat(parts))
    return Seen(torch.stack([t.detach().double() for t in terms]), torch.stack(columns, 1))


def _given(subject: Subject) -> Mapping[str, Any]:
    """The options with which a loss is constructed, where they are known."""
    given: Mapping[str, Any] = getattr(subject.origin, "given", {})
    return given


def _passed(tensors: Mapping[str, Any], trained: Sequence[str]) -> tuple[dict[str, Any], list[Tensor]]:
    given = {role: _each(each, Tensor.clone) for role, each in tensors.items()}
    inputs = [leaf.requires_grad_() for role in trained for leaf in _leaves(given[role])]
    return {role: _each(each, _not_leaf) if role in trained else each for role, each in given.items()}, inputs


def bound_to(subject: Subject, reference: Reference, text: Text) -> Bound | None:
    """The loss as one of a family, if it is named so and its arguments are those of the family."""
    if not reference.names(text, strictly=False):
        return None
    try:
        criterion = subject.build()
    except Exception:  # noqa: BLE001 - its constructor needs more options
        return None
    if isinstance(criterion, nn.Module) and any(True for _ in criterion.parameters()) and not reference.states:
        return None
    if any(each is inspect.Parameter.empty for each in subject.origin.options.values()) and not _given(subject):
        return None  # it was constructed with options that it does not store
    parameters = call_parameters(criterion)
    names = roles_of(parameters, reference)
    if names is None:
        return None
    listed = _listed(subject, parameters)
    if any(re.fullmatch(reference.lists, name.lower()) is None for name in listed):
        return None
    numbers, changed, free = _options(subject, criterion, parameters, reference, set(names.values()), text)
    made = Bound(subject, reference, text, names, numbers, changed, free)
    made.listed, made.lists = next(iter(listed.values()), ()), listed
    made.settings = {**_known(subject, parameters), **changed}
    try:
        made.build()
    except Exception:  # noqa: BLE001 - these values are refused
        return None
    return made


def roles_of(parameters: Sequence[inspect.Parameter], reference: Reference) -> dict[str, str] | None:
    """The parameter of each role, by its name, and otherwise by its place; None if it is another call."""
    found: dict[str, str] = {}
    loose: list[str] = []
    options = [option.names for option in reference.options]
    for each in parameters:
        name = each.name.lower()
        role = next((r.name for r in reference.roles if r.name not in found and re.fullmatch(r.names, name)), None)
        if role is not None:
            found[role] = each.name
        elif each.default is each.empty and not any(re.fullmatch(option, name) for option in options):
            loose.append(each.name)
    free = [r.name for r in reference.roles if r.name not in found and r.name not in reference.optional]
    if len(loose) != len(free) or (loose and reference.by_name):
        return None
    return {**found, **dict(zip(free, loose, strict=True))}


def _known(subject: Subject, parameters: Sequence[inspect.Parameter]) -> dict[str, Any]:
    """Options of its constructor and call, as given or by default."""
    calls = {p.name: p.default for p in parameters if p.default is not p.empty}
    return {**subject.origin.options, **calls, **_given(subject)}


def _listed(subject: Subject, parameters: Sequence[inspect.Parameter]) -> dict[str, list[float]]:
    """Options that are lists of numbers."""
    found = _known(subject, parameters)
    lists = {n: v.tolist() if hasattr(v, "tolist") else v for n, v in found.items() if hasattr(v, "__len__")}
    return {
        n: list(v)
        for n, v in lists.items()
        if isinstance(v, (list, tuple)) and v and all(isinstance(e, (int, float)) for e in v)
    }


def _options(
    subject: Subject,
    criterion: Callable[..., Any],
    parameters: Sequence[inspect.Parameter],
    reference: Reference,
    taken: set[str],
    text: Text,
) -> tuple[dict[str, float], dict[str, Any], dict[str, tuple[float, ...]]]:
    known = _known(subject, parameters)
    numbers: dict[str, float] = {}
    changed: dict[str, Any] = {}
    free: dict[str, tuple[float, ...]] = {}
    for option in reference.options:
        own_first = sorted(known, key=lambda n, own=option.name: n.lower() != own)  # type: ignore[misc]
        name = next((n for n in own_first if n not in taken and re.fullmatch(option.names, n.lower())), None)
        value = known.get(name) if name is not None else None
        if name is not None and isinstance(value, (int, float)) and not isinstance(value, bool):
            stem = name.split("_")[0]
            same = [n for n in known if re.fullmatch(option.names, n.lower()) and n.split("_")[0] == stem]
            numbers[option.name] = option.value
            for each in {name, *(n for n in same if isinstance(known[n], float))} - taken:
                changed[each] = option.value  # smooth_nr and smooth_dr are one option
                taken.add(each)
        else:
            own = vars(criterion) if hasattr(criterion, "__dict__") else {}
            stored = [v for n, v in own.items() if re.fullmatch(option.names, n.lower())]
            stored = [float(v) for v in stored if isinstance(v, (int, float)) and not isinstance(v, bool)]
            written = _literals(text.code) if option.literal else []
            free[option.name] = tuple(stored or dict.fromkeys([*option.usual, *written]))
    try:
        subject.build(**changed)
    except (CannotRebuild, TypeError, ValueError):
        numbers.update({o: float(known[n]) for o, n in _pairs(reference, changed)})
        changed = {}
    return numbers, changed, free


def _pairs(reference: Reference, changed: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(o.name, n) for o in reference.options for n in changed if re.fullmatch(o.names, n.lower())]


def _literals(code: str) -> list[float]:
    """Numbers that are written in the code."""
    plain = re.sub(r'"""(.|\n)*?"""|#.*', "", code)
    found = [float(each) for each in re.findall(r"(?<![\w.])\d+\.?\d*(?:[eE]-?\d+)?(?![\w.])", plain)]
    return [each for each in dict.fromkeys(found) if math.isfinite(each)][:8]
