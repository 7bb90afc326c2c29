"""Guesses: what the tensors of a call may be, and how a trial call with them ended."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from losskit.checker.watching import Watched


@dataclass(frozen=True)
class Slot:
    """What one tensor of a call is: a sort of `several`, `boolean` or `scalar`, and its sizes."""

    sort: str
    sizes: tuple[str, ...]
    bound: str = ""  # the size that an index is below; empty: the number of classes
    known: bool = False  # the sizes are documented
    stem: str = ""  # the last word of its name: tensors with the same have the same sizes

    def __str__(self) -> str:
        return f"{self.sort}{self.bound}:{','.join(self.sizes)}"


Slots = tuple[Slot, ...]


def _renamed(before: tuple[str, ...], after: tuple[str, ...]) -> dict[str, str]:
    """The numbers that letters of documented sizes, but not that of the samples, stand for."""
    if len(before) != len(after):
        return {}
    pairs = [(old, new) for old, new in zip(before[1:], after[1:], strict=True) if old != new]
    return {old: new for old, new in pairs if not old.isdigit() or (new.isdigit() and int(new) > int(old) > 4)}


@dataclass(frozen=True)
class Guess:
    """One slot for each tensor, and how many tensors the tuple in each argument has; 1: the argument is a tensor."""

    slots: Slots
    counts: tuple[int, ...]

    def with_slot(self, at: int, **changed: Any) -> Guess:
        """The same with one slot changed, and the sizes of those that are sized like it."""
        own, sizes = self.slots[at], changed.pop("sizes", None)
        slots = list(self.slots)
        if own.known:
            renamed = _renamed(own.sizes, sizes or own.sizes)
            slots = [replace(each, sizes=tuple(renamed.get(size, size) for size in each.sizes)) for each in slots]
        elif sizes is not None:
            alike = [each.stem == own.stem and each.sizes == own.sizes and not each.known for each in slots]
            slots = [replace(each, sizes=sizes) if also else each for each, also in zip(slots, alike, strict=True)]
            slots[at] = replace(own, sizes=sizes)
        slots[at] = replace(slots[at], **changed)
        return replace(self, slots=tuple(slots))

    def unpacked(self, at: int, count: int) -> Guess:
        """The same with a tuple of tensors in place of one."""
        argument = next(n for n in range(len(self.counts)) if sum(self.counts[: n + 1]) > at)
        slots = (*self.slots[:at], *[self.slots[at]] * count, *self.slots[at + 1 :])
        return Guess(slots, (*self.counts[:argument], count, *self.counts[argument + 1 :]))


@dataclass(frozen=True)
class Failure:
    """How a trial call ended: the error, what it had done, and the tensors that the guess stands for."""

    guess: Guess
    error: Exception
    watched: Watched

    @property
    def said(self) -> str:
        return str(self.error).lower()


class Undefined(ValueError):  # noqa: N818 - the name states the condition
    """The loss returned NaN or infinity."""
