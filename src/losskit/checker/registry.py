"""The registry: what a check is, and all registered checks."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from losskit.checker.finding import ENDINGS, Finding, Found, Outcome, Severity
from losskit.checker.origin import CannotRebuild
from losskit.checker.smallest import smallest
from losskit.checker.spec import Spec
from losskit.checker.subject import LossRaised, Subject

Function = Callable[[Subject], Iterable[Found]]
Applies = Callable[[Spec], "bool | str"]  # a text says why it does not apply


_TRANSFORMS = ("forward-mode", "compile", "export", "func-grad", "vmap")  # a crash in these is one of PyTorch


@dataclass(frozen=True)
class Check:
    """One question about a loss."""

    id: str
    severity: Severity
    function: Function
    why: str  # why it matters in training
    fix: str
    consequence_of: tuple[str, ...] = ()
    applies: Applies = lambda _: True
    asks: str = ""  # the question, from the check's docstring
    anyhow: bool = False  # it applies whatever the loss takes
    assumes: bool = False  # its tensors are assumed to be valid: that they take long, or much memory, is no fault

    def __call__(self, subject: Subject) -> Outcome:
        """Run the check on a subject."""
        applies = self.applies(subject.spec)
        if applies is not True:
            return Outcome(self.id, "not applicable", applies or f"nothing to check: {self.asks}")
        started = time.monotonic()
        try:
            seen = self.function(subject) if self.assumes else smallest(self.function, subject)
            found = [self.finding(each) for each in seen]
        except LossRaised as error:
            outcome = Outcome(self.id, "refused", f"the loss raised {error}")
        except CannotRebuild as error:
            outcome = Outcome(self.id, "not applicable", str(error))
        except MemoryError as error:
            outcome = self.exhausted(str(error)) or Outcome(
                self.id, "memory", str(error), (self.ate_memory(str(error)),)
            )
        except Exception as error:  # noqa: BLE001 - a bug in the check ends only that check
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
            beside(found.repro, found.evidence),
            self.why,
            found.fix or self.fix,
            self.consequence_of,
        )

    def exhausted(self, reason: str) -> Outcome | None:
        """The outcome if the time or the memory is no fault of the loss."""
        return Outcome(self.id, "not applicable", f"its calls take too much: {reason}") if self.assumes else None

    def ate_memory(self, evidence: str, repro: str = "") -> Finding:
        return self._ended("eats-memory", "requests more memory than there is", evidence, repro)

    def hung(self, seconds: float, evidence: str, repro: str = "") -> Finding:
        return self._ended("hangs", f"did not return within {seconds:g} seconds", evidence, repro)

    def died(self, how: str, evidence: str, repro: str = "") -> Finding:
        found = self._ended("crashes", f"ended the whole process ({how})", evidence, repro)
        return replace(found, severity=Severity.CONVENIENCE) if self.id in _TRANSFORMS else found

    def _ended(self, id: str, what: str, evidence: str, repro: str) -> Finding:
        return Finding(id, Severity.WRONG, f"{what}, in the check {self.id}", evidence, repro, *ENDINGS[id])


def beside(repro: str, evidence: str | Mapping[str, Any]) -> str:
    """A repro that also prints the number with which the result should be compared."""
    if not isinstance(evidence, Mapping) or len(evidence) < 2:
        return repro
    (_, given), (name, right) = list(evidence.items())[:2]
    lines = repro.splitlines()
    numbers = all(isinstance(each, (int, float)) for each in (given, right))
    if not numbers or not lines or not lines[-1].startswith("print(") or not lines[-1].endswith(")"):
        return repro
    return "\n".join([*lines[:-1], f"{lines[-1][:-1]}, {f'{name}: {right:.6g}'!r})"])


REGISTRY: dict[str, Check] = {}
OF_BATCH: dict[str, Check] = {}  # those for a loss with a user's batch


def check(
    id: str,
    severity: Severity,
    *,
    why: str,
    fix: str,
    consequence_of: Sequence[str] = (),
    applies: Applies = lambda _: True,
    of_batch: bool = False,
    anyhow: bool = False,
    assumes: bool = False,
) -> Callable[[Function], Function]:
    """Register a function as a check; it takes a subject and yields what it finds."""
    registry = OF_BATCH if of_batch else REGISTRY

    def enter(function: Function) -> Function:
        if id in registry and registry[id].function.__module__ != function.__module__:
            raise ValueError(f"There are two checks called {id}.")
        asks = " ".join((function.__doc__ or "").split())
        registry[id] = Check(id, severity, function, why, fix, tuple(consequence_of), applies, asks, anyhow, assumes)
        return function

    return enter
