"""The processes of runs: `python -m losskit.experiment.process` reads requests on stdin, writes answers on stdout.

Where the system can fork, one process imports everything once, starts no thread and touches no GPU, and forks a child
for each request: bit for bit the result of a fresh process, without its two seconds of imports. Elsewhere a process
carries out one request itself and ends.
"""

import faulthandler
import json
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

import sklearn.metrics  # noqa: F401 - here once instead of in every child
import torch

from losskit.experiment.tasks.task import Data
from losskit.experiment.training import Parts, Run, carry_out, seed_everything


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which then closes stdin
    reply = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True, warn_only=True)
    for line in sys.stdin:
        request = json.loads(line)
        forks = may_fork()
        found = in_a_child(request) if forks else {"record": carried_out(request), "last": True}
        print(json.dumps(found), file=reply, flush=True)
        if not forks:
            return


def may_fork() -> bool:
    """Whether there is one thread and no GPU in use: anything else would be broken in a forked child."""
    if not sys.platform.startswith("linux") or torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        return False
    try:
        return len(list(Path("/proc/self/task").iterdir())) == 1
    except OSError:
        return False


def in_a_child(request: dict[str, Any]) -> dict[str, Any]:
    """The record of a run, or how the child ended without one."""
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(ours)
        end_with(lambda: answer(theirs, request))
    os.close(theirs)
    with os.fdopen(ours, encoding="utf-8") as back:
        said = back.read()
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    return {"record": json.loads(said)} if code == 0 else {"code": code}


def answer(pipe: int, request: dict[str, Any]) -> None:
    record = carried_out(request)
    with os.fdopen(pipe, "w", encoding="utf-8") as back:
        json.dump(record, back)


def carried_out(request: dict[str, Any]) -> dict[str, Any]:
    started = time.monotonic()
    run = Run(**request["run"])
    redirect_output(request["complaints"])
    threading.Thread(target=exit_with_parent, daemon=True).start()

    def watch() -> None:
        if time.monotonic() - started > run.limit:
            raise TimeoutError(f"the run was not finished after its limit of {run.limit:g} seconds")
        faulthandler.dump_traceback_later(run.patience, exit=True)

    watch()
    seed_everything(run.seed)
    record = carry_out(run, Data.load(Path(run.data)), Parts.of(run), watch)
    faulthandler.cancel_dump_traceback_later()
    return record


def redirect_output(path: str) -> None:
    """Redirect the output of a loss, with its errors, to a file: printed output is not a reply."""
    file: TextIO
    with open(path, "a", encoding="utf-8") as file:  # noqa: PTH123 - for its descriptor
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
            os.dup2(file.fileno(), stream.fileno())


def exit_with_parent() -> None:
    """Exit when the other end of stdin closes, however the parent ended."""
    os.read(sys.stdin.fileno(), 1)
    os._exit(1)


def end_with(work: Callable[[], None]) -> None:
    """Exit at once, without the interpreter's cleanup, which takes a second with PyTorch."""
    code = 0
    try:
        work()
    except BaseException:  # noqa: BLE001 - the reason goes to stderr
        traceback.print_exc()
        code = 1
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    end_with(main)
