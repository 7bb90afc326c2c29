"""losskit doctor, for the command line."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

import torch
import typer

import losskit
from losskit.ops import devices, first_use


def doctor() -> None:
    """Check the kernels on every device here, and print a report to paste.

    Every form of them computes value and gradient of a small batch beside plain PyTorch, which always is there and
    defines the numbers. The exit code is 1 where a form differs, raises, or takes too long to compile.

    \b
    losskit doctor
    """
    print(f"losskit {losskit.__version__}, torch {torch.__version__}, Triton {_version('triton')}")
    print(f"Python {platform.python_version()}, {platform.platform()}")
    failed = 0
    for device in devices.devices():
        print(f"\n{_described(device)}")
        operators, refused = devices.served_by(device)
        for name in operators:
            failed += _check(name, device)
        for other, reason in refused.items():
            print(f"  not {other}: {reason}")
    if failed:
        print(
            f"\nOn the forms above that differ or fail, plain PyTorch serves. Please report this at {first_use.REPORT}"
        )
        raise typer.Exit(1)


def _check(name: devices.Operator, device: torch.device) -> int:
    """Print what an operator's forms do; how many fail."""
    found = list(devices.check(name, device))
    wrong = [finding for finding in found if finding.problem]
    took = sum(finding.milliseconds for finding in found) / 1000
    right = f"{len(found) - len(wrong)} of {len(found)} forms agree with plain PyTorch" if found else "no form runs"
    print(f"  {name}: {right}, in {took:.1f} s")
    for finding in wrong:
        print(f"    {finding.form}: {finding.problem}")
    return len(wrong)


def _described(device: torch.device) -> str:
    if device.type == "cpu":
        return f"cpu ({torch.backends.cpu.get_cpu_capability()}, {torch.get_num_threads()} threads)"
    return first_use.name_of(device)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
