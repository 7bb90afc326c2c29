"""What a step holds and takes, in bytes beyond its inputs, seen from outside PyTorch too: C code allocates as well."""

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
    saved: int  # tensors that autograd saved for the backward pass, inputs left out
    held: int | None  # what the process holds after the forward pass
    peak: int | None  # the most it held during the step, the gradient with it


def measure(call: Call, x: Tensor, t: Tensor) -> Bytes:
    """The memory of one forward and backward, after a first one that loaded what is loaded once."""
    saved = saved_bytes(call, x, t)
    if sys.platform != "linux":
        return Bytes(saved, None, None)
    return Bytes(saved, *_resident(call, x, t))


def saved_bytes(call: Call, x: Tensor, t: Tensor) -> int:
    """Each storage once, however many views of it are saved."""
    given = {tensor.untyped_storage().data_ptr() for tensor in (x, t)}
    found: dict[int, Tensor] = {}

    def pack(tensor: Tensor) -> Tensor:
        if tensor.untyped_storage().data_ptr() not in given:
            found[tensor.untyped_storage().data_ptr()] = tensor.detach()  # alive, so that no other takes its place
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        value = call(x, t)
    del value
    return sum(tensor.untyped_storage().nbytes() for tensor in found.values())


def _resident(call: Call, x: Tensor, t: Tensor) -> tuple[int, int]:
    """By the pages of the process, after everything free has been handed back."""
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
    """The pages that are in use, with the mark of the most of them set back to that."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    _PEAK.write_text("5")
    return _status("VmRSS")


def _status(name: str) -> int:
    line = next(line for line in _STATUS.read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) * 1024
