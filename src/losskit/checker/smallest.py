"""The smallest input that shows a finding: the same check run again with fewer positions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from losskit.checker.finding import Found
from losskit.checker.origin import CannotRebuild
from losskit.checker.subject import LossRaised, Subject

Question = Callable[[Subject], Iterable[Found]]
_SMALLER = ((), (2,), (1, 2), (2, 2), (1, 1, 2))


def smallest(question: Question, subject: Subject) -> list[Found]:
    """What a check finds in a loss, shown with the fewest positions that show it."""
    found = list(question(subject))
    for smaller in _smaller(subject) if found and subject.batch is None else ():
        try:
            again = list(question(smaller))
        except (LossRaised, CannotRebuild):
            continue
        if [each.severity for each in again] == [each.severity for each in found]:
            return again
    return found


def _smaller(subject: Subject) -> Iterator[Subject]:
    """The subject with fewer positions in its examples, the fewest first."""
    for spatial in _SMALLER:
        if spatial in subject.spec.spatials or (spatial and subject.spec.takes_spatial(len(spatial))):
            made = Subject(subject.origin, replace(subject.spec, spatial=spatial))
            made.on_call = subject.on_call
            yield made
