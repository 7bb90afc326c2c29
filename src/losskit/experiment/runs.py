"""Runs, each in its own single-threaded process: bit-for-bit repeatable, however many run at a time."""

import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from losskit.experiment.results import Record
from losskit.experiment.training import Run

THREAD_COUNTS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
PROGRAM = [sys.executable, "-m", "losskit.experiment.process"]
ENDING = 15.0  # seconds over its limit after which a process is killed
FULL = re.compile(r"OSError: \[Errno (28|30|122)\]")  # no space, read-only, over quota


class Stopped(Exception):  # noqa: N818 - nothing went wrong
    """The comparison is over and this run is not needed."""


class Worker:
    """A process that carries out runs one after another."""

    def __init__(self) -> None:
        self.place = (os.getcwd(), tuple(sys.path))  # noqa: PTH109
        self.complaints = tempfile.TemporaryFile()  # noqa: SIM115 - of its start, before any run
        self.process = subprocess.Popen(  # noqa: S603 - ourselves
            PROGRAM,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.complaints,
            env=environment(),
            text=True,
            encoding="utf-8",
        )

    def end(self) -> None:
        """End the process; the child of a running run ends as well, since its stdin closes."""
        self.process.kill()
        for stream in (self.process.stdin, self.process.stdout, self.complaints):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        self.process.wait()

    def said(self) -> str:
        self.complaints.seek(0)
        return self.complaints.read().decode(errors="replace")


class Pool:
    """Idle processes, and busy ones by the folder they work for."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.idle: list[Worker] = []
        self.busy: dict[Worker, str] = {}
        self.stopped: set[str] = set()
        self.users = 0

    @contextlib.contextmanager
    def worker(self, folder: str) -> Iterator[Worker]:
        place = (os.getcwd(), tuple(sys.path))  # noqa: PTH109
        with self.lock:
            if folder in self.stopped:
                raise Stopped
            found = next((w for w in self.idle if w.place == place and w.process.poll() is None), None)
            if found is not None:
                self.idle.remove(found)
            else:
                found = Worker()
            self.busy[found] = folder
        try:
            yield found
        except BaseException:
            found.end()
            raise
        finally:
            with self.lock:
                self.busy.pop(found, None)
                if found.process.poll() is None:
                    self.idle.append(found)

    def stop(self, folder: str) -> None:
        """End the runs of a comparison that needs no more."""
        with self.lock:
            self.stopped.add(folder)
            busy = [worker for worker, of in self.busy.items() if of == folder]
        for worker in busy:
            worker.process.kill()

    @contextlib.contextmanager
    def used(self, folder: str) -> Iterator[None]:
        """Processes are kept from one comparison to the next inside this, and ended after the last."""
        with self.lock:
            self.users += 1
            self.stopped.discard(folder)
        try:
            yield
        finally:
            self.stop(folder)
            with self.lock:
                self.users -= 1
                ended, self.idle = (self.idle, []) if self.users == 0 else ([], self.idle)
            for worker in ended:
                worker.end()


POOL = Pool()  # one per process; a worker of Dask, Ray or loky has its own


def run_in_process(run: Run) -> Record:
    """The record of one run; anything that ends its process becomes the reason of the failure."""
    started = time.monotonic()
    about = {name: getattr(run, name) for name in ("loss", "block", "rate", "role", "epochs")}
    descriptor, complaints = tempfile.mkstemp(prefix="losskit-", suffix=".txt")
    os.close(descriptor)
    try:
        with POOL.worker(run.folder) as worker:
            answer, late = send_request(worker, {"run": asdict(run), "complaints": complaints}, run.limit + ENDING)
        said = Path(complaints).read_text(encoding="utf-8", errors="replace").strip()
    finally:
        with contextlib.suppress(OSError):
            Path(complaints).unlink()
    seconds = {"seconds": round(time.monotonic() - started, 2)}
    if run.folder in POOL.stopped and "record" not in answer:
        raise Stopped
    if "record" in answer and not late:
        return {**about, **answer["record"], **seconds}
    said += answer.get("said", "")
    kind, why = reason(said, answer.get("code", 1), run.patience, run.limit if late else None)
    return {**about, "kind": kind, "failure": why, "trace": said[-4000:], **seconds}


def send_request(worker: Worker, request: Record, seconds: float) -> tuple[Record, bool]:
    """The answer of the process, or how it ended; and whether it had to be killed."""
    process = worker.process
    assert process.stdin is not None
    assert process.stdout is not None
    late = threading.Event()

    def end() -> None:
        late.set()
        process.kill()

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    reply = ""
    try:
        with contextlib.suppress(BrokenPipeError):  # it ended before; its exit code says why
            process.stdin.write(json.dumps(request) + "\n")
            process.stdin.flush()
        reply = process.stdout.readline()
    finally:
        timer.cancel()
    if not reply.strip():
        code = process.wait()
        said = worker.said()
        worker.end()
        return {"code": code, "said": said}, late.is_set()
    answer: Record = json.loads(reply)
    if answer.get("last"):  # it takes no further request
        worker.end()
    return answer, late.is_set()


def environment() -> dict[str, str]:
    return {
        **os.environ,
        **dict.fromkeys(THREAD_COUNTS, "1"),
        "PYTHONPATH": os.pathsep.join(entry or os.curdir for entry in sys.path),
        "PYTHONSAFEPATH": "1",
        "PYTHONHASHSEED": "0",
    }


def reason(said: str, code: int, patience: float, limit: float | None = None) -> tuple[str, str]:
    """How a process failed, and one line of its stderr that says why."""
    lines = said.splitlines()
    if limit is not None:
        return "hung", f"the run was not finished after its limit of {limit:g} seconds, and was stopped"
    hung = next((n for n, line in enumerate(lines) if line.startswith("Timeout (")), None)
    if hung is not None:
        main_thread = "\n".join(lines[hung:]).rpartition("\nThread ")[2]  # faulthandler lists the oldest thread last
        place = re.search(r'File "(.+)", line (\d+) in (\w+)', main_thread)
        where = f", in {place[3]} ({Path(place[1]).name}, line {place[2]})" if place else ""
        return "hung", f"no step finished within {patience:g} seconds{where}"
    errors = [line for line in lines if re.match(r"[\w.]+(Error|Exception|Interrupt|Exit)\b", line)]
    if code > 0 and errors:
        kinds = {"FloatingPointError": "diverged", "TimeoutError": "hung"}
        kind = "disk" if FULL.match(errors[-1]) else kinds.get(errors[-1].partition(":")[0], "crashed")
        return kind, errors[-1]
    if code == -9:
        return "killed", "its process was killed by the system, usually because memory ran out"
    ended = f"by signal {-code}" if code < 0 else f"with exit code {code}"
    return "crashed", f"its process {'was ended' if code < 0 else 'ended'} {ended}"
