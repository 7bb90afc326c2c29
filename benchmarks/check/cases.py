"""Cases: small losses, the true verdict on each, and the kind of thread in which such a loss is posted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

CASES: list[Case] = []


@dataclass(frozen=True)
class Case:
    """One loss of the collection."""

    made: Any  # a function, or a module class without options
    thread: str
    faults: tuple[str, ...] = ()  # checks, one of which must be reported first; empty if the loss is sound
    fails: bool = True  # whether the fault makes `losskit check` exit with 1
    aside: bool = False  # held-out: written before the checker was fixed, run once afterwards

    @property
    def name(self) -> str:
        return self.made.__name__

    @property
    def sound(self) -> bool:
        return not self.faults

    @property
    def loss(self) -> Callable[..., Any]:
        """The callable loss."""
        return self.made() if isinstance(self.made, type) else self.made  # type: ignore[no-any-return]


Mark = Callable[[Any], Any]


def sound(thread: str, *, aside: bool = False) -> Mark:
    """Register a loss without faults."""

    def mark(made: Any) -> Any:
        CASES.append(Case(made, thread, aside=aside))
        return made

    return mark


def faulty(*faults: str, thread: str, fails: bool = True, aside: bool = False) -> Mark:
    """Register a loss with one fault, and the checks, one of which must be reported first."""

    def mark(made: Any) -> Any:
        CASES.append(Case(made, thread, faults, fails, aside))
        return made

    return mark
