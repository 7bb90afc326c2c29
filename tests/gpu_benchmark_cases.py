"""The benchmark of GPUs on a device that is simulated: Triton's interpreter, or launches that are recorded."""

import sys
import time
from contextlib import nullcontext
from pathlib import Path
from unittest.mock import patch

import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

import gpu
import gpu_work
from bench import contenders
from bench.contenders import Contender
from bench.workloads import DIFFERENCES, Cell

from device_cases import planned_here
from launch_cases import stubbed
from losskit.ops.triton import launch as launching
from losskit.ops.triton import prepared


def cell_of(loss, shape, dtype="float32", pool=""):
    return Cell("gpu", loss, pool, shape, dtype, 1, compiled=True)


SMALL = {  # each kind of kernel
    "dice+bce": cell_of("dice+bce", (2, 1, 6, 8), pool="sample"),
    "ce": cell_of("ce", (8, 8)),
    "dice+ce": cell_of("dice+ce", (2, 3, 6, 8), pool="sample"),
    "huber": cell_of("huber", (2, 1, 6, 8)),
    "mse": cell_of("mse", (2, 1, 6, 8), "bfloat16"),
    "lovasz": cell_of("lovasz", (2, 3, 6, 8), pool="sample"),
}


def launches_of(cell):
    """The names of the recorded launches of a loss for tensors that are never read."""
    of_elements = cell.binary or cell.loss in DIFFERENCES
    x = torch.empty(cell.shape, dtype=getattr(torch, cell.dtype), requires_grad=True)
    t = torch.empty(cell.shape) if of_elements else torch.empty((len(x), *cell.shape[2:]), dtype=torch.int64)
    with stubbed() as launches:
        value = contenders.ours(cell).call(x, t)
        forward = [kernel.__name__ for kernel, _, _ in launches]
        launches.clear()
        torch.autograd.grad(value, x)
        return forward, [kernel.__name__ for kernel, _, _ in launches]


class Interpreted:
    """Triton's interpreter as a GPU."""

    device, name = torch.device("cpu"), "an interpreter"

    def __init__(self, added=()):
        self.added = list(added)  # further launches of each forward pass

    def milliseconds(self, calls, rounds):
        taken = {name: [] for name in calls}
        for _ in range(rounds):
            for name, call in calls.items():
                start = time.perf_counter()
                call()
                taken[name].append(1e3 * (time.perf_counter() - start))
        return taken

    def bandwidth(self):
        return 1e6

    def peak_bytes(self, call, x, t):
        return 3

    def saved_bytes(self, call, x, t):
        return 2

    def free_bytes(self):
        return 0

    def release(self):
        pass

    def unsynchronized(self):
        return nullcontext()

    def kernels(self, call, x, t):
        names, launch, sort = [], launching.launch, torch.Tensor.sort

        def counting(kernel, *arguments, **options):
            names.append(kernel.__name__)
            return launch(kernel, *arguments, **options)

        def sorting(*arguments, **options):  # by two kernels
            names.extend(["DeviceRadixSortHistogramKernel", "DeviceRadixSortOnesweepKernel"])
            return sort(*arguments, **options)

        with (
            patch.object(launching, "launch", counting),
            patch.object(prepared, "launch", counting),
            patch.object(torch.Tensor, "sort", sorting),
        ):
            value = call(x, t)
            forward = [*names, *self.added]
            names.clear()
            torch.autograd.grad(value, x)
        return forward, names


def raises(*_):
    raise RuntimeError("no such\nkernel")


def field_of(cell):
    """Losskit, the formula, and peers that raise, compute another loss, or are right."""
    plain = gpu_work.plain(cell)
    return [
        contenders.ours(cell), Contender("PyTorch", "the formula", plain), Contender("absent", "raises", raises),
        Contender("wrong", "twice", lambda x, t: 2 * plain(x, t)), Contender("right", "once", plain),
    ]  # fmt: skip


def ran(_, names, out, fault=""):
    """What failed in a run over cells, with a loss that is wrong, or one launch too many."""
    simulated = Interpreted(["elementwise_kernel"] if fault == "launch" else [])

    def field(cell):
        ours, *others = field_of(cell)
        loss = ours.call
        if fault == "value":
            ours = ours._replace(call=lambda x, t: 1.001 * loss(x, t))
        if fault == "gradient":
            ours = ours._replace(call=lambda x, t: loss(x, t) + 1e-2 * (x - x.detach()).float().sum())
        return [ours, *others]

    def compile(call):
        if call is raises:
            return call
        return lambda x, t: call(x, t)

    with (
        planned_here(),
        patch.object(gpu_work, "field", field),
        patch.object(torch, "compile", compile),
        patch.object(gpu, "REPEATS", 1),
    ):
        return list(gpu.run([SMALL[name] for name in names], 2, simulated, Path(out)))
