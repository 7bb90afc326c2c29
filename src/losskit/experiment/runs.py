"""Training runs, each in a fresh process with one thread: a run repeats bit for bit, however many go on at a time."""

import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import asdict
from pathlib import Path

from losskit.experiment.results import Record
from losskit.experiment.training import Run

THREAD_COUNTS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
ENDING = 15.0  # seconds over its limit after which a process that does not end itself is ended


def run_in_process(run: Run) -> Record:
    """The record of one run; what ends its process, whatever it is, becomes the reason of the failure."""
    started = time.monotonic()
    about = {name: getattr(run, name) for name in ("loss", "block", "rate", "pilot", "picture", "epochs")}
    reply = ""
    late = False
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as complaints:
        process = subprocess.Popen(
            [sys.executable, "-m", "losskit.experiment.training"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=complaints,
            env=environment(),
            text=True,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        with process:
            try:
                with contextlib.suppress(BrokenPipeError):  # it ended at once; why is on stderr
                    process.stdin.write(json.dumps(asdict(run)) + "\n")
                    process.stdin.flush()  # stays open: its end tells the process that we are gone
                reply, late = wait(process, run.limit + ENDING)
            except BaseException:
                process.kill()
                raise
        complaints.seek(0)
        said = complaints.read().strip()
    seconds = {"seconds": round(time.monotonic() - started, 2)}
    if reply.strip() and not late:
        return {**about, **json.loads(reply)["record"], **seconds}
    kind, why = reason(said, process.returncode, run.patience, run.limit if late else None)
    return {**about, "kind": kind, "failure": why, "trace": said[-4000:], **seconds}


def wait(process: "subprocess.Popen[str]", seconds: float) -> tuple[str, bool]:
    """What the process wrote, and whether it had to be ended."""
    assert process.stdout is not None
    late = threading.Event()

    def end() -> None:
        late.set()
        process.kill()

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        reply = process.stdout.read()
        process.wait()
    finally:
        timer.cancel()
    return reply, late.is_set()


def environment() -> dict[str, str]:
    return {
        **os.environ,
        **dict.fromkeys(THREAD_COUNTS, "1"),
        "PYTHONPATH": os.pathsep.join(entry or os.curdir for entry in sys.path),
        "PYTHONSAFEPATH": "1",
        "PYTHONHASHSEED": "0",
    }


def reason(said: str, code: int, patience: float, limit: float | None = None) -> tuple[str, str]:
    """How a process failed, and one line out of what it wrote on stderr before it ended."""
    lines = said.splitlines()
    if limit is not None:
        return "hung", f"the run was not done after its limit of {limit:g} seconds, and was ended"
    hung = next((n for n, line in enumerate(lines) if line.startswith("Timeout (")), None)
    if hung is not None:
        main_thread = "\n".join(lines[hung:]).rpartition("\nThread ")[2]  # faulthandler tells of the oldest thread last
        place = re.search(r'File "(.+)", line (\d+) in (\w+)', main_thread)
        where = f", in {place[3]} ({Path(place[1]).name}, line {place[2]})" if place else ""
        return "hung", f"no step finished within {patience:g} seconds{where}"
    errors = [line for line in lines if re.match(r"[\w.]+(Error|Exception|Interrupt|Exit)\b", line)]
    if code > 0 and errors:
        kinds = {"FloatingPointError": "diverged", "TimeoutError": "hung"}
        return kinds.get(errors[-1].partition(":")[0], "crashed"), errors[-1]
    ended = f"by signal {-code}" if code < 0 else f"with exit code {code}"
    return "crashed", f"its process {'was ended' if code < 0 else 'ended'} {ended}"
