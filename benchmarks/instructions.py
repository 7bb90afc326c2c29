"""Instruction counts per call at 64 elements, forward and backward, from callgrind; times would be too noisy.

    make instructions                   count, print, and compare with instructions.json
    make instructions ARGS=--write      store the counts

The last column is with the node of `losskit accelerate`, if there is one. valgrind must be installed
(`apt-get install valgrind`). Counts are specific to the versions of Python and torch in the file; with other versions
they are printed but not compared.
"""

from __future__ import annotations

import gc
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import torch

from losskit.ops import accelerated

STORED = Path(__file__).with_suffix(".json")
MARGIN = 0.08  # relative growth above which a count fails
STEPS, ROUNDS = 50, 3  # the least count of a round: freeing memory falls into some of them


def steps() -> dict[str, Callable[[], None]]:
    """The measured steps: a forward and a backward pass of each loss."""
    import losskit
    from losskit import functional

    x = torch.randn(1, 1, 8, 8, requires_grad=True)
    y = (torch.rand(1, 1, 8, 8) > 0.5).float()
    logits = torch.randn(8, 8, requires_grad=True)
    labels = torch.randint(0, 8, (8,))
    weighted = losskit.DiceLoss() + 0.5 * losskit.FocalLoss()
    criteria = {
        "bce": (losskit.BCEWithLogitsLoss(), x, y),
        "bce, function": (functional.binary_cross_entropy_with_logits, x, y),
        "bce, torch": (torch.nn.BCEWithLogitsLoss(), x, y),
        "cross-entropy": (losskit.CrossEntropyLoss(), logits, labels),
        "cross-entropy, torch": (torch.nn.CrossEntropyLoss(), logits, labels),
        "mse": (losskit.MSELoss(), x, y),
        "mse, torch": (torch.nn.MSELoss(), x, y),
        "dice": (losskit.DiceLoss(), x, y),
        "dice + bce": (losskit.DiceBCELoss(), x, y),
        "dice + 0.5 focal": (weighted, x, y),
    }
    return {name: step(*given) for name, given in criteria.items()}


def step(criterion: Callable[..., torch.Tensor], input: torch.Tensor, target: torch.Tensor) -> Callable[[], None]:
    def run() -> None:
        input.grad = None
        criterion(input, target).backward()

    return run


def counted() -> None:
    """Run inside valgrind: ROUNDS times a dump per step, in order, after one for the overhead of the control."""

    def control(argument: str) -> None:
        subprocess.run(["callgrind_control", argument, str(os.getpid())], check=True, stdout=subprocess.DEVNULL)

    torch.set_num_threads(1)
    every = [lambda: None, *steps().values()]
    for run in every:
        for _ in range(20):
            run()
    gc.disable()  # a collection in one of the steps would be counted there
    control("--instr=on")
    for run in every * ROUNDS:
        run()
        control("--zero")
        for _ in range(STEPS):
            run()
        control("--dump")


def counts(folder_of_node: str) -> dict[str, int]:
    """Instructions per step, by name, with the compiled node of a folder if it has one."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "counts"
        command = ["valgrind", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={out}"]
        environment = {**os.environ, accelerated.DIRECTORY: folder_of_node, "PYTHONHASHSEED": "0"}
        inside = [*command, sys.executable, __file__, "--inside"]
        subprocess.run(inside, check=True, stderr=subprocess.DEVNULL, env=environment)
        dumps = [Path(f"{out}.{number}").read_text() for number in range(1, ROUNDS * (len(steps()) + 1) + 1)]
        totals = [int(re.findall(r"^totals: (\d+)", dump, re.MULTILINE)[0]) for dump in dumps]
        control, *each = [min(totals[at :: len(steps()) + 1]) for at in range(len(steps()) + 1)]
    return {name: (total - control) // STEPS for name, total in zip(steps(), each, strict=True)}


def versions() -> dict[str, str]:
    return {"python": platform.python_version().rsplit(".", 1)[0], "torch": torch.__version__.split("+")[0]}


def times_torch(name: str, found: dict[str, int]) -> float | None:
    """The ratio to the instructions of the torch loss of the same name."""
    torch_s = f"{name.split(',')[0]}, torch"
    return found[name] / found[torch_s] if torch_s in found and torch_s != name else None


def main() -> int:
    if "--inside" in sys.argv:
        counted()
        return 0
    found = counts(os.devnull)
    with_node = counts(str(accelerated.directory())) if accelerated.node() is not None else {}
    stored = json.loads(STORED.read_text()) if STORED.exists() else {"versions": {}, "instructions": {}}
    comparable = stored["versions"] == versions()
    known = stored["instructions"]
    print(f"{'instructions per step, 64 elements':34s} {'now':>9s} {'stored':>9s} {'x torch':>9s} {'with node':>9s}")
    grown = []
    for name, count in found.items():
        before, times = known.get(name), times_torch(name, found)
        shown = ["-" if before is None else before, "-" if times is None else f"{times:.2f}"]
        print(f"{name:34s} {count:9d} {shown[0]:>9} {shown[1]:>9} {with_node.get(name, '-'):>9}")
        if comparable and before is not None and count > before * (1 + MARGIN) and "torch" not in name:
            grown.append(name)
    if "--write" in sys.argv:
        STORED.write_text(json.dumps({"versions": versions(), "instructions": found}, indent=1) + "\n")
        return 0
    if not comparable:
        print(f"Not compared: the stored counts are for {stored['versions']}, these for {versions()}.")
    if grown:
        print(
            f"Grown by more than {MARGIN:.0%}: {', '.join(grown)}. Make the call cheaper, or store the counts: --write."
        )
    return 1 if grown else 0


if __name__ == "__main__":
    sys.exit(main())
