"""The command `losskit accelerate`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from rich.console import Console

import losskit
from losskit.ops import accelerated, native

_COMPILE = "from losskit.cli.accelerate import compile_node; compile_node()"
_TRY = "from losskit.cli.accelerate import trial; trial()"
_LAST_LINES = 20  # of a compiler that failed
_CALLS, _ROUNDS = 200, 25
SIZE = 64


def accelerate(
    remove: Annotated[bool, typer.Option("--remove", help="Delete all compiled nodes.")] = False,
) -> None:
    """Compile a C++ node of autograd for this PyTorch, which shortens every small call on the CPU.

    Takes about half a minute and needs a C++ compiler. The node is checked before it is installed, in the folder
    $LOSSKIT_CACHE or else in that of the user's cache. Another version of PyTorch, Python or losskit ignores it.

    \b
    losskit accelerate
    losskit accelerate --remove
    """
    if remove:
        removed = accelerated.remove()
        print("\n".join(f"removed {file}" for file in removed) or "There is no compiled node.")
        return
    if not native.AVAILABLE:
        _fail("the C kernels were not built, and the node calls them. Install a C compiler and reinstall losskit.")
    file = accelerated.compiled_file()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=file.parent) as folder:
            with Console(stderr=True).status(f"Compiling for PyTorch {torch.__version__}"):
                _run(_COMPILE, folder, "compiling the node failed")
            found = json.loads(_run(_TRY, folder, "the compiled node does not work, and was not installed"))
            before = json.loads(_run(_TRY, os.devnull, "the losses do not work without the node"))
            (Path(folder) / file.name).replace(file)
    except OSError as error:
        _fail(f"{file.parent} cannot be written: {error.strerror or error}. Set LOSSKIT_CACHE to another folder.")
    print(f"{file}\n\nForward and backward with {SIZE} elements, 1 thread, in microseconds:")
    print(f"{'':24s} {'without':>8s} {'with':>8s} {'torch':>8s}")
    for name, (own, torch_s) in found.items():
        print(f"{name:24s} {before[name][0]:8.1f} {own:8.1f} {torch_s:8.1f}")


def _run(code: str, folder: str, problem: str) -> str:
    """What a process prints that stores or finds the node in a folder."""
    done = subprocess.run(  # noqa: S603 - this Python
        [sys.executable, "-c", code], env={**os.environ, accelerated.DIRECTORY: folder}, capture_output=True, text=True
    )
    if done.returncode:
        lines = (done.stdout + done.stderr).strip().splitlines()
        _fail(f"{problem}:\n" + "\n".join(lines[-_LAST_LINES:]))
    return done.stdout


def compile_node() -> None:
    """Compile the node with the compiler and flags of this PyTorch."""
    from setuptools import Distribution
    from torch.utils.cpp_extension import BuildExtension, CppExtension

    file = accelerated.compiled_file()
    flags = [] if sys.platform == "win32" else ["-O2"]
    extension = CppExtension("_node", [str(accelerated.SOURCE)], extra_compile_args=flags)  # type: ignore[no-untyped-call]
    build: Any = BuildExtension.with_options(use_ninja=False)  # type: ignore[no-untyped-call]
    command = build(Distribution({"ext_modules": [extension]}))
    with tempfile.TemporaryDirectory(dir=file.parent) as folder:
        command.build_lib = command.build_temp = folder
        command.ensure_finalized()
        command.run()
        Path(command.get_ext_fullpath("_node")).replace(file)


def _fail(message: str) -> None:
    print(f"losskit: {message}", file=sys.stderr)
    raise typer.Exit(1)


def trial() -> None:
    """Compare losses with PyTorch's, and print times in microseconds as JSON: of each and of PyTorch's."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    numbers, labels = torch.randn(SIZE), torch.randint(0, 8, (8,))
    cases: dict[str, tuple[Any, Any, Any, Any]] = {
        "MSELoss": (losskit.MSELoss(), torch.nn.MSELoss(), torch.randn(SIZE), numbers),
        "BCEWithLogitsLoss": (
            losskit.BCEWithLogitsLoss(), torch.nn.BCEWithLogitsLoss(), torch.randn(SIZE), (numbers > 0).float(),
        ),
        "CrossEntropyLoss": (losskit.CrossEntropyLoss(), torch.nn.CrossEntropyLoss(), torch.randn(8, 8), labels),
    }  # fmt: skip
    times = {}
    for name, (own, other, input, target) in cases.items():
        results = [_derivatives(criterion, input.clone().requires_grad_(), target) for criterion in (own, other)]
        for mine, theirs in zip(*results, strict=True):
            torch.testing.assert_close(mine, theirs)
        times[name] = _times([_step(criterion, input.clone().requires_grad_(), target) for criterion in (own, other)])
    print(json.dumps(times))


def _derivatives(criterion: Any, input: torch.Tensor, target: torch.Tensor) -> list[torch.Tensor]:
    """The value, the gradient from two backward passes over one graph, and a second derivative."""
    value = criterion(input, target) * 0.5
    (first,) = torch.autograd.grad(value, input, retain_graph=True)
    (gradient,) = torch.autograd.grad(value, input, create_graph=True)
    (second,) = torch.autograd.grad(gradient.square().sum(), input)
    return [value, first, gradient, second]


def _step(criterion: Any, input: torch.Tensor, target: torch.Tensor) -> Callable[[], None]:
    def run() -> None:
        input.grad = None
        criterion(input, target).backward()

    return run


def _times(steps: list[Callable[[], None]]) -> list[float]:
    """The least time of each step, measured in turn."""
    least = [float("inf")] * len(steps)
    for _ in range(_ROUNDS):
        for index, step in enumerate(steps):
            start = time.perf_counter()
            for _ in range(_CALLS):
                step()
            least[index] = min(least[index], (time.perf_counter() - start) / _CALLS * 1e6)
    return least
