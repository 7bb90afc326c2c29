"""Cases: small losses, what is true of each, and the kind of thread in which such a loss is posted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

CASES: list[Case] = []


@dataclass(frozen=True)
class Case:
    """One loss of the collection."""

    made: Any  # a function, or a class of modules without options
    thread: str
    faults: tuple[str, ...] = ()  # the checks of which one has to come first; none: the loss is sound
    fails: bool = True  # whether the fault makes `losskit check` exit with 1
    aside: bool = False  # written before the checker was mended, and run once at the end

    @property
    def name(self) -> str:
        return self.made.__name__

    @property
    def sound(self) -> bool:
        return not self.faults

    @property
    def loss(self) -> Callable[..., Any]:
        """A loss to call."""
        return self.made() if isinstance(self.made, type) else self.made  # type: ignore[no-any-return]


Mark = Callable[[Any], Any]


def sound(thread: str, *, aside: bool = False) -> Mark:
    """Enter a loss that has no fault."""

    def mark(made: Any) -> Any:
        CASES.append(Case(made, thread, aside=aside))
        return made

    return mark


def faulty(*faults: str, thread: str, fails: bool = True, aside: bool = False) -> Mark:
    """Enter a loss with one fault, and the checks of which one has to come first."""

    def mark(made: Any) -> Any:
        CASES.append(Case(made, thread, faults, fails, aside))
        return made

    return mark
