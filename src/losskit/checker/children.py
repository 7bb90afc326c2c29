"""Child processes: started with one thread, read from, asked for a trace, and ended.

A child sends pickled dicts; its prints go to its stderr. It ends when its parent does.
"""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import os
import pickle
import queue
import re
import signal
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, BinaryIO

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG
_FRAME = re.compile(r'File "(.+)", line (\d+) in (\S+)')
_OWN = str(Path(__file__).parents[1])  # this package
_STANDARD = sysconfig.get_paths()["stdlib"]


@dataclass
class Child:
    """A process that sends dicts to its parent."""

    pid: int
    replies: BinaryIO
    stderr: IO[str]
    lifeline: IO[Any] | int  # closing it ends the child
    popen: subprocess.Popen[bytes] | None = None
    code: int | None = None
    sent: queue.Queue[dict[str, Any] | None] = field(default_factory=queue.Queue)

    def __post_init__(self) -> None:
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        with contextlib.suppress(ValueError, OSError, EOFError, pickle.UnpicklingError), self.replies:
            while True:
                self.sent.put(pickle.load(self.replies))  # noqa: S301 - of our own process
        self.sent.put(None)

    def next(self, seconds: float) -> dict[str, Any] | None:
        """The next dict; None when the child has ended; raises TimeoutError if it sends nothing in time."""
        try:
            return self.sent.get(timeout=max(seconds, 0.01))
        except queue.Empty:
            raise TimeoutError from None

    def busy(self) -> tuple[float, bool] | None:
        """The CPU seconds it has used, and whether it is waiting; None if that is unknown."""
        try:
            fields = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            return None
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"), fields[0] == "S"

    def where(self) -> str:
        """The line of the user's code that it is running; empty if there is none."""
        if hasattr(signal, "SIGUSR1"):
            self.stderr.seek(0, os.SEEK_END)
            before = self.stderr.tell()
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGUSR1)
                time.sleep(0.3)
            return self.place(before)
        return self.place()

    def place(self, after: int = 0) -> str:
        """The line of the user's code in the last trace that the child wrote."""
        self.stderr.seek(after)
        frames = [found for line in self.stderr.read().splitlines() if (found := _FRAME.search(line)) is not None]
        foreign = [frame for frame in frames if _is_foreign(frame[1]) and not _is_import(frame[1], frame[3])]
        return f"in {foreign[0][3]} ({Path(foreign[0][1]).name}, line {foreign[0][2]})" if foreign else ""

    def kill(self) -> int:
        """End the child; returns its exit code, negative for a signal."""
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


def _is_foreign(file: str) -> bool:
    """Whether a file belongs to neither this package, PyTorch nor Python."""
    if file.startswith(_OWN) or "<" in file or f"{os.sep}torch{os.sep}" in file:
        return False
    return "site-packages" in file or not file.startswith(_STANDARD)


def _is_import(file: str, function: str) -> bool:
    """Whether a frame is the import of an installed module, which is slow where memory is short."""
    return function == "<module>" and "site-packages" in file


def _reaped(pid: int) -> int:
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status)


def _complaints() -> IO[str]:
    return tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")


def spawned(module: str, request: Any) -> Child:
    """A fresh interpreter that runs a module; the module reads its request with `received`."""
    path = os.pathsep.join(entry or os.curdir for entry in sys.path)
    fixed = {**dict.fromkeys(THREADS, "1"), "PYTHONPATH": path, "PYTHONSAFEPATH": "1", "PYTHONHASHSEED": "0"}
    complaints = _complaints()
    process = subprocess.Popen(  # noqa: S603 - a module of ours
        [sys.executable, "-m", module],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=complaints,
        env={**os.environ, **fixed},
    )
    assert process.stdin is not None
    assert process.stdout is not None
    with contextlib.suppress(BrokenPipeError):  # it ended at once, which is reported
        pickle.dump(request, process.stdin)
        process.stdin.flush()  # stays open: closing it tells the child that the parent is gone
    return Child(process.pid, process.stdout, complaints, process.stdin, process)  # type: ignore[arg-type]


def received() -> tuple[Any, BinaryIO]:
    """In a spawned child: the request, and the stream for what it sends."""
    request = pickle.load(sys.stdin.buffer)  # noqa: S301 - of our own parent
    _exit_with_parent(sys.stdin.fileno())
    replies = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # printed output is not a reply
    _settle(sys.stderr.fileno())
    return request, replies


def forked(work: Callable[[BinaryIO], None]) -> Child:
    """A copy of this process that does some work and ends."""
    replies, reply = os.pipe()
    lifeline, ours = os.pipe()
    complaints = _complaints()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the child computes in one thread
        pid = os.fork()
    if pid == 0:
        os.close(replies)
        os.close(ours)
        _work(work, reply, lifeline, complaints.fileno())
    os.close(reply)
    os.close(lifeline)
    return Child(pid, os.fdopen(replies, "rb"), complaints, ours)


def _work(work: Callable[[BinaryIO], None], reply: int, lifeline: int, stderr: int) -> None:
    """The whole life of a forked child."""
    code = 1
    try:
        os.dup2(stderr, 1)
        os.dup2(stderr, 2)
        sys.stdout = sys.stderr = os.fdopen(2, "w", errors="replace")  # the streams of the parent
        _settle(2)
        _exit_with_parent(lifeline)
        with os.fdopen(reply, "wb") as stream:
            work(stream)
        code = 0
    finally:
        os._exit(code)  # without the parent's exit handlers


def send(replies: BinaryIO, **sent: Any) -> None:
    """In a child: send a dict."""
    pickle.dump(sent, replies)
    replies.flush()


def _settle(stderr: int) -> None:
    """Write a trace on a crash or on request, and leave Ctrl-C to the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    faulthandler.enable(stderr, all_threads=False)
    if hasattr(faulthandler, "register"):
        faulthandler.register(signal.SIGUSR1, stderr, all_threads=True)


def _exit_with_parent(lifeline: int) -> None:
    """Exit when the other end closes, however the parent ended; on Linux also where no thread of ours can run."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_DEATH_SIGNAL, signal.SIGKILL)

    def wait() -> None:
        os.read(lifeline, 1)
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
