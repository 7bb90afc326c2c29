"""The command `losskit doctor`."""

from __future__ import annotations

import platform
import warnings
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch
import typer
from torch import Tensor

import losskit
from losskit.building.build import build
from losskit.ops import accelerated, choice, devices, first_use, trusted

LOSSES = (
    "cross_entropy(label_smoothing=0.1)", "dice + 0.5 * cross_entropy", "focal(gamma=1.5)", "focal_tversky",
    "dice(pool='batch')", "lovasz",
)  # fmt: skip


def doctor() -> None:
    """Check the kernels on every device here, and print a report to paste.

    Every form of a kernel computes value and gradient of a small batch, which are compared with plain PyTorch, the
    reference that is always available; some whole losses follow. The exit code is 1 if one differs, raises, or takes
    too long to compile.

    \b
    losskit doctor
    """
    print(f"losskit {losskit.__version__}, torch {torch.__version__}, Triton {_version('triton')}")
    print(f"Python {platform.python_version()}, {platform.platform()}")
    node = accelerated.node()
    print("No compiled node: losskit accelerate shortens small calls" if node is None else f"Node {node.__file__}")
    failed = 0
    for device in devices.devices():
        print(f"\n{_described(device)}")
        operators, refused = devices.served_by(device)
        for name in operators:
            failed += _check(name, device)
        if "triton" in operators:
            forced = "never compared, since LOSSKIT_BACKEND is set" if choice.is_forced() else trusted.rule(device)
            print(f"  forms are {forced}")
        for other, reason in refused.items():
            print(f"  not {other}: {reason}")
        failed += _check_losses(device)
    if failed:
        print(f"\nForms that differ or fail fall back to plain PyTorch. Please report this at {first_use.REPORT}")
        raise typer.Exit(1)


def _check(name: devices.Operator, device: torch.device) -> int:
    """Print the results for the forms of an operator; returns how many fail."""
    found = list(devices.check(name, device))
    wrong = [finding for finding in found if finding.problem]
    took = sum(finding.milliseconds for finding in found) / 1000
    right = f"{len(found) - len(wrong)} of {len(found)} forms agree with plain PyTorch" if found else "no form runs"
    print(f"  {name}: {right}, in {took:.1f} s")
    for finding in wrong:
        print(f"    {finding.form}: {finding.problem}")
    return len(wrong)


def _check_losses(device: torch.device) -> int:
    """Print how many whole losses agree with float64 in plain PyTorch; returns how many do not."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, 4, 32, 33, generator=generator).to(device)
    t = torch.randint(0, 4, (2, 32, 33), generator=generator).to(device)
    wrong = []
    for text in LOSSES:
        try:
            with warnings.catch_warnings(record=True) as said:
                warnings.simplefilter("always")
                found = _difference(build(text), x, t)
            found = found or "".join(f"{each.message} " for each in said if "losskit" in str(each.message))
        except Exception as error:  # noqa: BLE001 - it goes into the report
            found = first_use.said(error)
        if found:
            wrong.append(f"{text}: {found}")
    print(f"  {len(LOSSES) - len(wrong)} of {len(LOSSES)} whole losses agree with their value and gradient in float64")
    for line in wrong:
        print(f"    {line}")
    return len(wrong)


def _difference(loss: Any, x: Tensor, t: Tensor) -> str:
    """The difference between a loss and its value and gradient in float64."""
    each = []
    for dtype in (torch.float32, torch.float64):
        own = x.to(dtype).requires_grad_()
        value = loss(own, t)
        each.append((value.detach(), torch.autograd.grad(value, own)[0]))
    (value, gradient), (exact, slope) = each
    if abs(float(value - exact)) > 1e-6 * (1 + abs(float(exact))):
        return f"its value is {float(value):.9g}, and {float(exact):.9g} in float64"
    off = float((gradient - slope).abs().max() / slope.abs().max())
    return f"its gradient is off by {off:.1e} of the largest" if not off < 1e-5 else ""


def _described(device: torch.device) -> str:
    if device.type == "cpu":
        return f"cpu ({torch.backends.cpu.get_cpu_capability()}, {torch.get_num_threads()} threads)"
    return first_use.name_of(device)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
