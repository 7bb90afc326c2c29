"""GPU times compared with peers, torch.compile and memory bandwidth, after checks that need a GPU.

    python benchmarks/gpu.py [--rounds 30] [--out FILE]

The floor is the bytes that a loss with its gradient must move, divided by the copy bandwidth measured in the same run.
Rows are written to gpu-DEVICE.csv, with the versions of PyTorch and Triton, the number of kernels launched, and the
bytes that a forward pass saves for the backward pass. If every check passes and every form of the kernels agrees with
plain PyTorch, the device's class is added to src/losskit/ops/trusted.json: the package then trusts it without comparing
at the first use.
"""

from __future__ import annotations

import argparse
import csv
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

import losskit
from losskit.ops import choice, devices, first_use, triton, trusted

Call = Callable[[Tensor, Tensor], Tensor]
CACHE = 256 << 20  # bytes, larger than the last-level cache of any GPU


class Work(NamedTuple):
    name: str
    shape: tuple[int, ...]
    dtype: torch.dtype
    target: torch.dtype
    ours: Call
    plain: Call  # the same function in plain PyTorch
    passes: int  # how often the inputs must be read: once if the loss itself is a total

    def bytes(self) -> int:
        """Bytes that must be moved: the inputs as often as they are read, and the gradient once."""
        elements = torch.Size(self.shape).numel()
        logits = elements * self.dtype.itemsize
        labels = elements // (self.shape[1] if self.shape[1] > 1 else 1) * self.target.itemsize
        return self.passes * (logits + labels) + logits


def dice(p: Tensor, t: Tensor) -> Tensor:
    """The usual Dice loss per sample and class."""
    space = tuple(range(2, p.dim()))
    return 1 - (2 * (p * t).sum(space) / (p.sum(space) + t.sum(space))).mean()


def dice_bce(x: Tensor, t: Tensor) -> Tensor:
    x, t = x.float(), t.float()
    return dice(x.sigmoid(), t) + F.binary_cross_entropy_with_logits(x, t)


def dice_ce(x: Tensor, t: Tensor) -> Tensor:
    x = x.float()
    one_hot = F.one_hot(t, x.shape[1]).movedim(-1, 1)
    return dice(x.softmax(1), one_hot) + F.cross_entropy(x, t)


def cross_entropy(x: Tensor, t: Tensor) -> Tensor:
    return F.cross_entropy(x.float(), t)


def focal(x: Tensor, t: Tensor) -> Tensor:
    log_p = F.log_softmax(x.float(), 1).gather(1, t.unsqueeze(1))
    return -((1 - log_p.exp()) ** 2 * log_p).mean()


def works() -> list[Work]:
    full, half, labels = torch.float32, torch.bfloat16, torch.int64
    both, entropy = losskit.DiceCELoss(), losskit.CrossEntropyLoss()
    return [
        Work("Dice + BCE", (2, 1, 64, 64), full, torch.uint8, losskit.DiceBCELoss(), dice_bce, 2),
        Work("Dice + BCE", (16, 1, 1024, 1024), full, torch.uint8, losskit.DiceBCELoss(), dice_bce, 2),
        Work("Dice + BCE", (32, 1, 1024, 1024), full, torch.uint8, losskit.DiceBCELoss(), dice_bce, 2),
        Work("cross-entropy", (8, 19, 512, 512), full, labels, entropy, cross_entropy, 1),
        Work("focal", (8, 19, 512, 512), full, labels, losskit.FocalLoss(), focal, 1),
        Work("Dice + CE", (8, 19, 512, 512), full, labels, both, dice_ce, 2),
        Work("Dice + CE", (8, 19, 512, 512), half, labels, both, dice_ce, 2),
        Work("Dice + CE", (4, 150, 512, 512), half, labels, both, dice_ce, 2),
        Work("Dice + CE", (8, 19, 1024, 1024), full, labels, both, dice_ce, 2),
        Work("Dice + CE", (2, 4, 128, 128, 128), full, labels, both, dice_ce, 2),
        Work("Dice + CE", (2, 4, 192, 192, 192), full, labels, both, dice_ce, 2),
        Work("cross-entropy", (256, 1000), full, labels, entropy, cross_entropy, 1),
        Work("cross-entropy", (4096, 32768), full, labels, entropy, cross_entropy, 1),
        Work("cross-entropy", (8192, 128256), half, labels, entropy, cross_entropy, 1),
    ]


def peers(work: Work) -> dict[str, Call]:
    """Installed libraries that compute the same function."""
    try:
        import monai.losses as monai
    except ImportError:
        return {}
    plain: dict[str, Any] = {"smooth_nr": 0.0, "smooth_dr": 0.0}
    if work.name == "Dice + BCE":
        loss = monai.DiceCELoss(sigmoid=True, **plain)
        return {"monai": lambda x, t: loss(x.float(), t.float())}
    if work.name == "Dice + CE":
        loss = monai.DiceCELoss(softmax=True, to_onehot_y=True, **plain)
        return {"monai": lambda x, t: loss(x.float(), t.unsqueeze(1))}
    return {}


def data(work: Work) -> tuple[Tensor, Tensor]:
    make = torch.Generator("cuda").manual_seed(0)
    x = torch.randn(work.shape, generator=make, device="cuda", dtype=work.dtype).requires_grad_()
    if work.shape[1] == 1:
        return x, (torch.rand(work.shape, generator=make, device="cuda") < 0.3).to(work.target)
    space = (work.shape[0], *work.shape[2:])
    return x, torch.randint(work.shape[1], space, generator=make, device="cuda").to(work.target)


def step(call: Call, x: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
    """The loss and its gradient."""
    value = call(x, t)
    return value.detach(), torch.autograd.grad(value, x)[0]


def check(work: Work, contenders: dict[str, Call], x: Tensor, t: Tensor) -> None:
    """Check that Triton is used without synchronization, deterministically, and that all contenders agree."""
    with choice.recorded() as passes:
        value, gradient = step(work.ours, x, t)
    assert {p.operator for p in passes} == {"triton"}, [str(p) for p in passes]
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        step(work.ours, x, t)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    for _ in range(10):
        again, gradient_again = step(work.ours, x, t)
        assert torch.equal(again, value)
        assert torch.equal(gradient_again, gradient)
        del gradient_again
    largest = float(gradient.abs().max())
    tolerance = 2e-2 if x.dtype == torch.bfloat16 else 1e-3
    for call in contenders.values():
        their_value, their_gradient = step(call, x, t)
        torch.testing.assert_close(their_value.float(), value.float(), rtol=1e-4, atol=0)
        torch.testing.assert_close(their_gradient, gradient, rtol=tolerance, atol=largest * tolerance)
        del their_gradient


def check_large() -> None:
    """Check more than 2^31 elements: the loss is the mean of the losses of both halves."""
    free, _ = torch.cuda.mem_get_info()
    if free < 24 << 30:
        sys.stdout.write(f"Not checked above 2^31 elements: {free >> 30} GiB free, 24 GiB needed.\n")
        return
    x = torch.randn(2, 5, 15000, 15000, device="cuda", dtype=torch.bfloat16).requires_grad_()
    t = torch.randint(5, (2, 15000, 15000), device="cuda", dtype=torch.uint8)
    value, gradient = step(losskit.CrossEntropyLoss(), x, t)
    for n in range(2):
        part = x[n : n + 1].detach().requires_grad_()
        half, by_part = step(losskit.CrossEntropyLoss(), part, t[n : n + 1])
        value = value - half / 2
        torch.testing.assert_close(gradient[n : n + 1], by_part / 2, rtol=2e-2, atol=0)
    assert abs(float(value)) < 1e-6


def milliseconds(calls: dict[str, Callable[[], Any]], rounds: int) -> dict[str, list[float]]:
    """Times of each call, interleaved, with cold caches."""
    cold = torch.empty(CACHE, dtype=torch.int8, device="cuda")
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


def bandwidth() -> float:
    """Bytes per millisecond that a copy reads and writes."""
    source = torch.empty(1 << 30, dtype=torch.int8, device="cuda").zero_()
    copy = torch.empty_like(source)
    return 2 * source.numel() / min(milliseconds({"copy": lambda: copy.copy_(source)}, 10)["copy"])


def extra_memory(call: Call, x: Tensor, t: Tensor) -> int:
    """Peak bytes of the loss and its gradient, beyond the inputs."""
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    step(call, x, t)
    return torch.cuda.max_memory_allocated() - before


def kernels(call: Call, x: Tensor, t: Tensor) -> int:
    """The number of kernels launched for the loss and its gradient, without copies."""
    step(call, x, t)
    torch.cuda.synchronize()
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as seen:
        step(call, x, t)
        torch.cuda.synchronize()
    on_device = [event for event in seen.events() if event.device_type == torch.autograd.DeviceType.CUDA]
    return sum(not event.name.lower().startswith(("memcpy", "memset")) for event in on_device)


def saved_bytes(call: Call, x: Tensor, t: Tensor) -> int:
    """Bytes that a forward pass saves for the backward pass, beyond the inputs."""
    torch.cuda.synchronize()
    before = torch.cuda.memory_allocated()
    value = call(x, t)
    held = torch.cuda.memory_allocated() - before
    del value
    return held


def measure(work: Work, rounds: int, speed: float) -> list[dict[str, Any]]:
    x, t = data(work)
    eager = {"PyTorch": work.plain, **peers(work)}
    contenders = eager | {f"{name}, compiled": torch.compile(call) for name, call in eager.items()}
    check(work, contenders, x, t)
    contenders = {"losskit": work.ours, **contenders}
    taken = milliseconds({name: (lambda call=call: step(call, x, t)) for name, call in contenders.items()}, rounds)
    floor = work.bytes() / speed
    return [
        {
            "work": work.name,
            "shape": "x".join(map(str, work.shape)),
            "dtype": str(work.dtype).removeprefix("torch."),
            "contender": name,
            "median_ms": round(statistics.median(times), 4),
            "minimum_ms": round(min(times), 4),
            "floor_ms": round(floor, 4),
            "over_floor": round(min(times) / floor, 2),
            "kernels": kernels(contenders[name], x, t),
            "saved_bytes": saved_bytes(contenders[name], x, t),
            "peak_extra_bytes": extra_memory(contenders[name], x, t),
        }
        for name, times in taken.items()
    ]


def keep(device: torch.device, file: Path = trusted.FILE) -> bool:
    """Whether every form of the kernels agrees with plain PyTorch; the device's class is added to the file then."""
    wrong = [finding for finding in devices.check("triton", device) if finding.problem]
    for finding in wrong:
        sys.stdout.write(f"{finding.form}: {finding.problem}\n")
    if not wrong:
        trusted.keep(trusted.class_of(device), file)
        sys.stdout.write(f"{first_use.name_of(device)} is trusted from now on: {file}\n")
    return not wrong


def commit() -> str:
    here = Path(__file__).parent
    run = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=here, capture_output=True, text=True, check=False)
    return run.stdout.strip() or "unknown"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--out", type=Path, help="CSV file; default: gpu-DEVICE.csv")
    arguments = parser.parse_args()
    if not torch.cuda.is_available():
        sys.stderr.write(
            "benchmarks/gpu.py needs a GPU, but torch.cuda.is_available() is False. On the CPU: make bench.\n"
        )
        return 2
    name = torch.cuda.get_device_name()
    out = arguments.out or Path(f"gpu-{name.replace(' ', '-')}.csv")
    check_large()
    speed = bandwidth()
    about = {
        "device": name,
        "torch": torch.__version__,
        "triton": triton.version() or "",
        "commit": commit(),
        "copy_GB_per_s": round(speed / 1e6),
    }
    with out.open("w", newline="") as file:
        writer: Any = None
        for work in works():
            for row in measure(work, arguments.rounds, speed):
                writer = writer or csv.DictWriter(file, [*row, *about])
                if file.tell() == 0:
                    writer.writeheader()
                writer.writerow({**row, **about})
                sys.stdout.write(
                    f"{row['work']:14} {row['shape']:18} {row['dtype']:9} {row['contender']:18}"
                    f"{row['median_ms']:9.3f} ms, {row['over_floor']:.2f} times the floor\n"
                )
            file.flush()
            torch.cuda.empty_cache()
    return 0 if keep(torch.device("cuda", torch.cuda.current_device())) else 1


if __name__ == "__main__":
    sys.exit(main())
