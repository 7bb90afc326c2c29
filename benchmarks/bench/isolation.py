"""Runs each cell in a separate process, so that cells share no heap, threads or compiled code, and a crash affects one
cell only.
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

_ALONE = 300.0  # time limit per cell in seconds, besides compilation
_MOST_COMPILED = 6


def prepare(*, compiling: bool) -> None:
    """Import shared modules once, before the processes are forked."""
    for name in PEERS:
        peer(name)
    if compiling:
        os.environ["TORCHINDUCTOR_COMPILE_THREADS"] = "1"  # compile in the process itself, so that both stop together
        importlib.import_module("torch._inductor.compile_fx")
    gc.freeze()  # otherwise the first collection of each process copies all imported objects


def measured(cell: Cell, settings: Settings) -> list[Outcome]:
    """The outcomes of a cell, or one outcome with the reason for failure."""
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
