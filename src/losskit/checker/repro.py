"""Repros: a few self-contained lines of code that show a finding again."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

_DIGITS = {torch.float16: 5, torch.bfloat16: 4}


def literal(tensor: Tensor) -> str:
    """Code that makes a tensor of these values."""
    tensor = tensor.detach().cpu()
    dtype = "" if tensor.dtype in (torch.float32, torch.int64, torch.bool) else f", dtype={tensor.dtype}"
    size = tuple(tensor.shape)
    if tensor.numel() == 0:
        return f"torch.zeros({size}{dtype or _whole(tensor)})"
    first = tensor.reshape(-1)[0]
    same = bool((tensor == first).all()) or bool(tensor.isnan().all())
    if tensor.numel() > 1 and same:
        return f"torch.full({size}, {_number(first.item(), tensor.dtype)}{dtype})"
    return f"torch.tensor({_nested(tensor.tolist(), tensor.dtype)}{dtype})"


def _whole(tensor: Tensor) -> str:
    return ", dtype=torch.int64" if tensor.dtype == torch.int64 else ""


def _nested(values: object, dtype: torch.dtype) -> str:
    if isinstance(values, list):
        return f"[{', '.join(_nested(each, dtype) for each in values)}]"
    return _number(values, dtype)


def _number(value: object, dtype: torch.dtype) -> str:
    """The shortest text that reads as this number in this precision."""
    if not isinstance(value, float):
        return repr(value)
    if math.isnan(value) or math.isinf(value):
        return f'float("{value}")'
    if dtype in _DIGITS:
        return repr(float(f"{value:.{_DIGITS[dtype]}g}"))
    return str(np.float32(value)) if dtype == torch.float32 else repr(value)


def script(imports: str, construction: str, tensors: dict[str, str], lines: tuple[str, ...]) -> str:
    """The whole repro: imports, the loss, the tensors, and the lines to run."""
    made = [f"{name} = {code}" for name, code in tensors.items()]
    return "\n".join(line for line in (imports, construction, *made, *lines) if line)
