"""Kernels that failed in another process of the same training.

A process whose kernels fail publishes their form in the key-value store of torch.distributed. The others read it when
they compare a form for the first time, and at every 256th call of a loss on a device; from then on plain PyTorch
replaces these kernels in every process. Nothing waits for another process, so a form that only some of them use cannot
hang the training.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

EVERY = 256  # calls of losses; reading the store takes about 0.1 ms
FAILED_ELSEWHERE = "its kernels failed in another process of this training"
_COUNT = "losskit/failed"

failed: set[str] = set()  # the names of forms that failed in other processes
_calls = 0
_seen = 0  # entries of the store that have been read


def name_of(form: Sequence[Any]) -> str:
    """The name of a form in every process: without its device, which is first."""
    return hashlib.sha256(repr(tuple(form[1:])).encode()).hexdigest()[:32]


def _store() -> Any:
    """The store of the default process group; None without one."""
    distributed: Any = sys.modules.get("torch.distributed")
    if distributed is None or not distributed.is_available() or not distributed.is_initialized():
        return None
    if distributed.get_world_size() == 1:
        return None
    return distributed.distributed_c10d._get_default_store()


def publish(form: Sequence[Any]) -> None:
    """Tell the other processes that the kernels of a form failed here."""
    store = _store()
    if store is not None:
        with suppress(RuntimeError):  # a store that is closed, or supports nothing
            store.set(f"{_COUNT}/{store.add(_COUNT, 1)}", name_of(form))


def read(*, now: bool = False) -> None:
    """Read what other processes published since the last time: now, or at every 256th call."""
    global _seen, _calls
    _calls += 1
    if _calls % EVERY and not now:
        return
    store = _store()
    if store is None:
        return
    with suppress(RuntimeError):
        count = store.add(_COUNT, 0)
        while _seen < count and store.check([f"{_COUNT}/{_seen + 1}"]):
            failed.add(store.get(f"{_COUNT}/{_seen + 1}").decode())
            _seen += 1


def forget() -> None:
    """Clear what was read."""
    global _seen, _calls
    _seen = _calls = 0
    failed.clear()
