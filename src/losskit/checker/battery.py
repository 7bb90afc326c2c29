"""The battery: all checks, and one run of them on a subject."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

import losskit.checker.checks
import losskit.checker.claims
import losskit.checker.quantities
import losskit.checker.references  # noqa: F401 - importing registers them
from losskit.checker.finding import ENDINGS, Outcome, Report, Severity, report_of
from losskit.checker.references.unlike import compared
from losskit.checker.registry import OF_BATCH, REGISTRY, Check
from losskit.checker.source import READINGS
from losskit.checker.subject import Subject
from losskit.core.domains import nearest


class Runner(Protocol):
    """Runs checks somewhere, and yields the outcome of each."""

    def __call__(self, checks: Sequence[Check], started: Callable[[str], None]) -> Iterator[Outcome]: ...


def checks() -> dict[str, Check]:
    """All checks by id, in the order in which they run."""
    return REGISTRY


def checks_of_batch() -> dict[str, Check]:
    """All checks of a loss on a user's batch, in the order in which they run."""
    return OF_BATCH


def known(id: str) -> Check:
    """The check with this id, or an error that names the nearest id."""
    every = {**checks(), **checks_of_batch()}
    if id not in every:
        raise ValueError(f"There is no check called {id!r}{nearest(id, every)} losskit check --checks lists them.")
    return every[id]


def selected(select: Sequence[str] = (), of_batch: bool = False) -> list[Check]:
    """The checks with these ids; all checks if there are none."""
    every = checks_of_batch() if of_batch else checks()
    for id in select:
        if known(id).id not in every:
            raise ValueError(f"The check {id!r} {'needs no' if of_batch else 'needs a'} batch.")
    return [each for id, each in every.items() if not select or id in select]


def require_waivers(waive: Mapping[str, str]) -> None:
    """Raise where a waiver names an unknown check or gives no reason."""
    for id, reason in waive.items():
        if id not in ENDINGS and id not in READINGS:
            known(id)
        if not isinstance(reason, str) or not reason.strip():
            raise ValueError(f"The waiver of {id!r} gives no reason. Write why this is acceptable for your loss.")


# Of a loss whose values and gradients are those of a formula, what they find is true of that formula.
_OF_MEANING = (
    *("rewards-errors", "order-matters", "positions-matter", "no-graph", "mixed-derivatives", "term-without-gradient"),
    *("misused-function", "activated-twice", "perfect-costs", "masked-counts"),
    *("copied-unchanged", "wrong-answers-unlearnt", "unlabelled-gets-gradient"),
    *("unused-argument", "unread-argument"),
    *(
        "class-numbers-count",
        "divides-by-classes",
        "focal-of-mean",
        "weight-in-factor",
        "negatives-left-out",
        "self-compared",
        "margin-eases",
    ),
)
_MISREAD = r"threshold|levels|evidence"  # claims of losses of labels that share a name with others


def outcome_of(check: Check, subject: Subject) -> Outcome:
    """The outcome of a check, which says nothing of the meaning of a loss that is a known formula."""
    outcome = check(subject)
    if outcome.status != "found" or not (_is_of_meaning(outcome) or check.id == "half-disagrees"):
        return outcome
    known = compared(subject)
    if check.id == "half-disagrees":  # what the formula itself loses in half precision
        found = tuple(replace(each, severity=Severity.TRAP) for each in outcome.findings)
        return outcome if known.formula is None else replace(outcome, findings=found)
    if known.formula is None or not _is_of_formula(outcome, subject, known.taken, known.formula.said):
        return outcome
    return Outcome(check.id, "passed", f"it equals {known.formula.said}")


def _is_of_formula(outcome: Outcome, subject: Subject, taken: frozenset[str], said: str) -> bool:
    """Whether what was found is about arguments that the formula takes too."""
    if outcome.check == "masked-counts":  # a plain mean leaves the denominator open up to a factor
        return not re.search(r"masked|error|Huber|\bL1\b", said) and any(
            each in taken for each in subject.spec.arguments
        )
    if outcome.check in ("unused-argument", "unread-argument", "weight-in-factor"):
        return all(re.split(r"\W", each.what, maxsplit=1)[0] in taken for each in outcome.findings)
    return True


def _is_of_meaning(outcome: Outcome) -> bool:
    """Whether a formula that the loss equals would excuse what was found."""
    if outcome.check == "contradicts-claim":
        return any(re.search(_MISREAD, each.what) for each in outcome.findings)
    return outcome.check in _OF_MEANING


def here(subject: Subject) -> Runner:
    """Runs checks in this process: nothing ends a check that hangs."""

    def run(checks: Sequence[Check], started: Callable[[str], None]) -> Iterator[Outcome]:
        for each in checks:
            started(each.id)
            yield outcome_of(each, subject)

    return run


def run(
    subject: Subject,
    select: Sequence[str] = (),
    waive: Mapping[str, str] | None = None,
    progress: Callable[[str, int, int], None] | None = None,
    runner: Runner | None = None,
) -> Report:
    """Run the checks on a subject and report the findings."""
    waive = dict(waive or {})
    require_waivers(waive)
    asked = selected(select, subject.batch is not None)
    began = time.monotonic()
    count = 0

    def started(id: str) -> None:
        nonlocal count
        count += 1
        if progress is not None:
            progress(id, count, len(asked))

    outcomes = list((runner or here(subject))(asked, started))
    return report_of(subject.name, subject.spec, outcomes, waive, time.monotonic() - began)
