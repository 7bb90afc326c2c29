"""Each cell in a process of its own, so that none finds another's heap, threads or compiled code, and a crash is one
cell's.
"""

from __future__ import annotations

import gc
import importlib
import logging
import multiprocessing
import os
import warnings
from multiprocessing.connection import Connection
from multiprocessing.context import BaseContext

from bench.contenders import PEERS
from bench.measure import FAILED, Outcome, Settings, measure
from bench.workloads import Cell
from peers import peer

_ALONE = 300.0  # seconds a cell may take besides compiling
_MOST_COMPILED = 6


def prepare(*, compiling: bool) -> None:
    """Import once what every process needs."""
    for name in PEERS:
        peer(name)
    if compiling:
        os.environ["TORCHINDUCTOR_COMPILE_THREADS"] = "1"  # so that what is stopped takes its compiler with it
        importlib.import_module("torch._inductor.compile_fx")
    gc.freeze()  # else the first collection of each process walks and copies all that was imported


def measured(cell: Cell, settings: Settings) -> list[Outcome]:
    """The outcomes of a cell, or one that says why there are none."""
    context: BaseContext = multiprocessing.get_context("fork" if hasattr(os, "fork") else "spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_send, args=(sender, cell, settings))  # type: ignore[attr-defined]
    process.start()
    sender.close()
    limit = _ALONE + _MOST_COMPILED * settings.compile_limit * cell.compiled
    try:
        if receiver.poll(limit):
            outcomes: list[Outcome] = receiver.recv()
            return outcomes
        why = f"the cell took longer than {limit:g} s"
    except EOFError:
        process.join()
        why = f"the process ended with code {process.exitcode}"
    finally:
        receiver.close()
        process.join(1)
        process.kill()
        process.join()
    return [Outcome("all", str(cell), False, FAILED, why)]


def _send(sender: Connection, cell: Cell, settings: Settings) -> None:
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    sender.send(measure(cell, settings))
    sender.close()
