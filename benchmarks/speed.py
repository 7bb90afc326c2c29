"""Forward and backward in time, against other libraries, eager: run it, and it prints Markdown.

Contenders of a row take turns in one process, after each has shown that it computes the same number. What they mean
by a name differs, so each is set up to mean what losskit's default means (the options stand in the table).
"""

from __future__ import annotations

import argparse
import datetime as dt
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))  # the peers, imported as the tests import them

import losskit
from peers import peer

BINARY, CLASSES = (8, 1, 256, 256), (4, 19, 128, 128)
Call = Callable[[Tensor, Tensor], Tensor]


class Contender(NamedTuple):
    library: str
    call: Call
    how: str  # what was asked of it


class Work(NamedTuple):
    name: str
    shape: tuple[int, ...]
    contenders: list[Contender]


class Time(NamedTuple):
    contender: Contender
    median: float  # seconds
    minimum: float
    against_ours: float  # the median of the ratios of rounds: theirs over losskit's


def works() -> list[Work]:
    """Each work with losskit first."""
    monai, smp, toolbelt, kornia = (peer(name) for name in ("monai", "smp", "toolbelt", "kornia"))
    focal = peer("torchvision").sigmoid_focal_loss

    def ours(loss: Any) -> Contender:
        return Contender("losskit", loss, repr(loss).replace("\n", " "))

    def summed(*losses: Any) -> Call:
        return lambda x, t: torch.stack([loss(x, t) for loss in losses]).sum()

    def to_monai(loss: Any) -> Call:
        return lambda x, t: loss(x, t.unsqueeze(1))

    one = {"sigmoid": True, "smooth_nr": 0.0, "smooth_dr": 0.0}
    several = {"softmax": True, "to_onehot_y": True, "smooth_nr": 0.0, "smooth_dr": 0.0}
    return [
        Work(
            "Dice of each sample",
            BINARY,
            [
                ours(losskit.DiceLoss()),
                Contender("monai", monai.DiceLoss(**one), "DiceLoss(sigmoid=True)"),
            ],
        ),
        Work(
            "Dice of the batch",
            BINARY,
            [
                ours(losskit.DiceLoss(pool="batch")),
                Contender("monai", monai.DiceLoss(batch=True, **one), "DiceLoss(sigmoid=True, batch=True)"),
                Contender("smp", smp.DiceLoss("binary"), "DiceLoss('binary')"),
                Contender("toolbelt", toolbelt.DiceLoss("binary"), "DiceLoss('binary')"),
            ],
        ),
        Work(
            "BCE",
            BINARY,
            [
                ours(losskit.BCEWithLogitsLoss()),
                Contender("torch", F.binary_cross_entropy_with_logits, "binary_cross_entropy_with_logits"),
                Contender("smp", smp.SoftBCEWithLogitsLoss(), "SoftBCEWithLogitsLoss()"),
                Contender("toolbelt", toolbelt.SoftBCEWithLogitsLoss(), "SoftBCEWithLogitsLoss()"),
            ],
        ),
        Work(
            "focal",
            BINARY,
            [
                ours(losskit.FocalLoss()),
                Contender(
                    "torchvision", lambda x, t: focal(x, t, alpha=-1, reduction="mean"), "sigmoid_focal_loss(alpha=-1)"
                ),
                Contender("monai", monai.FocalLoss(), "FocalLoss()"),
                Contender("smp", smp.FocalLoss("binary"), "FocalLoss('binary')"),
                Contender(
                    "kornia",
                    kornia.BinaryFocalLossWithLogits(None, 2.0, "mean"),
                    "BinaryFocalLossWithLogits(None, 2.0)",
                ),
                Contender("toolbelt", toolbelt.BinaryFocalLoss(), "BinaryFocalLoss()"),
            ],
        ),
        Work(
            "Dice + BCE",
            BINARY,
            [
                ours(losskit.DiceBCELoss()),
                Contender("monai", monai.DiceCELoss(**one), "DiceCELoss(sigmoid=True)"),
            ],
        ),
        Work(
            "Dice of each sample",
            CLASSES,
            [
                ours(losskit.DiceLoss()),
                Contender("monai", to_monai(monai.DiceLoss(**several)), "DiceLoss(softmax=True, to_onehot_y=True)"),
                Contender("kornia", kornia.DiceLoss(average="macro"), "DiceLoss(average='macro')"),
            ],
        ),
        Work(
            "Dice of the batch",
            CLASSES,
            [
                ours(losskit.DiceLoss(pool="batch")),
                Contender(
                    "monai",
                    to_monai(monai.DiceLoss(batch=True, **several)),
                    "DiceLoss(softmax=True, to_onehot_y=True, batch=True)",
                ),
                Contender("smp", smp.DiceLoss("multiclass"), "DiceLoss('multiclass')"),
                Contender("toolbelt", toolbelt.DiceLoss("multiclass"), "DiceLoss('multiclass')"),
            ],
        ),
        Work(
            "cross-entropy",
            CLASSES,
            [
                ours(losskit.CrossEntropyLoss()),
                Contender("torch", F.cross_entropy, "cross_entropy"),
                Contender("smp", smp.SoftCrossEntropyLoss(smooth_factor=0.0), "SoftCrossEntropyLoss(smooth_factor=0)"),
                Contender("toolbelt", toolbelt.SoftCrossEntropyLoss(), "SoftCrossEntropyLoss()"),
            ],
        ),
        Work(
            "softmax focal",
            CLASSES,
            [
                ours(losskit.FocalLoss()),
                Contender(
                    "kornia", lambda x, t: 19 * kornia.focal_loss(x, t, None, 2.0, "mean"), "19 x focal_loss(None, 2.0)"
                ),
                Contender(
                    "monai",
                    lambda x, t: 19 * monai.FocalLoss(use_softmax=True, to_onehot_y=True)(x, t.unsqueeze(1)),
                    "19 x FocalLoss(use_softmax=True, to_onehot_y=True)",
                ),
            ],
        ),
        Work(
            "Dice + cross-entropy",
            CLASSES,
            [
                ours(losskit.DiceCELoss()),
                Contender("monai", to_monai(monai.DiceCELoss(**several)), "DiceCELoss(softmax=True, to_onehot_y=True)"),
            ],
        ),
        Work(
            "Dice of the batch + cross-entropy",
            CLASSES,
            [
                ours(losskit.DiceCELoss(pool="batch")),
                Contender(
                    "smp + torch",
                    summed(smp.DiceLoss("multiclass"), F.cross_entropy),
                    "DiceLoss('multiclass') + cross_entropy",
                ),
                Contender(
                    "toolbelt + torch",
                    summed(toolbelt.DiceLoss("multiclass"), F.cross_entropy),
                    "DiceLoss('multiclass') + cross_entropy",
                ),
            ],
        ),
    ]


def data(shape: tuple[int, ...], device: str) -> tuple[Tensor, Tensor]:
    """Logits and labels with every class in every sample."""
    make = torch.Generator().manual_seed(0)
    logits = torch.randn(shape, generator=make).to(device).requires_grad_()
    if shape[1] == 1:
        return logits, (torch.rand(shape, generator=make) < 0.3).float().to(device)
    return logits, torch.randint(shape[1], (shape[0], *shape[2:]), generator=make).to(device)


def step(call: Call, logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """The loss and its gradient."""
    loss = call(logits, target)
    return loss, torch.autograd.grad(loss, logits)[0]


def check(work: Work, logits: Tensor, target: Tensor) -> None:
    """Every contender computes what losskit does; else the comparison is of different things."""
    logits = logits.detach().double().requires_grad_()
    value, gradient = step(work.contenders[0].call, logits, target)
    for contender in work.contenders[1:]:
        their_value, their_gradient = (t.double() for t in step(contender.call, logits, target))
        torch.testing.assert_close(their_value, value, rtol=1e-5, atol=0)
        torch.testing.assert_close(their_gradient, gradient, rtol=1e-3, atol=float(gradient.abs().max()) * 1e-5)


def measure(work: Work, rounds: int, device: str) -> list[Time]:
    """The contenders of one work, taking turns."""
    logits, target = data(work.shape, device)
    check(work, logits, target)
    taken: list[list[float]] = [[] for _ in work.contenders]
    for round_ in range(rounds + 3):  # three to warm up
        for times, contender in zip(taken, work.contenders, strict=True):
            start = time.perf_counter()
            step(contender.call, logits, target)
            if device == "cuda":
                torch.cuda.synchronize()
            if round_ >= 3:
                times.append(time.perf_counter() - start)
    return [
        Time(
            contender,
            statistics.median(times),
            min(times),
            statistics.median(t / own for t, own in zip(times, taken[0], strict=True)),
        )
        for contender, times in zip(work.contenders, taken, strict=True)
    ]


def device_name(device: str) -> str:
    """What the times are of."""
    if device == "cuda":
        return torch.cuda.get_device_name()
    model = next(
        (line.split(":", 1)[1].strip() for line in _cpuinfo() if line.startswith("model name")), platform.processor()
    )
    return f"{model}, {torch.get_num_threads()} threads"


def _cpuinfo() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text().splitlines() if path.exists() else []


def markdown(rounds: int, device: str) -> Iterator[str]:
    """The table, line by line as it is measured."""
    yield f"{device_name(device)}, torch {torch.__version__}, {dt.date.today()}. Float32, eager, smooth 0 everywhere."
    yield f"Forward and backward in milliseconds, {rounds} rounds in turn. The ratio is the median over rounds of their"
    yield "time divided by losskit's: above 1 losskit is faster.\n"
    yield "| work | shape | library | median | minimum | ratio | asked for |"
    yield "|---|---|---|---|---|---|---|"
    for work in works():
        for t in measure(work, rounds, device):
            shape = "x".join(map(str, work.shape))
            yield (
                f"| {work.name} | {shape} | {t.contender.library} | {1e3 * t.median:.2f} | {1e3 * t.minimum:.2f} "
                f"| {t.against_ours:.2f} | `{t.contender.how}` |"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=30, help="how often each contender runs")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--threads", type=int, default=None, help="torch's threads; as many as cores if left out")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    for line in markdown(arguments.rounds, arguments.device):
        print(line, flush=True)


if __name__ == "__main__":
    main()
