"""One training run: a model, trained with one loss at one learning rate, and tested."""

import hashlib
import io
import pickle
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from losskit.building.build import build
from losskit.building.references import Reference, load
from losskit.experiment.decisions import Decider, predict, truths
from losskit.experiment.gradients import PROBE, element_shares, gradient_shares, one_number, saved_mib
from losskit.experiment.metrics import RANKING, Metric
from losskit.experiment.models import make_model
from losskit.experiment.scores import calibration_bins, over_candidates, probabilities, regression_scores, score
from losskit.experiment.tasks.task import Data, Split

CURVE_POINTS = 6
CURVE_ITEMS = 64  # maximum validation items at each point
CROPS = {1: 4096, 2: 64, 3: 32}  # maximum elements per side of a training crop, by spatial dimensions

Role = Literal["tuning", "tested", "fresh", "picture"]


@dataclass(frozen=True)
class Run:
    """The task of one process."""

    loss: str
    block: int
    seed: int
    role: Role
    rate: float
    epochs: int
    batch_size: int
    metric: str  # key of the ranking metric
    patience: float  # seconds without a finished step after which the run is stopped
    limit: float  # maximum seconds of the run
    data: str  # file of Data; without the test part for a tuning run
    model: str | None = None  # file.py:function
    shipped: str | None = None  # file of Python objects given by the caller: losses, model, metric
    shipped_digest: str | None = None  # digest of that file, from its writer
    folder: str = "."  # of the comparison
    examples: str | None = None  # file, in the folder, for the decisions on data.examples()
    weights: str | None = None  # file that the tuning run writes and the tested run reads


@dataclass(frozen=True)
class Parts:
    """The components of a run, resolved from their names or from the shipped file."""

    criterion: nn.Module
    make: Callable[..., Any] | None
    metric: Callable[..., float] | None

    @classmethod
    def of(cls, run: Run) -> "Parts":
        shipped: dict[str, Any] = {}
        if run.shipped is not None:
            content = Path(run.shipped).read_bytes()
            if hashlib.sha256(content).hexdigest() != run.shipped_digest:
                raise PermissionError(f"{run.shipped} has changed since this comparison wrote it, so it is not loaded")
            shipped = pickle.loads(content)  # noqa: S301 - its digest came from our parent, not from the folder
        make = shipped.get("model")
        if run.model is not None:
            make = load(Reference(*run.model.rsplit(":", 1)))
        return cls(
            build(shipped.get("losses", {}).get(run.loss, run.loss), references=True), make, shipped.get("metric")
        )


class Evaluator:
    """The ranking score on validation data, and all scores on test data."""

    def __init__(self, run: Run, data: Data, own: Callable[..., float] | None) -> None:
        self.data, self.own = data, own
        self.metric = next((m for m in RANKING if m.key == run.metric), Metric(run.metric, run.metric))
        self.decider = None if data.kind == "regression" else Decider(data)

    def value(self, outputs: list[Tensor], split: Split) -> float:
        """The score without a change of the threshold, in the metric's own direction."""
        if self.own is not None:
            return float(self.own(torch.stack(outputs), torch.stack(split.targets)))
        if self.decider is None:
            return float(regression_scores(outputs, split, self.data.scale)[self.metric.key] or 0.0)
        return self.curve(outputs, split, self.decider, (self.decider.neutral,))[0]

    def curve(
        self, outputs: list[Tensor], split: Split, decider: Decider, candidates: tuple[float, ...] | None = None
    ) -> list[float]:
        return over_candidates(outputs, split, decider, self.data.kind, candidates)[self.metric.key]

    def threshold(self, outputs: list[Tensor], split: Split) -> tuple[float | None, float]:
        """The threshold that is best on this split, and its score."""
        if self.decider is None:
            return None, self.value(outputs, split)
        if self.own is not None:
            return self.decider.neutral, self.value(outputs, split)
        scores = self.curve(outputs, split, self.decider)
        return self.decider.choose([self.metric.better(value) for value in scores]), max(scores)

    def scores(self, outputs: list[Tensor], split: Split, threshold: float | None) -> dict[str, Any]:
        own = {} if self.own is None else {self.metric.key: self.value(outputs, split)}
        if self.decider is None or threshold is None:
            return {"scores": regression_scores(outputs, split, self.data.scale) | own}
        curves = over_candidates(outputs, split, self.decider, self.data.kind)
        found: dict[str, Any] = {
            "scores": score(outputs, split, self.decider, threshold, curves) | own,
            "calibration": calibration_bins(*probabilities(outputs, truths(split), binary=self.decider.binary)),
        }
        if self.own is None:
            found["thresholds"] = {"threshold": list(self.decider.candidates), "score": curves[self.metric.key]}
        return found


def carry_out(run: Run, data: Data, parts: Parts, on_step: Callable[[], None]) -> dict[str, Any]:
    """The results of training, unless the weights exist already, and of testing, unless it is a tuning run."""
    seed_everything(run.seed)
    model = make_model(data, parts.make)
    evaluator = Evaluator(run, data, parts.metric)
    weights = None if run.weights is None else Path(run.folder) / run.weights
    trained: dict[str, Any] = {}
    if run.role != "tested" or weights is None or not take(weights, model):
        trained = fit(run, data, model, parts.criterion, evaluator, on_step)
    on_step()
    threshold, validation = evaluator.threshold(predict(model, data.validation.inputs), data.validation)
    if run.role == "tuning":
        if weights is not None:
            leave(weights, model)
        return {**trained, "validation": validation}
    return {**trained, "validation": validation, **tested(run, data, model, evaluator, threshold)}


def leave(path: Path, model: nn.Module) -> None:
    """Save through memory, so that a full disk raises an OSError with its reason."""
    content = io.BytesIO()
    torch.save(model.state_dict(), content)
    path.write_bytes(content.getbuffer())


def take(path: Path, model: nn.Module) -> bool:
    """Load the weights if they exist; an incomplete file, from a killed run, counts as missing."""
    try:
        model.load_state_dict(torch.load(path, weights_only=True))
    except (OSError, RuntimeError, pickle.UnpicklingError, EOFError, KeyError, ValueError):
        return False
    return True


def tested(run: Run, data: Data, model: nn.Module, evaluator: Evaluator, threshold: float | None) -> dict[str, Any]:
    outputs = predict(model, data.test.inputs)
    if run.examples is not None:
        shown = [outputs[index] for index in data.examples()]
        answers = shown if evaluator.decider is None else evaluator.decider.answers(shown, threshold or 0.0)
        np.savez_compressed(Path(run.folder) / run.examples, *[answer.numpy() for answer in answers])
    return {**evaluator.scores(outputs, data.test, threshold), "examples": run.examples}


def fit(
    run: Run, data: Data, model: nn.Module, criterion: nn.Module, evaluator: Evaluator, on_step: Callable[[], None]
) -> dict[str, Any]:
    """Train one model with one loss: same start and same batches for every loss in a block."""
    optimizer = torch.optim.AdamW([*model.parameters(), *criterion.parameters()], lr=run.rate, fused=True)
    steps = run.epochs * -(-len(data.train) // run.batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, run.rate, total_steps=steps, pct_start=0.2, cycle_momentum=False
    )
    order = torch.Generator().manual_seed(run.seed)
    probe = Probe(data, criterion)
    start = probe.look(model)
    some = Split(data.validation.inputs[:CURVE_ITEMS], data.validation.targets[:CURVE_ITEMS])
    step_seconds: list[float] = []
    loss_seconds: list[float] = []
    losses: list[float] = []
    curve: dict[str, list[float]] = {"epoch": [], "score": [], "training_loss": []}
    drawn = {round(point * run.epochs / CURVE_POINTS) for point in range(1, CURVE_POINTS + 1)} - {0}
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
        if epoch in drawn:
            curve["epoch"].append(epoch)
            curve["score"].append(evaluator.value(predict(model, some.inputs), some))
            curve["training_loss"].append(statistics.fmean(losses))
            losses.clear()
    return {
        "curve": curve,
        "gradient": {"start": start, "end": probe.look(model), "pixels": probe.elements},
        "step_ms": 1000 * statistics.median(step_seconds),
        "loss_ms": 1000 * statistics.median(loss_seconds),
        "steps": steps,
        "saved_mib": probe.saved,
        "peak_memory_mib": peak_memory(),
    }


class Probe:
    """A few training items, the same for every loss, on which the gradient is inspected."""

    def __init__(self, data: Data, criterion: nn.Module) -> None:
        self.data, self.criterion = data, criterion
        self.inputs, self.targets = next(batches(data.train, PROBE, torch.Generator().manual_seed(0)))
        self.elements: dict[str, float] = {}
        self.saved = 0.0

    def look(self, model: nn.Module) -> dict[str, float]:
        model.eval()  # does not change running statistics
        with torch.no_grad():
            outputs = model(self.inputs)
        model.train()
        if not self.elements:
            self.elements = element_shares(outputs, self.targets, self.data)
            self.saved = saved_mib(outputs, self.targets, self.criterion)
        return gradient_shares(outputs, self.targets, self.criterion, self.data)


def backward(logits: Tensor, targets: Tensor, criterion: nn.Module, place: str) -> tuple[float, float]:
    """Compute all gradients; returns the loss, and the seconds of the loss alone, forward and backward."""
    leaf = logits.detach().requires_grad_()
    started = time.perf_counter()
    loss = one_number(criterion(leaf, targets), place)
    torch.autograd.backward(loss)
    seconds = time.perf_counter() - started
    if leaf.grad is None:
        raise RuntimeError("the loss has no gradient with respect to the logits: was it computed from detach()?")
    if not leaf.grad.isfinite().all():
        raise FloatingPointError(f"the gradient of the loss became NaN or infinite {place}")
    torch.autograd.backward(logits, leaf.grad)
    return loss.item(), seconds


def batches(split: Split, size: int, order: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
    """One epoch in random order. Images are cropped to one size, at random positions, so that they can be stacked."""
    spatial = split.inputs[0].shape[1:]
    cut = len(spatial) > 0 and split.targets[0].shape[-len(spatial) :] == spatial
    shapes = [item.shape[1:] for item in split.inputs]
    sides = [min(CROPS[len(spatial)], *side) for side in zip(*shapes, strict=True)] if cut else []
    for indices in torch.split(torch.randperm(len(split), generator=order), size):
        inputs, targets = [], []
        for index in indices.tolist():
            item, target = split.inputs[index], split.targets[index]
            if cut:
                window: list[Any] = [...]
                for whole, part in zip(item.shape[1:], sides, strict=True):
                    first = int(torch.randint(whole - part + 1, (), generator=order))
                    window.append(slice(first, first + part))
                item, target = item[tuple(window)], target[tuple(window)]
            inputs.append(item)
            targets.append(target)
        yield torch.stack(inputs), torch.stack(targets)


def seed_everything(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def peak_memory() -> float | None:
    """Peak memory of this process in MiB; None on Windows, which has no `resource`."""
    try:
        import resource
    except ImportError:
        return None
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
