"""The battery: every check there is, and one run of them on a subject."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from losskit.checker.finding import Finding, Found, Outcome, Report, Severity, Waived, under_causes
from losskit.checker.smallest import smallest
from losskit.checker.spec import Spec
from losskit.checker.subject import CannotRebuild, LossRaised, Subject
from losskit.core.errors import nearest

Function = Callable[[Subject], Iterable[Found]]
Applies = Callable[[Spec], "bool | str"]  # a text is the reason why it does not apply


class Runner(Protocol):
    """Runs checks somewhere, and tells how each ended."""

    def __call__(self, checks: Sequence[Check], started: Callable[[str], None]) -> Iterator[Outcome]: ...


@dataclass(frozen=True)
class Check:
    """One question that is asked of a loss."""

    id: str
    severity: Severity
    function: Function
    why: str  # it matters in training
    fix: str
    consequence_of: tuple[str, ...] = ()
    applies: Applies = lambda _: True
    asks: str = ""  # the question, as the check's docstring has it

    def __call__(self, subject: Subject) -> Outcome:
        """Ask it of a subject, here and now."""
        applies = self.applies(subject.spec)
        if applies is not True:
            return Outcome(self.id, "not applicable", applies or f"nothing here to ask: {self.asks}")
        started = time.monotonic()
        try:
            found = [self.finding(each) for each in smallest(self.function, subject)]
        except LossRaised as error:
            outcome = Outcome(self.id, "refused", f"the loss raised {error}")
        except CannotRebuild as error:
            outcome = Outcome(self.id, "not applicable", str(error))
        except MemoryError as error:
            outcome = Outcome(self.id, "memory", str(error), (self.ate_memory(str(error)),))
        except Exception as error:  # noqa: BLE001 - a mistake of the check ends that check alone
            outcome = Outcome(self.id, "failed", f"{type(error).__name__}: {error}\n{traceback.format_exc()[-3000:]}")
        else:
            outcome = Outcome(self.id, "found" if found else "passed", "", tuple(found))
        return replace(outcome, seconds=time.monotonic() - started)

    def finding(self, found: Found) -> Finding:
        return Finding(
            self.id,
            found.severity or self.severity,
            found.what,
            found.evidence,
            found.repro,
            self.why,
            found.fix or self.fix,
            self.consequence_of,
        )

    def ate_memory(self, evidence: str, repro: str = "") -> Finding:
        return self._ended("eats-memory", "asks for more memory than there is", evidence, repro)

    def hung(self, seconds: float, evidence: str, repro: str = "") -> Finding:
        return self._ended("hangs", f"did not return within {seconds:g} seconds", evidence, repro)

    def died(self, how: str, evidence: str, repro: str = "") -> Finding:
        return self._ended("crashes", f"ended the whole process ({how})", evidence, repro)

    def _ended(self, id: str, what: str, evidence: str, repro: str) -> Finding:
        return Finding(id, Severity.WRONG, f"{what}, in the check {self.id}", evidence, repro, *ENDINGS[id])


# Findings that any check can end in: why they matter, and what to look for.
ENDINGS = {
    "hangs": (
        "Training stands still at the first batch like this one.",
        "Look for a loop that waits for a number to become small or equal: NaN and rounding keep it going.",
    ),
    "crashes": (
        "Training ends without an error message, and nothing is saved.",
        "Look for compiled code that reads outside its tensors, and for exit() where an exception belongs.",
    ),
    "eats-memory": (
        "Training ends with an out-of-memory error that no smaller batch cures.",
        "Look for a tensor that grows with the square of the input, or that is kept from call to call.",
    ),
}
REGISTRY: dict[str, Check] = {}
OF_BATCH: dict[str, Check] = {}  # those that are asked of a loss with a batch of its user


def check(
    id: str,
    severity: Severity,
    *,
    why: str,
    fix: str,
    consequence_of: Sequence[str] = (),
    applies: Applies = lambda _: True,
    of_batch: bool = False,
) -> Callable[[Function], Function]:
    """Enter a function into the battery: from a subject, what it found."""
    registry = OF_BATCH if of_batch else REGISTRY

    def enter(function: Function) -> Function:
        if id in registry and registry[id].function.__module__ != function.__module__:
            raise ValueError(f"There are two checks called {id}.")
        asks = " ".join((function.__doc__ or "").split())
        registry[id] = Check(id, severity, function, why, fix, tuple(consequence_of), applies, asks)
        return function

    return enter


def checks() -> dict[str, Check]:
    """Every check by id, in the order in which they are asked."""
    import losskit.checker.checks  # noqa: F401 - importing them enters them

    return REGISTRY


def checks_of_batch() -> dict[str, Check]:
    """Every check of a loss with a batch of its user, in the order in which they are asked."""
    import losskit.checker.own_batch  # noqa: F401 - importing it enters them

    return OF_BATCH


def known(id: str) -> Check:
    """The check of this id, or an error that names the nearest."""
    every = {**checks(), **checks_of_batch()}
    if id not in every:
        raise ValueError(f"There is no check called {id!r}{nearest(id, every)} losskit check --checks lists them.")
    return every[id]


def selected(select: Sequence[str] = (), of_batch: bool = False) -> list[Check]:
    """The checks of these ids; all without any."""
    every = checks_of_batch() if of_batch else checks()
    for id in select:
        if known(id).id not in every:
            raise ValueError(f"The check {id!r} {'needs no' if of_batch else 'needs a'} batch of yours.")
    return [each for id, each in every.items() if not select or id in select]


def require_waivers(waive: Mapping[str, str]) -> None:
    """An error where a waiver names no check, or gives no reason."""
    from losskit.checker.source import READINGS

    for id, reason in waive.items():
        if id not in ENDINGS and id not in READINGS:
            known(id)
        if not isinstance(reason, str) or not reason.strip():
            raise ValueError(f"The waiver of {id!r} gives no reason. Write why this is all right for your loss.")


def here(subject: Subject) -> Runner:
    """Runs checks in this process: nothing ends a check that hangs."""

    def run(checks: Sequence[Check], started: Callable[[str], None]) -> Iterator[Outcome]:
        for each in checks:
            started(each.id)
            yield each(subject)

    return run


def run(
    subject: Subject,
    select: Sequence[str] = (),
    waive: Mapping[str, str] | None = None,
    progress: Callable[[str, int, int], None] | None = None,
    runner: Runner | None = None,
) -> Report:
    """Ask the checks of a subject and report what they found."""
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
    return conclude(subject.name, subject.spec, outcomes, waive, time.monotonic() - began)


def conclude(
    name: str,
    spec: Spec | None,
    outcomes: Sequence[Outcome],
    waive: Mapping[str, str],
    seconds: float = 0.0,
    notes: Sequence[str] = (),
) -> Report:
    """The report of what checks ended in."""
    found = [finding for outcome in outcomes for finding in outcome.findings]
    asked = {outcome.check for outcome in outcomes} | {finding.check for finding in found}
    waived = tuple(
        Waived(id, why, tuple(f for f in found if f.check == id)) for id, why in waive.items() if id in asked
    )
    left = [finding for finding in _once(found) if finding.check not in waive]
    shown = [
        replace(o, status="waived", reason=waive[o.check]) if o.check in waive and o.status == "found" else o
        for o in outcomes
    ]
    order = [*ENDINGS, *dict.fromkeys(outcome.check for outcome in outcomes)]
    return Report(name, spec, under_causes(left, order), tuple(shown), waived, tuple(notes), seconds, versions())


def _once(findings: Sequence[Finding]) -> list[Finding]:
    """A loss that hangs does so in many checks: the first tells."""
    kept: list[Finding] = []
    for finding in findings:
        if finding.check not in ENDINGS or all(finding.check != each.check for each in kept):
            kept.append(finding)
    return kept


def versions() -> dict[str, str]:
    """What the numbers depend on."""
    import platform

    import torch

    import losskit

    return {"losskit": losskit.__version__, "torch": torch.__version__, "python": platform.python_version()}
