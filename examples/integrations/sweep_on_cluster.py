"""What with_dask.py and with_ray.py share: a comparison on a cluster, one of whose workers is killed as it trains."""

import contextlib
import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil

import losskit

TASK, LOSSES, BLOCKS, EPOCHS = "digits-longtail", "ce, focal", 2, 1


def from_python(out, **where):
    losskit.compare(LOSSES, task=TASK, blocks=BLOCKS, epochs=EPOCHS, rates=[0.01], out=out, **where)


def from_command_line(out, backend, address):
    options = ["--task", TASK, "--losses", LOSSES, "--blocks", str(BLOCKS), "--epochs", str(EPOCHS), "--rates", "0.01"]
    where = ["--backend", backend, "--address", address, "--out", str(out)]
    subprocess.run([sys.executable, "-m", "losskit", "compare", *options, *where], check=True)


def numbers(out):
    """Every score of every run on disk."""
    records = [json.loads(path.read_text()) for path in Path(out, "runs").glob("*.json")]
    return {(r["loss"], r["block"], r["role"], r["rate"]): r["scores"] for r in records}


@contextlib.contextmanager
def one_worker_killed():
    """Kills the first worker that trains. The training itself is a process of its own, below the worker's."""
    over, killed = threading.Event(), []

    def watch():
        while not over.is_set() and not killed:
            for process in psutil.process_iter(["cmdline", "ppid"]):
                if "losskit.experiment.process" in (process.info["cmdline"] or []):
                    worker = psutil.Process(process.info["ppid"])
                    worker.kill()
                    killed.append(worker.pid)
                    return
            time.sleep(0.05)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()
    assert killed, "no worker was training"
    print("killed a worker that was training")


def run(folder, backend, address):
    """The same numbers as on one machine, one after another."""
    from_python(folder / "one", jobs=1)
    wanted = numbers(folder / "one")
    assert len(wanted) == BLOCKS * len(LOSSES.split(","))
    with one_worker_killed():
        from_python(folder / "python", backend=backend, address=address)
    from_command_line(folder / "command", backend, address)
    for how in "python", "command":
        assert numbers(folder / how) == wanted
        print(f"{backend}, from {how}: {len(wanted)} runs with the numbers of jobs=1")
