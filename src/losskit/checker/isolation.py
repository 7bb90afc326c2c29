"""Isolation: checks run in another process, so that a loss that hangs, dies or exhausts memory ends only its check."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from losskit.checker.children import Child
from losskit.checker.finding import ENDINGS, Finding, Outcome, Severity
from losskit.checker.registry import Check
from losskit.checker.spec import Spec, Unsure

LOADING = 300.0  # seconds, for imports, which are no fault of the loss, and for a check on a busy machine
ENOUGH = 3  # ended processes after which the remaining checks are skipped
DEFAULT_SECONDS = 20.0
DEFAULT_MEMORY = 4 * 2**30

Start = Callable[[Sequence[str]], Child]


@dataclass
class _Step:
    """What a child is doing, and since when."""

    current: Check | None = None
    call: Mapping[str, Any] | None = None
    loaded: bool = False
    began: float = 0.0
    used: float = 0.0  # CPU seconds at the start

    def begin(self, child: Child) -> None:
        self.began = time.monotonic()
        self.used = (child.busy() or (0.0, False))[0]


@dataclass
class Isolated:
    """Runs checks in child processes, a fresh one after each that ended abnormally."""

    start: Start
    seconds: float = DEFAULT_SECONDS
    spec: Spec | None = None
    name: str = ""
    seen: Sequence[Outcome] = ()  # if it cannot be determined what the loss takes

    def __call__(self, checks: Sequence[Check], started: Callable[[str], None]) -> Iterator[Outcome]:
        left, endings = list(checks), 0
        while left:
            child = self.start([each.id for each in left])
            try:
                for outcome in self._outcomes(child, left, started):
                    left = left[1:]
                    yield outcome
                    endings += outcome.status in ("hangs", "crashes", "memory")
            finally:
                child.kill()
            if endings >= ENOUGH and left:
                reason = f"{ENOUGH} checks had already ended the process"
                yield from (Outcome(each.id, "not run", reason) for each in left)
                return

    def _outcomes(self, child: Child, left: Sequence[Check], started: Callable[[str], None]) -> Iterator[Outcome]:
        """The outcomes until the child is done or has ended with one."""
        step = _Step(loaded=self.spec is not None)
        step.begin(child)
        deadline = step.began + LOADING
        by_id = {each.id: each for each in left}
        while True:
            try:
                said = child.next(deadline - time.monotonic())
            except TimeoutError:
                where = self._hangs_at(child, step)
                if where is None:
                    deadline = time.monotonic() + self.seconds
                    continue
                yield self._ended(step, where)
                return
            if said is None:
                yield self._died(child, step)
                return
            if "done" in said:
                return
            outcome = said.get("outcome")
            if outcome is None:
                deadline = self._handle(said, child, step, by_id, started) or deadline
                continue
            deadline = time.monotonic() + LOADING
            if outcome.status == "memory":
                yield _with_call(outcome, step.call or {})
                return
            yield outcome

    def _handle(
        self,
        said: Mapping[str, Any],
        child: Child,
        step: _Step,
        by_id: Mapping[str, Check],
        started: Callable[[str], None],
    ) -> float | None:
        """Handle a message of a child; the new deadline for its next one, if that changes."""
        if "loaded" in said:
            self.name, step.loaded = said["loaded"], True
            step.begin(child)
            return step.began + self.seconds
        if "spec" in said:
            self.spec = said["spec"]
            return time.monotonic() + LOADING
        if "check" in said:
            step.current, step.call = by_id[said["check"]], None
            step.begin(child)
            started(step.current.id)
            return step.began + self.seconds
        if "call" in said:
            step.call = said
            if step.current is None:  # a trial call: each has its own time
                step.begin(child)
                return step.began + self.seconds
        elif "seen" in said:
            self.seen = said["seen"]
        else:
            _raise_refusal(said, step.call or {})
        return None

    def _hangs_at(self, child: Child, step: _Step) -> str | None:
        """Where a child hangs that sent nothing for long; None if it is slow for another reason."""
        where, busy = child.where(), child.busy()
        if busy is None or time.monotonic() - step.began > LOADING or not step.loaded:
            return where
        used, waits = busy
        return where if where and (waits or used - step.used >= 0.9 * self.seconds) else None

    def _ended(self, step: _Step, where: str) -> Outcome:
        seconds = time.monotonic() - step.began
        if step.current is None:
            if not step.loaded:
                raise ValueError(f"the loss did not load within {LOADING:g} seconds {where}".rstrip())
            raise Ended(_at_first("hangs", f"did not return within {self.seconds:g} seconds", step.call or {}, where))
        exhausted = step.current.exhausted(f"more than {self.seconds:g} seconds {where}".rstrip())
        if exhausted is not None:
            return replace(exhausted, seconds=seconds)
        call = step.call or {}
        finding = step.current.hung(self.seconds, _evidence(call, where), call.get("code", ""))
        return Outcome(step.current.id, "hangs", where, (finding,), seconds)

    def _died(self, child: Child, step: _Step) -> Outcome:
        place, code, call = child.place(), child.wait(), step.call or {}
        how = f"signal {_signal(-code)}" if code < 0 else f"exit code {code}"
        if step.current is None:
            if not step.loaded and code >= 0:
                raise ValueError(f"importing the loss ended Python ({how}) {place}".rstrip() + ".")
            raise Ended(_at_first("crashes", f"ended the whole process ({how})", call, place))
        finding = step.current.died(how, _evidence(call, place), call.get("code", ""))
        return Outcome(step.current.id, "crashes", how, (finding,))


def _raise_refusal(said: Mapping[str, Any], call: Mapping[str, Any]) -> None:
    """The child could not start: raise its reason."""
    if "unsure" in said:
        raise Unsure(said["unsure"])
    if "memory" in said:
        raise Ended(_at_first("eats-memory", "requests more memory than there is", call, said["memory"]))
    raise ValueError(said["wrong"])


def _with_call(outcome: Outcome, call: Mapping[str, Any]) -> Outcome:
    """An outcome with the call that led to it."""
    code = call.get("code", "")
    return replace(outcome, findings=tuple(replace(f, repro=f.repro or code) for f in outcome.findings))


class Ended(RuntimeError):  # noqa: N818 - the name states the condition
    """The loss ended its process at the first trial calls; the finding says how."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.what)
        self.finding = finding


def _at_first(id: str, what: str, call: Mapping[str, Any], where: str) -> Finding:
    what = f"{what} at the first trial calls, with small tensors"
    return Finding(id, Severity.WRONG, what, _evidence(call, where), call.get("code", ""), *ENDINGS[id])


def _evidence(call: Mapping[str, Any], where: str) -> str:
    called = f"called with {call['call']}" if call.get("call") else ""
    return "; ".join(part for part in (called, where) if part)


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)


def can_fork() -> bool:
    """Whether a copy of this process can compute: on Linux, unless a GPU is in use."""
    import torch

    return sys.platform == "linux" and not torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
