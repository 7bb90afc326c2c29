"""A reference: the formula of a family of losses, with the variants that are accepted."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from losskit.checker.claims.claim import Role
from losskit.checker.claims.text import Text

MOST = 1200  # variants of one formula that are computed

Terms = "Tensor | tuple[Tensor, ...]"  # what a formula returns: its terms, which any positive numbers weigh


class Pick:
    """Chooses one of several conventions; each run of a formula takes another path through its choices."""

    def __init__(self, path: Sequence[int] = ()) -> None:
        self.path = tuple(path)
        self.sizes: list[int] = []

    def __call__(self, *options: Any) -> Any:
        at = len(self.sizes)
        self.sizes.append(len(options))
        return options[self.path[at] if at < len(self.path) else 0]

    def maybe_detached(self, x: Tensor) -> Tensor:
        """The tensor, with or without its gradient."""
        return self(x, x.detach())  # type: ignore[no-any-return]

    def mean(self, x: Tensor, weight: Tensor) -> Tensor:
        """A sum of weighted elements: divided by their number, or by the sum of their weights."""
        total = (x * weight).sum()
        return total / self(1.0, weight.sum())  # type: ignore[no-any-return]

    def following(self) -> tuple[int, ...] | None:
        """The next path; None after the last one."""
        path = [self.path[n] if n < len(self.path) else 0 for n in range(len(self.sizes))]
        while path:
            if path[-1] + 1 < self.sizes[len(path) - 1]:
                path[-1] += 1
                return tuple(path)
            path.pop()
        return None


@dataclass(frozen=True)
class Option:
    """A number that losses of a family take: the names that it goes by, the value of a trial, and usual values."""

    name: str
    names: str  # a pattern for the whole name, in lower case
    value: float
    usual: tuple[float, ...] = ()  # if the loss has no such option
    literal: bool = False  # numbers in the code of the loss are also tried


class Given:
    """What a formula is computed from: tensors by role, and options by name."""

    def __init__(
        self,
        tensors: Mapping[str, Any],
        numbers: Mapping[str, float],
        free: Mapping[str, tuple[float, ...]],
        pick: Pick,
        text: Text,
        names: Mapping[str, str],
        parameters: Sequence[Tensor] = (),
        listed: Sequence[float] = (),
    ) -> None:
        self.tensors = dict(tensors)
        self.numbers = dict(numbers)
        self.free = free
        self.pick = pick
        self.text = text
        self.names = {role: name.lower() for role, name in names.items()}  # of its parameters
        self.listed = list(listed)  # an option that is a list
        self.parameters = list(parameters)  # those of the loss itself

    def __getattr__(self, name: str) -> Any:
        if name in self.tensors:
            return self.tensors[name]
        if name in self.numbers:
            return self.numbers[name]
        if name in self.free:
            self.numbers[name] = self.pick(*self.free[name])
            return self.numbers[name]
        raise AttributeError(name)

    def has(self, role: str) -> bool:
        return role in self.tensors

    def called(self, role: str, pattern: str) -> bool:
        """Whether the argument of a role has a name with this in it."""
        return re.search(pattern, self.names.get(role, "")) is not None

    def bound(self, option: str) -> bool:
        """Whether the loss itself has this option."""
        return option in self.numbers and option not in self.free


Formula = Callable[[Given, Pick], Any]
Drawing = Callable[[int], dict[str, Any]]  # tensors by role, from a seed


@dataclass(frozen=True)
class Reference:
    """One family of losses."""

    said: str  # "the Tversky loss"
    named: str  # a pattern for its names, as words, and for the first sentence of its documentation
    roles: tuple[Role, ...]
    draws: tuple[Drawing, ...]  # the forms in which it takes its tensors
    formula: Formula
    options: tuple[Option, ...] = ()
    trained: tuple[str, ...] = ()  # roles whose gradient counts; by default those of floating point
    optional: tuple[str, ...] = ()  # roles that a loss need not have
    unless: str = "$^"  # a pattern for other families that share the names
    states: bool = False  # the loss may have parameters of its own
    lists: str = "$^"  # a pattern for options that are lists of numbers, of which the formula reads the first
    every: bool = False  # its forms are parts of one loss, of which each must be the formula
    free: bool = False  # it has more sound forms than can be listed
    by_name: bool = False  # its arguments are known by their names alone, not by their places

    def names(self, text: Text, strictly: bool = True) -> bool:
        """Whether a loss says, in its name or its first sentence, that it is of this family, and not a variant."""
        title = title_of(text)
        if re.search(self.named, title) is None or re.search(self.unless, title) is not None:
            return False
        if not strictly:
            return True
        own = re.sub(self.named, " ", text.name)
        if own == text.name:  # only its file or its documentation names the family
            return re.search(_VARIANTS, re.sub(self.named, " ", title)) is None
        return (
            re.search(_VARIANTS, own) is None
            and re.search(_SAID, re.sub(self.named, " ", first_sentence(text))) is None
        )


_VARIANTS = (
    r"modif|(?<!in)variant|inspired|asymmetric|adapted|custom|adaptive|improved|simplified|generali[sz]ed|robust|"
    r"extension|our |novel|approximat|weighted|hybrid|combin|truncat|relaxed|dynamic|balanced|"
    r"normali[sz]ed (?!temp|emb|feat|vec|cos|point|by|rep|proj|out|soft)"
)


_PLAIN = (
    r"loss(es)?|criterion|fn|func(tion)?|my|the|a|of|for|with|from|logits?|binary|multi|class(es)?|label|multi(class|label)|"
    r"soft(max)?|sigmoid|compute|calc(ulate)?|get|torch|pytorch|simple|plain|basic|naive|[123]?d|box(es)?|bbox|gan|pinn|"
    r"residual|coeff(icient)?|neg(ative)?|log|likelihood|nll|deviance|error|distance|score|index|\w{1,2}|\d+"
)


def is_plain(reference: Reference, text: Text) -> bool:
    """Whether the name of a loss says nothing besides its family."""
    own = re.sub(reference.named, " ", text.name)
    return own != text.name and all(re.fullmatch(_PLAIN, word) for word in own.split())


# What the documentation of a loss that has the name of a family says of a variant of it.
_SAID = (
    r"modif|(?<!in)variant|version|inspired|adapted|custom|improve|simplif|extension of|extend|our |novel|approximat|"
    r"hybrid|combin|truncat|relaxed|(class|sample|frequency|pixel|instance).?(weight|balanc)|"
    r"(weight|balanc)\w* (by|with|for) (the )?(class|freq|inverse|area|volume|effective)"
)


def first_sentence(text: Text) -> str:
    """The first sentence of the documentation of a loss."""
    first = re.split(r"\.\s|\.$|\n\s*\n", text.said.strip(), maxsplit=1)[0]
    return " ".join(first.split())


def title_of(text: Text) -> str:
    """The names of a loss, and the first sentence of its documentation."""
    return f"{text.names} {first_sentence(text)}".replace("-", " ")


def variants(run: Callable[[Pick], Any]) -> Iterator[tuple[tuple[int, ...], Any]]:
    """Every path through the choices of a formula, and its result."""
    path: tuple[int, ...] | None = ()
    for _ in range(MOST):
        if path is None:
            return
        pick = Pick(path)
        made = run(pick)
        yield tuple(path), made
        path = pick.following()


REFERENCES: list[Reference] = []


def reference(
    said: str, named: str, roles: Mapping[str, str], *draws: Drawing, options: Sequence[Option] = (), **further: Any
) -> Callable[[Formula], Formula]:
    """Register the formula of a family; `roles` are patterns for the names of its arguments, in their order."""

    def enter(formula: Formula) -> Formula:
        taken = tuple(Role(name, pattern) for name, pattern in roles.items())
        REFERENCES.append(Reference(said, named, taken, draws, formula, tuple(options), **further))
        return formula

    return enter


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def real(seed: int, *size: int) -> Tensor:
    """Numbers around 0 that are short to write."""
    return torch.randn(size, generator=generator(seed), dtype=torch.float64).round(decimals=4)


def share(seed: int, *size: int) -> Tensor:
    """Numbers between 0 and 1, valid as probabilities and as scores."""
    return (0.05 + 0.9 * torch.rand(size, generator=generator(seed), dtype=torch.float64)).round(decimals=4)


def whole(seed: int, high: int, *size: int) -> Tensor:
    """Whole numbers from 0, of which each occurs where there is space."""
    made = torch.randint(high, size, generator=generator(seed))
    flat, order = made.view(-1), torch.randperm(made.numel(), generator=generator(seed + 1))
    flat[order[:high]] = torch.arange(high)[: made.numel()]
    return made


def zeros_and_ones(seed: int, *size: int) -> Tensor:
    return whole(seed, 2, *size).double()
