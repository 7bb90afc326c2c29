"""Time of the host per loss on a GPU, measured without one: the launcher is a stub that does nothing.

    python benchmarks/gpu_host.py [--calls 3000]

A warm call with its gradient: look-up of the plan, allocations, two launches, one autograd function and the launch of
the backward pass. Not included are the driver's time per launch and the allocator of the device; an autograd function
that does nothing is measured beside. Prints microseconds: minimum, tenth percentile and median.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))  # the stub of the tests


class Nothing(torch.autograd.Function):
    """An autograd function that only allocates what a loss returns."""

    @staticmethod
    def forward(ctx: Any, input: Tensor) -> Tensor:
        ctx.save_for_backward(input)
        return torch.empty(())

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:  # noqa: ARG004
        return torch.empty_like(ctx.saved_tensors[0])


def microseconds(call: Callable[[], Any], calls: int) -> list[float]:
    """Sorted times of a warm call."""
    for _ in range(calls // 10):
        call()
    taken = []
    for _ in range(calls):
        start = time.perf_counter()
        call()
        taken.append(1e6 * (time.perf_counter() - start))
    return sorted(taken)


def main() -> int:
    import launch_cases

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=3000)
    calls = parser.parse_args().calls
    torch.set_num_threads(1)
    one, x = torch.ones(()), torch.randn(2, 3, 8, 8, requires_grad=True)
    rows = {"an empty autograd function": lambda: torch.autograd.grad(Nothing.apply(x), x, one)}  # type: ignore[no-untyped-call]
    with launch_cases.silent() as warm_calls:
        rows |= warm_calls
        for name, call in rows.items():
            taken = microseconds(call, calls)
            each = " ".join(f"{taken[calls * k // 10]:7.1f}" for k in (0, 1, 5))
            sys.stdout.write(f"{name:32}{each} us\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
