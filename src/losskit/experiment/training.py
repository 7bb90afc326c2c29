"""One training run. As a program it is a fresh process: a request on stdin, a line a finished epoch on stdout."""

import faulthandler
import json
import os
import signal
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from losskit.build import build
from losskit.experiment.models import make_model
from losskit.experiment.scores import predict, score
from losskit.experiment.tasks.task import Data, Split

CURVE_POINTS = 10
CROP = 96  # pixels a side, at most, of what one training step sees of an image


@dataclass(frozen=True)
class Run:
    """What one process is asked to do."""

    loss: str
    seed: int
    epochs: int
    batch_size: int
    learning_rate: float
    patience: float  # seconds without a finished step after which the run is given up
    data: str  # file of Data
    examples: str | None = None  # file for the predictions on data.examples()


def train(run: Run, data: Data, on_step: Callable[[], None], on_epoch: Callable[[int], None]) -> dict[str, Any]:
    """Train one model with one loss: the same start and the same batches for every loss at a seed."""
    torch.manual_seed(run.seed)
    model = make_model(data)
    criterion = build(run.loss)
    optimizer = torch.optim.AdamW([*model.parameters(), *criterion.parameters()], lr=run.learning_rate)
    steps = run.epochs * -(-len(data.train) // run.batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, run.learning_rate, total_steps=steps, pct_start=0.2, cycle_momentum=False
    )
    order = torch.Generator().manual_seed(run.seed)
    step_seconds: list[float] = []
    loss_seconds: list[float] = []
    losses: list[float] = []
    curve: dict[str, list[float]] = {"epoch": [], "score": [], "training_loss": []}
    measured = {round(point * run.epochs / CURVE_POINTS) for point in range(1, CURVE_POINTS + 1)}
    for epoch in range(1, run.epochs + 1):
        for inputs, targets in batches(data.train, run.batch_size, order):
            on_step()
            place = f"at step {len(step_seconds) + 1} of {steps}"
            started = time.perf_counter()
            loss, seconds = backward(model(inputs), targets, criterion, place)
            optimizer.step()
            optimizer.zero_grad()
            schedule.step()
            step_seconds.append(time.perf_counter() - started)
            loss_seconds.append(seconds)
            losses.append(loss)
        if epoch in measured:
            scores = score(predict(model, data.validation.inputs), data.validation)
            curve["epoch"].append(epoch)
            curve["score"].append(next(iter(scores.values())) or 0.0)
            curve["training_loss"].append(statistics.fmean(losses))
            losses.clear()
        on_epoch(epoch)
    predictions = predict(model, data.test.inputs)
    if run.examples is not None:
        np.savez_compressed(run.examples, *[predictions[index].numpy() for index in data.examples()])
    return {
        "scores": score(predictions, data.test),
        "curve": curve,
        "step_ms": 1000 * statistics.median(step_seconds),
        "loss_ms": 1000 * statistics.median(loss_seconds),
        "peak_memory_mib": peak_memory(),
        "steps": steps,
    }


def backward(logits: Tensor, targets: Tensor, criterion: nn.Module, place: str) -> tuple[float, float]:
    """Gradients of everything; the loss, and the seconds that it took by itself, forward and backward."""
    leaf = logits.detach().requires_grad_()
    started = time.perf_counter()
    loss = criterion(leaf, targets)
    if not isinstance(loss, Tensor) or loss.numel() != 1:
        given = f"shape {tuple(loss.shape)}" if isinstance(loss, Tensor) else type(loss).__name__
        raise TypeError(f"the loss returned {given}; training needs one number, as reduction='mean' gives")
    if not loss.isfinite():
        raise FloatingPointError(f"the loss became {loss.item()} {place}")
    torch.autograd.backward(loss)
    seconds = time.perf_counter() - started
    if leaf.grad is None:
        raise RuntimeError("the loss has no gradient with respect to the logits: was it computed from detach()?")
    if not leaf.grad.isfinite().all():
        raise FloatingPointError(f"the gradient of the loss became NaN or infinite {place}")
    torch.autograd.backward(logits, leaf.grad)
    return loss.item(), seconds


def batches(split: Split, size: int, order: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
    """An epoch in random order. Images are cut to one size, at a random place, so that they stack."""
    height, width = (min(CROP, *(image.shape[axis] for image in split.inputs)) for axis in (1, 2))
    for indices in torch.split(torch.randperm(len(split), generator=order), size):
        inputs, targets = [], []
        for index in indices.tolist():
            image, target = split.inputs[index], split.targets[index]
            if target.ndim:
                top, left = (
                    int(torch.randint(whole - part + 1, (), generator=order))
                    for whole, part in ((image.shape[1], height), (image.shape[2], width))
                )
                window = (..., slice(top, top + height), slice(left, left + width))
                image, target = image[window], target[window]
            inputs.append(image)
            targets.append(target)
        yield torch.stack(inputs), torch.stack(targets)


def peak_memory() -> float | None:
    """Of this process, in MiB; None on Windows, which has no `resource`."""
    try:
        import resource
    except ImportError:
        return None
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def exit_with_parent() -> None:
    """The other end of stdin closes when whoever asked is gone, however it went."""
    os.read(sys.stdin.fileno(), 1)
    os._exit(1)


def main() -> None:
    run = Run(**json.loads(sys.stdin.readline()))
    threading.Thread(target=exit_with_parent, daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which then closes stdin
    reply = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a loss prints is no reply
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True, warn_only=True)

    def watch() -> None:
        faulthandler.dump_traceback_later(run.patience, exit=True)

    def on_epoch(epoch: int) -> None:
        print(json.dumps({"epoch": epoch}), file=reply, flush=True)

    watch()
    record = train(run, Data.load(Path(run.data)), watch, on_epoch)
    print(json.dumps({"record": record}), file=reply, flush=True)


if __name__ == "__main__":
    main()
