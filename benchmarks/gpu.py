"""GPU times compared with peers, torch.compile and memory bandwidth, after checks that need a GPU.

    python benchmarks/gpu.py [--rounds 30] [--only "lovasz float32"] [--out FILE]

The workloads are those of `make bench` and larger ones. The floor is the bytes that a loss with its gradient must move,
divided by the copy bandwidth measured in the same run. Rows are written to gpu-DEVICE.csv, with the versions of PyTorch
and Triton, the number of kernels launched, and the bytes that a forward pass saves for the backward pass.

Before a workload is timed, its launches are counted, its numbers are compared with the formula in plain PyTorch, and
its bits must repeat. If all workloads pass and every form of the kernels agrees with plain PyTorch, the device's class
is added to src/losskit/ops/trusted.json: the package then trusts it without comparing at the first use.
"""

from __future__ import annotations

import argparse
import csv
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import gpu_work
import torch
from bench import gate, workloads
from bench.contenders import Contender
from bench.workloads import Cell
from gpu_device import Call, Gpu, step
from torch import Tensor

import losskit
from losskit.ops import choice, devices, first_use, triton, trusted

REPEATS = 10
NEEDED = 24 << 30  # bytes, for a check of more than 2^31 elements


def check(cell: Cell, ours: Call, plain: Call, x: Tensor, t: Tensor, gpu: Gpu) -> None:
    """Raise AssertionError unless the kernels run as designed, without synchronization, and equal the formula."""
    with choice.recorded() as passes:
        value, gradient = step(ours, x, t)
    assert {p.operator for p in passes} == {"triton"}, [str(p) for p in passes]
    with gpu.unsynchronized():
        step(ours, x, t)
    for _ in range(REPEATS):
        again, gradient_again = step(ours, x, t)
        assert torch.equal(again, value), "the value of equal tensors differs between calls"
        assert torch.equal(gradient_again, gradient), "the gradient of equal tensors differs between calls"
        del gradient_again
    problem = gpu_work.misfit(cell, *gpu.kernels(ours, x, t))
    assert not problem, problem
    exact, slope = step(plain, x, t)
    stored = torch.finfo(value.dtype).eps if value.dtype != torch.float32 else 0.0
    torch.testing.assert_close(value.float(), exact.float(), rtol=1e-4 + stored, atol=0)
    if cell.loss == "lovasz":  # near ties may be ranked in another order, and equal errors of bfloat16 in any
        off = gate.errors(gate.Result(value, gradient), gate.Result(exact.double(), slope.double())).gradient
        assert cell.dtype != "float32" or (off is not None and off <= gate.CLOSE), f"its gradient is off by {off}"
        return
    tolerance = 2e-2 if x.dtype == torch.bfloat16 else 1e-3
    torch.testing.assert_close(gradient, slope, rtol=tolerance, atol=float(slope.abs().max()) * tolerance)


def admitted(field: Sequence[Contender], plain: Call, x: Tensor, t: Tensor) -> dict[str, Call]:
    """The peers, eager and compiled, that run and are as accurate as `make bench` demands; others are printed."""
    value, slope = step(plain, x, t)
    right = gate.Result(value.double(), slope.double())
    kept: dict[str, Call] = {}
    for library, how, call in field:
        for name, each in ((library, call), (f"{library}, compiled", torch.compile(call))):
            try:
                found = gate.errors(gate.Result(*step(each, x, t)), right)
            except Exception as error:  # noqa: BLE001 - whatever a peer or a compiler raises
                sys.stdout.write(f"{how} ({name}) is left out: {first_use.said(error)}\n")
                continue
            if found.value <= gate.CLOSE:
                kept[name] = each
            else:
                sys.stdout.write(f"{how} ({name}) is left out: its value is off by {found.value:.1e}\n")
    return kept


def check_large(gpu: Gpu) -> None:
    """Check more than 2^31 elements: the loss is the mean of the losses of both halves."""
    if gpu.free_bytes() < NEEDED:
        sys.stdout.write(f"Not checked above 2^31 elements: {gpu.free_bytes() >> 30} GiB free, 24 GiB needed.\n")
        return
    x = torch.randn(2, 5, 15000, 15000, device=gpu.device, dtype=torch.bfloat16).requires_grad_()
    t = torch.randint(5, (2, 15000, 15000), device=gpu.device, dtype=torch.uint8)
    value, gradient = step(losskit.CrossEntropyLoss(), x, t)
    for n in range(2):
        part = x[n : n + 1].detach().requires_grad_()
        half, by_part = step(losskit.CrossEntropyLoss(), part, t[n : n + 1])
        value = value - half / 2
        torch.testing.assert_close(gradient[n : n + 1], by_part / 2, rtol=2e-2, atol=0)
    assert abs(float(value)) < 1e-6


def measure(cell: Cell, rounds: int, speed: float, gpu: Gpu) -> list[dict[str, Any]]:
    """One row per contender, losskit first; raises AssertionError if a check of losskit fails."""
    x, t = workloads.data(cell, gpu.device)
    ours, plain, *_ = field = gpu_work.field(cell)
    check(cell, ours.call, plain.call, x, t, gpu)
    calls = {ours.library: ours.call, **admitted(field[1:], plain.call, x, t)}
    taken = gpu.milliseconds({name: (lambda call=call: step(call, x, t)) for name, call in calls.items()}, rounds)
    return [
        {
            **gpu_work.row(cell, name, times, speed),
            "kernels": sum(map(len, gpu.kernels(calls[name], x, t))),
            "saved_bytes": gpu.saved_bytes(calls[name], x, t),
            "peak_extra_bytes": gpu.peak_bytes(calls[name], x, t),
        }
        for name, times in taken.items()
    ]


def run(cells: Sequence[Cell], rounds: int, gpu: Gpu, out: Path) -> Iterator[str]:
    """Measure cells and write their rows; yields what failed."""
    speed = gpu.bandwidth()
    about = {
        "device": gpu.name,
        "torch": torch.__version__,
        "triton": triton.version() or "",
        "commit": commit(),
        "copy_GB_per_s": round(speed / 1e6),
    }
    with out.open("w", newline="") as file:
        writer: Any = None
        for cell in cells:
            try:
                rows = measure(cell, rounds, speed, gpu)
            except (AssertionError, torch.OutOfMemoryError) as error:
                yield f"{cell.work}: {error}"
                continue
            for row in rows:
                if writer is None:
                    writer = csv.DictWriter(file, [*row, *about])
                    writer.writeheader()
                writer.writerow({**row, **about})
                sys.stdout.write(
                    f"{cell.work:36} {row['contender']:22}{row['median_ms']:9.3f} ms, "
                    f"{row['over_floor']:.2f} times the floor, {row['kernels']} kernels\n"
                )
            for missed in gpu_work.goals(rows):
                sys.stdout.write(f"{cell.work}: goal missed: {missed}\n")
            file.flush()
            gpu.release()


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
    parser.add_argument("--only", default="", help='words of the workloads to measure, such as "lovasz float32"')
    parser.add_argument("--out", type=Path, help="CSV file; default: gpu-DEVICE.csv")
    arguments = parser.parse_args()
    if not torch.cuda.is_available():
        sys.stderr.write(
            "benchmarks/gpu.py needs a GPU, but torch.cuda.is_available() is False. On the CPU: make bench.\n"
        )
        return 2
    gpu = Gpu()
    cells = [cell for cell in gpu_work.cells() if cell.chosen(arguments.only)]
    check_large(gpu)
    failed = 0
    for problem in run(cells, arguments.rounds, gpu, arguments.out or Path(f"gpu-{gpu.name.replace(' ', '-')}.csv")):
        sys.stdout.write(f"{problem}\n")
        failed += 1
    if failed or arguments.only:  # some workloads only: nothing is concluded about the device
        return int(failed > 0)
    return 0 if keep(gpu.device) else 1


if __name__ == "__main__":
    sys.exit(main())
