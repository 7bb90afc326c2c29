"""Training runs, each in a fresh process with one thread: a seed repeats bit for bit, however many run at a time."""

import contextlib
import functools
import hashlib
import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from losskit.experiment.results import Record
from losskit.experiment.training import Run

THREAD_COUNTS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


def run_in_process(run: Run, on_epoch: Callable[[], None]) -> Record:
    """The record of one run; what ends its process, whatever it is, becomes the reason of the failure."""
    started = time.monotonic()
    path = os.pathsep.join(entry or os.curdir for entry in sys.path)
    environment = {
        **os.environ,
        **dict.fromkeys(THREAD_COUNTS, "1"),
        "PYTHONPATH": path,
        "PYTHONSAFEPATH": "1",
        "PYTHONHASHSEED": "0",
    }
    record: Record | None = None
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as complaints:
        process = subprocess.Popen(
            [sys.executable, "-m", "losskit.experiment.training"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=complaints,
            env=environment,
            text=True,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        with process:
            try:
                with contextlib.suppress(BrokenPipeError):  # it ended at once; why is on stderr
                    process.stdin.write(json.dumps(asdict(run)) + "\n")
                    process.stdin.flush()  # stays open: its end tells the process that we are gone
                for line in process.stdout:
                    reply = json.loads(line)
                    record = reply.get("record")
                    if "epoch" in reply:
                        on_epoch()
                process.wait()
            except BaseException:
                process.kill()
                raise
        complaints.seek(0)
        said = complaints.read().strip()
    about = {"loss": run.loss, "seed": run.seed}
    seconds = {"seconds": round(time.monotonic() - started, 2)}
    if record is not None:
        return {**about, **record, **seconds}
    return {**about, "failure": reason(said, process.returncode, run.patience), "trace": said[-4000:], **seconds}


def reason(said: str, code: int, patience: float) -> str:
    """One line out of what a process wrote on stderr before it ended."""
    lines = said.splitlines()
    hung = next((n for n, line in enumerate(lines) if line.startswith("Timeout (")), None)
    if hung is not None:
        main_thread = "\n".join(lines[hung:]).rpartition("\nThread ")[2]  # faulthandler tells of the oldest thread last
        place = re.search(r'File "(.+)", line (\d+) in (\w+)', main_thread)
        where = f", in {place[3]} ({Path(place[1]).name}, line {place[2]})" if place else ""
        return f"no step finished within {patience:g} seconds{where}"
    errors = [line for line in lines if re.match(r"[\w.]+(Error|Exception|Interrupt|Exit)\b", line)]
    if code > 0 and errors:
        return errors[-1]
    return f"its process was ended by signal {-code}" if code < 0 else f"its process ended with exit code {code}"


@functools.cache
def code_digest() -> str:
    """Changes when losskit itself does."""
    package = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def source_digest(loss: str) -> str:
    """Changes when a file or module that the loss refers to, as in my_losses.py:my_dice, does."""
    digest = hashlib.sha256()
    for place in re.findall(r"""([^\s"'(),*+=]+?)["']?:[A-Za-z_]""", loss):
        path = Path(place).expanduser() if place.endswith(".py") else module_file(place)
        if path is not None and path.is_file():
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def module_file(name: str) -> Path | None:
    found = importlib.util.find_spec(name)
    return Path(found.origin) if found is not None and found.has_location and found.origin else None


def settings_of(loss: str, data_digest: str | None, **shared: Any) -> dict[str, Any]:
    """Everything that decides the numbers of a run, besides its loss and seed."""
    return {
        **shared,
        "the data": data_digest,
        "the loss's source": source_digest(loss),
        "losskit": code_digest(),
        "torch": torch.__version__,
    }
