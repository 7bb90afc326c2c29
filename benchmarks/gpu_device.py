"""A GPU that is measured: times, memory, kernels that run, and calls that must not synchronize."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

Call = Callable[[Tensor, Tensor], Tensor]
CACHE = 256 << 20  # bytes, larger than the last-level cache of any GPU
CALLS = 3  # profiled ones: one in eight copies the problems of labels


def step(call: Call, x: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
    """The loss and its gradient."""
    value = call(x, t)
    return value.detach(), torch.autograd.grad(value, x)[0]


class Gpu:
    """The current CUDA device."""

    def __init__(self) -> None:
        self.device = torch.device("cuda", torch.cuda.current_device())
        self.name = torch.cuda.get_device_name(self.device)

    def milliseconds(self, calls: dict[str, Callable[[], Any]], rounds: int) -> dict[str, list[float]]:
        """Times of each call, interleaved, with cold caches."""
        cold = torch.empty(CACHE, dtype=torch.int8, device=self.device)
        taken: dict[str, list[float]] = {name: [] for name in calls}
        for round_ in range(rounds + 3):  # three warm-up rounds
            for name, call in calls.items():
                cold.zero_()
                before, after = (torch.cuda.Event(enable_timing=True) for _ in range(2))
                before.record()
                call()
                after.record()
                after.synchronize()
                if round_ >= 3:
                    taken[name].append(before.elapsed_time(after))
        return taken

    def bandwidth(self) -> float:
        """Bytes per millisecond that a copy reads and writes."""
        source = torch.empty(1 << 30, dtype=torch.int8, device=self.device).zero_()
        copy = torch.empty_like(source)
        return 2 * source.numel() / min(self.milliseconds({"copy": lambda: copy.copy_(source)}, 10)["copy"])

    def peak_bytes(self, call: Call, x: Tensor, t: Tensor) -> int:
        """Peak bytes of the loss and its gradient, beyond the inputs."""
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        step(call, x, t)
        return torch.cuda.max_memory_allocated() - before

    def saved_bytes(self, call: Call, x: Tensor, t: Tensor) -> int:
        """Bytes that a forward pass saves for the backward pass, beyond the inputs."""
        torch.cuda.synchronize()
        before = torch.cuda.memory_allocated()
        value = call(x, t)
        held = torch.cuda.memory_allocated() - before
        del value
        return held

    def kernels(self, call: Call, x: Tensor, t: Tensor) -> tuple[list[str], list[str]]:
        """The names of the kernels of a warm forward and backward pass, in order, without copies."""
        one = torch.ones((), dtype=call(x, t).dtype, device=self.device)
        step(call, x, t)
        found = []
        for _ in range(CALLS):
            values: list[Tensor] = []
            forward = self._ran(lambda values=values: values.append(call(x, t)))
            backward = self._ran(lambda values=values: torch.autograd.grad(values[0], x, one))
            found.append((forward, backward))
        return min((each[0] for each in found), key=len), min((each[1] for each in found), key=len)

    def _ran(self, work: Callable[[], Any]) -> list[str]:
        torch.cuda.synchronize()
        with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as seen:
            work()
            torch.cuda.synchronize()
        on_device = [event for event in seen.events() if event.device_type == torch.autograd.DeviceType.CUDA]
        return computing([event.name for event in sorted(on_device, key=lambda event: event.time_range.start)])

    @contextmanager
    def unsynchronized(self) -> Iterator[None]:
        """Raise in a call that waits for the device."""
        torch.cuda.synchronize()
        torch.cuda.set_sync_debug_mode("error")
        try:
            yield
        finally:
            torch.cuda.set_sync_debug_mode("default")

    def free_bytes(self) -> int:
        return torch.cuda.mem_get_info()[0]

    def release(self) -> None:
        torch.cuda.empty_cache()


def computing(names: list[str]) -> list[str]:
    """The kernels among what the profiler lists for a device, which includes copies."""
    return [name for name in names if not name.lower().startswith(("memcpy", "memset"))]
