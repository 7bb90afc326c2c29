"""A quantity: what a variable of this name is, computed from others of these names."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import CodeType
from typing import Any

import torch
from torch import Tensor

_AROUND = r"(self\.)?_?(batch_?|b_|cur(rent)?_?|my_?)?({})(_?batch|_?b|_?t|_)?"


@dataclass(frozen=True)
class Quantity:
    """One quantity of the field, by the names that it and its parts go by."""

    said: str  # "the target of a temporal difference"
    named: str  # a pattern for its names, in lower case
    parts: Mapping[str, str]  # patterns for the names of its parts
    formulas: Sequence[str]  # accepted; each is that of the parts that it names
    factor: bool = False  # any positive factor is accepted
    constant: bool = False  # any constant is accepted
    reduced: bool = False  # sums and means of it are accepted
    binary: Sequence[str] = ()  # parts that are 0 or 1
    shaped: bool = False  # another number of elements is a fault too
    unless: str = ""  # a condition on the parts in which the names mean something else
    instead: bool = False  # another meaning of its name: it is accepted, and what is computed from it is not compared

    def is_named(self, name: str) -> bool:
        return _fits(self.named, name)

    def part(self, name: str) -> str | None:
        """The part that a variable of this name is, or an item of one."""
        name = name.split("[", 1)[0]
        return next((part for part, names in self.parts.items() if _fits(names, name)), None)

    def of(self, parts: set[str]) -> Sequence[str]:
        """The formulas that have exactly these parts."""
        return self._by_parts.get(frozenset(parts), ())

    @functools.cached_property
    def _by_parts(self) -> dict[frozenset[str], list[str]]:
        found: dict[frozenset[str], list[str]] = {}
        for each in self.formulas:
            found.setdefault(parts_of(each) & frozenset(self.parts), []).append(each)
        return found


@functools.lru_cache(maxsize=8192)
def _fits(pattern: str, name: str) -> bool:
    return re.fullmatch(_AROUND.format(pattern), name.lower()) is not None


def parts_of(formula: str) -> frozenset[str]:
    return frozenset(re.findall(r"(?<![\w.])[a-z]\w*(?!\w*[(\w])", formula))


_FUNCTIONS = {**vars(torch), "torch": torch}


@functools.lru_cache(maxsize=8192)
def _compiled(formula: str) -> CodeType:
    return compile(formula, "<formula>", "eval")


def computed(formula: str, parts: Mapping[str, Any]) -> Tensor:
    """The value of a formula."""
    return torch.as_tensor(eval(_compiled(formula), _FUNCTIONS, dict(parts)))  # noqa: S307 - one of ours


def holds(condition: str, parts: Mapping[str, Any]) -> bool:
    """Whether a condition on parts holds; False if it is of others."""
    try:
        return bool(eval(condition, {"torch": torch}, dict(parts)))  # noqa: S307 - one of ours
    except Exception:  # noqa: BLE001 - of parts that are not there
        return False


def written(formula: str, names: Mapping[str, str]) -> str:
    """A formula with the names of the user."""
    return re.sub(r"(?<![\w.])[a-z]\w*(?![\w(])", lambda found: names.get(found[0], found[0]), formula)


def reductions(full: Tensor) -> Iterator[Tensor]:
    """A tensor, and what sums and means make of it."""
    yield full
    for last in range(1, full.dim() + 1):
        axes = tuple(range(full.dim() - last, full.dim()))
        yield full.sum(axes)
        if last < full.dim():
            yield full.sum(axes).mean()
    if full.dim() > 1:
        yield full.mean(tuple(range(1, full.dim())))
        yield full.sum(1)
        yield full.mean(0)
        yield full.sum(0)


QUANTITIES: list[Quantity] = []


def quantity(said: str, named: str, parts: Mapping[str, str], *formulas: str, **further: Any) -> None:
    """Register a quantity."""
    QUANTITIES.append(Quantity(said, named, parts, formulas, **further))
