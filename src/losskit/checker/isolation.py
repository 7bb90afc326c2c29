"""Isolation: checks run in another process, so that a loss that hangs, dies or eats memory ends its check alone."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any

from losskit.checker import worker
from losskit.checker.finding import ENDINGS, Finding, Outcome, Severity
from losskit.checker.origin import Origin
from losskit.checker.registry import Check
from losskit.checker.spec import Spec, Unsure

LOADING = 300.0  # seconds for imports, which are no fault of the loss
ENOUGH = 3  # endings after which the rest is left
DEFAULT_SECONDS = 20.0
DEFAULT_MEMORY = 4 * 2**30
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


@dataclass
class Child:
    """A process that serves checks, and what it says."""

    pid: int
    replies: IO[str]
    stderr: IO[str]
    lifeline: IO[Any] | int  # closing it ends the child
    popen: subprocess.Popen[str] | None = None
    code: int | None = None
    said: queue.Queue[dict[str, Any] | None] = field(default_factory=queue.Queue)

    def __post_init__(self) -> None:
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        with contextlib.suppress(ValueError, OSError):
            for line in self.replies:
                self.said.put(json.loads(line))
        self.said.put(None)

    def next(self, seconds: float) -> dict[str, Any] | None:
        """What it says next; None when it has ended, TimeoutError when it says nothing in time."""
        try:
            return self.said.get(timeout=max(seconds, 0.01))
        except queue.Empty:
            raise TimeoutError from None

    def where(self) -> str:
        """Where it is now, asked of a child that answers nothing else."""
        if hasattr(signal, "SIGUSR1"):
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGUSR1)
                time.sleep(0.3)
        return self.place()

    def place(self) -> str:
        """The line of the loss in the last trace that the child wrote."""
        self.stderr.seek(0)
        lines = [re.search(r'File "(.+)", line (\d+) in (\S+)', line) for line in self.stderr.read().splitlines()]
        frames = [each for each in lines if each is not None]
        package = str(Path(__file__).parents[1])
        own = [f for f in frames if not f[1].startswith(package) and "site-packages" not in f[1] and "<" not in f[1]]
        own = [f for f in own if "threading.py" not in f[1]]
        return f"in {own[0][3]} ({Path(own[0][1]).name}, line {own[0][2]})" if own else ""

    def kill(self) -> int:
        """End it; its exit code, negative for a signal."""
        if self.code is not None:
            return self.code
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, getattr(signal, "SIGKILL", signal.SIGTERM))
        return self.wait()

    def wait(self) -> int:
        """Its exit code, once it has ended."""
        if self.code is None:
            self.code = self.popen.wait() if self.popen is not None else _reaped(self.pid)
            for held in (self.lifeline, self.stderr):
                with contextlib.suppress(OSError):
                    os.close(held) if isinstance(held, int) else held.close()
        return self.code


def _reaped(pid: int) -> int:
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status)


Start = Callable[[Sequence[str]], Child]


@dataclass
class Isolated:
    """Runs checks in child processes, a fresh one after each that ended badly."""

    start: Start
    seconds: float = DEFAULT_SECONDS
    spec: Spec | None = None
    name: str = ""
    on_spec: Callable[[str, Spec], None] | None = None

    def __call__(self, checks: Sequence[Check], started: Callable[[str], None]) -> Iterator[Outcome]:
        left, endings = list(checks), 0
        while left:
            child = self.start([each.id for each in left])
            try:
                for outcome in self._serve(child, left, started):
                    left = left[1:]
                    yield outcome
                    endings += outcome.status in ("hangs", "crashes", "memory")
            finally:
                child.kill()
            if endings >= ENOUGH and left:
                reason = f"{ENOUGH} checks ended the process before"
                yield from (Outcome(each.id, "not run", reason) for each in left)
                return

    def _serve(self, child: Child, left: Sequence[Check], started: Callable[[str], None]) -> Iterator[Outcome]:
        """The outcomes until the child is done or has ended with one."""
        current: Check | None = None
        call: dict[str, Any] = {}
        loaded = self.spec is not None
        began = time.monotonic()
        deadline = began + LOADING
        by_id = {each.id: each for each in left}
        while True:
            try:
                said = child.next(deadline - time.monotonic())
            except TimeoutError:
                yield self._ended(child, current, call, loaded, time.monotonic() - began)
                return
            if said is None:
                yield self._died(child, current, call)
                return
            if "done" in said:
                return
            if "loaded" in said:
                self.name, loaded = said["loaded"], True
                deadline = time.monotonic() + self.seconds
            elif "spec" in said:
                self._concluded(Spec.from_dict(said["spec"]))
                deadline = time.monotonic() + LOADING
            elif "check" in said:
                current, call, began = by_id[said["check"]], {}, time.monotonic()
                deadline = began + self.seconds
                started(current.id)
            elif "call" in said:
                call = said
            elif "outcome" in said:
                outcome = worker.outcome_from_dict(said["outcome"])
                deadline = time.monotonic() + LOADING
                if outcome.status == "memory":
                    yield self._told(outcome, call)
                    return
                yield outcome
            else:
                self._refused(said, call)

    def _concluded(self, spec: Spec) -> None:
        if self.spec is None and self.on_spec is not None:
            self.on_spec(self.name, spec)
        self.spec = spec

    def _refused(self, said: Mapping[str, Any], call: Mapping[str, Any]) -> None:
        """The child could not begin: it says why."""
        if "unsure" in said:
            raise Unsure(said["unsure"])
        if "memory" in said:
            raise Ended(_at_first("eats-memory", "asks for more memory than there is", call, said["memory"]))
        raise ValueError(said["wrong"])

    def _told(self, outcome: Outcome, call: Mapping[str, Any]) -> Outcome:
        """An outcome with the call that it came of."""
        code = call.get("code", "")
        return replace(outcome, findings=tuple(replace(f, repro=f.repro or code) for f in outcome.findings))

    def _ended(
        self, child: Child, current: Check | None, call: Mapping[str, Any], loaded: bool, seconds: float
    ) -> Outcome:
        where = child.where()
        if current is None:
            if not loaded:
                raise ValueError(f"the loss did not load within {LOADING:g} seconds {where}".rstrip())
            raise Ended(_at_first("hangs", f"did not return within {self.seconds:g} seconds", call, where))
        finding = current.hung(self.seconds, _evidence(call, where), call.get("code", ""))
        return Outcome(current.id, "hangs", where, (finding,), seconds)

    def _died(self, child: Child, current: Check | None, call: Mapping[str, Any]) -> Outcome:
        place, code = child.place(), child.wait()
        how = f"signal {_signal(-code)}" if code < 0 else f"exit code {code}"
        if current is None:
            raise Ended(_at_first("crashes", f"ended the whole process ({how})", call, place))
        finding = current.died(how, _evidence(call, place), call.get("code", ""))
        return Outcome(current.id, "crashes", how, (finding,))


class Ended(RuntimeError):  # noqa: N818 - it says what is the case
    """The loss ended its process at the first trial calls; the finding says how."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.what)
        self.finding = finding


def _at_first(id: str, what: str, call: Mapping[str, Any], where: str) -> Finding:
    what = f"{what} at the first trial calls, whose tensors are small"
    return Finding(id, Severity.WRONG, what, _evidence(call, where), call.get("code", ""), *ENDINGS[id])


def _evidence(call: Mapping[str, Any], where: str) -> str:
    called = f"called with {call['call']}" if call.get("call") else ""
    return "; ".join(part for part in (called, where) if part)


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)


def spawned(request: Callable[[], Mapping[str, Any]]) -> Start:
    """Children that load the loss themselves, in a fresh interpreter."""

    def start(ids: Sequence[str]) -> Child:
        path = os.pathsep.join(entry or os.curdir for entry in sys.path)
        fixed = {**dict.fromkeys(_THREADS, "1"), "PYTHONPATH": path, "PYTHONSAFEPATH": "1", "PYTHONHASHSEED": "0"}
        complaints = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115 - as long as the child
        process = subprocess.Popen(
            [sys.executable, "-m", "losskit.checker.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=complaints,
            env={**os.environ, **fixed},
            text=True,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        with contextlib.suppress(BrokenPipeError):  # it ended at once, and that is told
            process.stdin.write(json.dumps({**request(), "checks": list(ids)}) + "\n")
            process.stdin.flush()  # stays open: its end tells the child that we are gone
        return Child(process.pid, process.stdout, complaints, process.stdin, process)

    return start


def can_fork() -> bool:
    """Whether a copy of this process can go on computing: on Linux, unless a GPU is in use."""
    import torch

    return sys.platform == "linux" and not torch.cuda.is_initialized()  # type: ignore[no-untyped-call]


def forked(origin: Origin, request: Callable[[], Mapping[str, Any]]) -> Start:
    """Children that are copies of this process, for losses that exist here alone."""

    def start(ids: Sequence[str]) -> Child:
        replies, reply = os.pipe()
        lifeline, ours = os.pipe()
        complaints = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115 - as long as the child
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # the child computes in one thread
            pid = os.fork()
        if pid == 0:
            os.close(replies)
            os.close(ours)
            _serve_forked(origin, {**request(), "checks": list(ids)}, reply, lifeline, complaints.fileno())
        os.close(reply)
        os.close(lifeline)
        return Child(pid, os.fdopen(replies), complaints, ours)

    return start


def _serve_forked(origin: Origin, request: Mapping[str, Any], reply: int, lifeline: int, stderr: int) -> None:
    """The whole life of a forked child."""
    code = 1
    try:
        os.dup2(stderr, 1)
        os.dup2(stderr, 2)
        sys.stdout = sys.stderr = os.fdopen(2, "w", errors="replace")  # whatever stood there belongs to the parent
        worker.settle(2)
        worker.exit_with_parent(lifeline)
        with os.fdopen(reply, "w") as stream:
            worker.begin(stream, request, lambda: origin)
        code = 0
    finally:
        os._exit(code)  # without what the parent would do at its end
