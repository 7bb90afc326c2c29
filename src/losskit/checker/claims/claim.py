"""A claim: how a kind of loss is recognised, what its arguments are, and what every loss of that kind obeys."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from losskit.checker import draws
from losskit.checker.calling import loss_of
from losskit.checker.claims.text import Text, text_of
from losskit.checker.finding import Found
from losskit.checker.origin import CannotRebuild, call_parameters
from losskit.checker.repro import literal, script
from losskit.checker.subject import LossRaised, Subject


@dataclass(frozen=True)
class Role:
    """An argument that losses of a kind take, and the names that it goes by."""

    name: str
    names: str  # a pattern for the whole name, in lower case


Relation = Callable[["Claimed"], Iterator[Found]]


@dataclass(frozen=True)
class Claim:
    """One kind of loss."""

    said: str  # "a hinge loss of scores of a critic"
    known_by: str  # a pattern for its names and documentation
    roles: tuple[Role, ...]
    relations: tuple[Relation, ...]
    ordered: bool = False  # the first arguments are the first roles, whatever their names
    unless: str = "$^"  # a pattern for other kinds that share the names
    named: bool = False  # only its names count, not the documentation

    def of(self, subject: Subject) -> Claimed | None:
        """The loss as one of this kind, if it says so and its arguments are those of the kind."""
        criterion = subject.build()
        text = text_of(criterion, subject.origin.name)
        where = text.names if self.named else text.title
        if not re.search(self.known_by, where) or re.search(self.unless, where):
            return None
        bound = bind(call_parameters(criterion), self.roles, self.ordered)
        return None if bound is None else Claimed(subject, self, text, bound)


def bind(parameters: Sequence[inspect.Parameter], roles: Sequence[Role], ordered: bool) -> dict[str, str] | None:
    """The parameter of each role; None if a required parameter has no role."""
    found: dict[str, str] = {}
    loose: list[str] = []
    for each in parameters:
        role = next(
            (r.name for r in roles if r.name not in found and re.fullmatch(r.names, each.name.lower())),
            None,
        )
        if role is not None:
            found[role] = each.name
        elif each.default is each.empty:
            loose.append(each.name)
    free = [role.name for role in roles if role.name not in found]
    if loose and ordered and len(loose) <= len(free) and not found:
        return dict(zip(free, loose, strict=False))
    return None if loose else found


@dataclass
class Claimed:
    """A loss called by the roles of its kind."""

    subject: Subject
    claim: Claim
    text: Text
    bound: Mapping[str, str]
    fixed: dict[str, Any] = field(default_factory=dict)  # arguments of every call, by role

    def has(self, *roles: str) -> bool:
        return all(role in self.bound for role in roles)

    def option(self, *names: str) -> Any:
        """The value of the first of these options that the loss has: of its constructor, its call, or on itself."""
        criterion = self.subject.build()
        calls = {each.name: each.default for each in call_parameters(criterion)}
        for name in names:
            for known in (
                self.subject.origin.options,
                calls,
                vars(criterion) if hasattr(criterion, "__dict__") else {},
            ):
                if isinstance(known.get(name), (int, float)) and not isinstance(known.get(name), bool):
                    return known[name]
        return None

    def call(self, options: Mapping[str, Any] | None = None, /, **given: Any) -> Tensor:
        """The result for these arguments, by role."""
        try:
            criterion = self.subject.build(**(options or {}))
        except Exception as error:
            raise CannotRebuild(str(error)) from error
        named = {self.bound[role]: value for role, value in {**self.fixed, **given}.items() if role in self.bound}
        named = {**self.subject.origin.called, **named}
        parameters = call_parameters(criterion)
        missing = [p.name for p in parameters if p.default is p.empty and p.name not in named]
        if missing:
            raise CannotRebuild(f"{missing[0]} is not given")
        at = [p.name for p in parameters if p.kind is not p.KEYWORD_ONLY and p.name in named]
        leading = at if at == [p.name for p in parameters][: len(at)] else []
        rest = {name: value for name, value in named.items() if name not in leading}
        try:
            draws.seed()
            return loss_of(criterion(*(named[name] for name in leading), **rest))[0]
        except (MemoryError, KeyboardInterrupt):
            raise
        except Exception as error:
            raise LossRaised(error) from error

    def value(self, options: Mapping[str, Any] | None = None, /, **given: Any) -> float:
        return float(self.call(options, **given).detach().double().mean())

    def total(self, **given: Any) -> float:
        """The value, with NaN for a call that it refuses."""
        try:
            return self.value(**given)
        except (LossRaised, CannotRebuild):
            return math.nan

    def slope(self, of: str, options: Mapping[str, Any] | None = None, /, **given: Any) -> Tensor:
        """The gradient of the mean with respect to one argument; zeros if there is none."""
        x = given[of].detach().clone().requires_grad_()
        made = self.call(options, **{**given, of: x}).mean()
        if not made.requires_grad:
            return torch.zeros_like(x)
        (found,) = torch.autograd.grad(made, x, allow_unused=True)
        return torch.zeros_like(x) if found is None else found

    def code(self, given: Mapping[str, Any], backward: str = "") -> str:
        """A repro: the call with these arguments, and the gradient of one of them."""
        construction = self.subject.origin.construction()
        named = {self.bound[role]: value for role, value in {**self.fixed, **given}.items() if role in self.bound}
        made = {name: literal(value) for name, value in named.items() if isinstance(value, Tensor)}
        said = ", ".join(f"{name}={name if name in made else _plain(value)}" for name, value in named.items())
        helper = "from losskit.checker.models import Linear" if "Linear(" in said else ""
        brought = "\n".join(each for each in ("import torch", helper, self.subject.origin.imports) if each)
        lines: tuple[str, ...] = (f"print(criterion({said}))",)
        if backward:
            name = self.bound[backward]
            lines = (f"{name}.requires_grad_()", f"criterion({said}).mean().backward()", f"print({name}.grad)")
        return script(brought, construction, made, lines)

    def found(
        self, what: str, evidence: Mapping[str, Any], fix: str, given: Mapping[str, Any], backward: str = ""
    ) -> Found:
        return Found(f"{self.claim.said}: {what}", evidence, self.code(given, backward), None, fix)


def _plain(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        inner = ", ".join(literal(each) if isinstance(each, Tensor) else _plain(each) for each in value)
        return f"[{inner}]"
    return repr(value)


def near(a: float, b: float, relative: float = 1e-3, absolute: float = 1e-6) -> bool:
    return math.isclose(a, b, rel_tol=relative, abs_tol=absolute)


def tensor(*values: Any) -> Tensor:
    return torch.tensor(values[0] if len(values) == 1 else values, dtype=torch.float64)


def drawn(*size: int, seed: int = 0) -> Tensor:
    """Numbers that are short to write."""
    made = torch.randn(size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return made.round(decimals=3)
