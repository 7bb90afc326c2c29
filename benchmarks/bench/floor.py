"""The memory floor: the time to read logits and labels and write a gradient of the size of the logits, once each."""

from __future__ import annotations

import torch
from torch import Tensor

from bench.contenders import Contender

FLOOR, TWICE = "floor", "floor, inputs read twice"


def floors() -> list[Contender]:
    """The floor with inputs read once, and twice, for losses whose gradient depends on all elements."""
    return [Contender(FLOOR, "read, write", _once), Contender(TWICE, "read, read, write", _twice)]


def read(x: Tensor, t: Tensor) -> Tensor:
    """The floor of the value without gradient."""
    return _largest(x) + _largest(t)


def _once(x: Tensor, t: Tensor) -> Tensor:
    _largest(t)
    return x.detach().clone()


def _twice(x: Tensor, t: Tensor) -> Tensor:
    read(x, t)
    return _once(x, t)


def _largest(tensor: Tensor) -> Tensor:
    """The fastest way to read every byte: as 32-bit integers."""
    return tensor.detach().view(torch.int32).amax()
