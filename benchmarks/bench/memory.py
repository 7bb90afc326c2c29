"""Memory of a step beyond its inputs, in bytes, also measured for the process, since C code allocates memory too."""

from __future__ import annotations

import ctypes
import gc
import sys
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from bench.contenders import Call

_STATUS, _PEAK = Path("/proc/self/status"), Path("/proc/self/clear_refs")


class Bytes(NamedTuple):
    saved: int  # tensors saved by autograd for the backward pass, without inputs
    held: int | None  # growth of the process after the forward pass
    peak: int | None  # peak growth during the step, including the gradient


def measure(call: Call, x: Tensor, t: Tensor) -> Bytes:
    """The memory of one forward and backward pass, after a warm-up pass."""
    saved = saved_bytes(call, x, t)
    if sys.platform != "linux":
        return Bytes(saved, None, None)
    return Bytes(saved, *_resident(call, x, t))


def saved_bytes(call: Call, x: Tensor, t: Tensor) -> int:
    """Bytes of saved tensors, each storage counted once."""
    given = {tensor.untyped_storage().data_ptr() for tensor in (x, t)}
    found: dict[int, Tensor] = {}

    def pack(tensor: Tensor) -> Tensor:
        if tensor.untyped_storage().data_ptr() not in given:
            found[tensor.untyped_storage().data_ptr()] = tensor.detach()  # alive, so that its address is not reused
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        value = call(x, t)
    del value
    return sum(tensor.untyped_storage().nbytes() for tensor in found.values())


def _resident(call: Call, x: Tensor, t: Tensor) -> tuple[int, int]:
    """Held and peak bytes by resident pages, after free memory was returned to the system."""
    torch.autograd.grad(call(x, t), x)
    before = _trimmed()
    value = call(x, t)
    forward = _status("VmHWM")
    held = _trimmed() - before
    gradient = torch.autograd.grad(value, x)
    peak = max(forward, _status("VmHWM")) - before
    del value, gradient
    return max(held, 0), max(peak, 0)


def _trimmed() -> int:
    """Resident bytes, after trimming the heap and resetting the peak."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    _PEAK.write_text("5")
    return _status("VmRSS")


def _status(name: str) -> int:
    line = next(line for line in _STATUS.read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) * 1024
