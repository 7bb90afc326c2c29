"""The fused operators on a GPU, as Triton kernels; Triton's interpreter runs the same kernels on the CPU, for tests.

Triton is imported when the first input needs it.
"""

from __future__ import annotations

import importlib.metadata
import os
from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor

from losskit.ops.formula import Program

LEAST = (3, 4)  # the oldest supported version


def interpreted() -> bool:
    """Whether Triton runs on the CPU: TRITON_INTERPRET=1, set before Triton is imported."""
    return os.environ.get("TRITON_INTERPRET") == "1"


def unavailable(input: Tensor) -> str:
    """Why Triton cannot run on the device of the input, or an empty string."""
    if input.device.type != "cuda" and not (input.device.type == "cpu" and interpreted()):
        return f"the input is on {input.device.type}"
    return missing()


@lru_cache(maxsize=1)
def missing() -> str:
    """Why Triton cannot be used at all, or an empty string."""
    found = version()
    if found is None:
        return "Triton is not installed"
    if tuple(int(part) for part in found.split("+")[0].split(".")[:2]) < LEAST:
        return f"Triton is {found}, older than {'.'.join(map(str, LEAST))}"
    return ""


def version() -> str | None:
    """The installed version of Triton."""
    try:
        return importlib.metadata.version("triton")
    except importlib.metadata.PackageNotFoundError:
        return None


def run(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None,
    mask: Tensor | None,
    logit_bias: Tensor | None,
    link: str,
    ignore: int | None,
    places: Sequence[int],
    constants: Sequence[float],
    *,
    pooled: bool,
    totals: bool = False,
    coefficients: Tensor | None = None,
    programs: Sequence[Program | None] = (),
) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    """Totals (N or 1, C, K), the gradient by the input, and the first invalid label as (kind, value).

    All three stay on the device, without synchronization.
    """
    from losskit.ops.triton.launch import Work

    given = (input, target, weight, mask, logit_bias, link, ignore, places, constants, pooled, totals, coefficients)
    return Work(*given, programs=programs).run()


def compile_kernels(
    input: Tensor, target: Tensor, weight: Tensor | None, mask: Tensor | None, logit_bias: Tensor | None,
    link: str, ignore: int | None, places: Sequence[int], constants: Sequence[float], *, pooled: bool,
    programs: Sequence[Program | None] = (),
) -> None:  # fmt: skip
    """Compile the kernels of a forward and a backward pass of `run`, without launching them."""
    from losskit.ops.triton.launch import Work

    given = (input, target, weight, mask, logit_bias, link, ignore, places, constants, pooled)
    columns = sum(1 for place in places if place >= 0)
    coefficients = input.new_empty((1 if pooled else input.shape[0], input.shape[1], columns), dtype=torch.float64)
    for totals, gradient in ((True, None), (False, coefficients)):
        Work(*given, totals, gradient, only_compiled=True, programs=programs).run()
