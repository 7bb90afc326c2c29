"""A made-up comparison to test the report, with numbers that can be found in it."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from losskit.experiment.comparison import find
from losskit.experiment.decisions import THRESHOLDS
from losskit.experiment.levels import ONCE
from losskit.experiment.results import Comparison, Tried, Tuning
from losskit.experiment.tasks import make_task
from losskit.experiment.tasks.task import Data, Task

LONG = "dice + 0.5 * tversky(alpha=0.3, beta=0.7, smooth=1.0) + 0.25 * focal(gamma=1.5)"
LEVELS = {"dice": 0.71, "bce": 0.66, "dice + bce": 0.712, "focal(gamma=2)": 0.60, LONG: 0.70}
RATES = (1e-3, 3e-3, 1e-2)
EVIL = 'my.py:loss(name="<script>alert(1)</script>|x")'


def comparison(
    out: Path,
    *,
    levels: dict[str, float] | None = None,
    blocks: int = 5,
    task: Task | None = None,
    stage: str = "done",
    failing: str | None = EVIL,
) -> Comparison:
    """`levels` are the mean scores of the losses; one more loss fails."""
    task = task or make_task("scenes")
    levels = LEVELS if levels is None else levels
    rng = np.random.default_rng(0)
    losses = [*levels, *([failing] if failing else [])]
    tunings = [tuned(rng, loss, level, blocks) for loss, level in levels.items()]
    failures = [failure(failing, rate) for rate in RATES] if failing else []
    if failing:
        tried = tuple(Tried(each["rate"], (None,) * blocks, each["failure"]) for each in failures)
        tunings.append(Tuning(failing, tried, None, (None,) * blocks, None))
    noise = rng.normal(0, 0.01, blocks)
    data = task.data(0)
    (out / "examples").mkdir(parents=True, exist_ok=True)
    runs, pictures = [], []
    for loss, level in levels.items() if stage != "tuning" else ():
        scores = level + noise + rng.normal(0, 0.004, blocks)
        runs += [measured_run(rng, loss, float(score), block, task, data.kind) for block, score in enumerate(scores)]
        if data.kind != "regression":
            runs[-blocks]["examples"] = answers(out, f"{losses.index(loss)}", data, level, rng)
        if task.picture is not None:
            name = answers(out, f"coins-{losses.index(loss)}", task.picture.data(0), 0.9, rng)
            pictures.append({"loss": loss, "examples": name})
    sweep = SimpleNamespace(
        task=task,
        losses=losses,
        finished=lambda loss: [run for run in runs if run["loss"] == loss],
        level=lambda baseline: ONCE,
        request=SimpleNamespace(margin=None, budget=4.0),
        failures=failures,
        tunings=tunings,
        kind=data.kind,
        overlap=0.0,
    )
    return Comparison(
        task=task,
        losses=losses,
        epochs=15,
        findings=find(sweep, task.baseline),
        runs=runs,
        tuning=[],
        pictures=pictures,
        failures=failures,
        stage=stage,
        budget=4.0,
        minutes=3.5,
        command="losskit compare --task scenes",
        out=out,
    )


def tuned(rng: np.random.Generator, loss: str, level: float, blocks: int) -> Tuning:
    """The middle rate is chosen in every block, and the highest was not tried in the first."""
    tried = []
    for rate in RATES:
        scores = (level - 0.04 * np.log10(rate / RATES[1]) ** 2 + rng.normal(0, 0.005, blocks)).tolist()
        tried.append(Tried(rate, (None, *scores[1:]) if rate == RATES[2] and blocks > 1 else tuple(scores), None))
    return Tuning(loss, tuple(tried), RATES[1], (RATES[1],) * blocks, None)


def measured_run(
    rng: np.random.Generator, loss: str, score: float, block: int, task: Task, kind: str
) -> dict[str, Any]:
    """All results for segmentation; only scores for other kinds."""
    steep = 0.5 if "dice" in loss else 1.0
    sure = (np.arange(15) + 0.5) / 15
    over = [float(score - 0.02 * steep * np.log(t / (1 - t)) ** 2) for t in THRESHOLDS]
    share = np.exp(-5 * sure) / np.exp(-5 * sure).sum()
    places = ("foreground", "boundary", "background")
    scores = {
        "dice": score,
        "dice_at_half": score - 0.01,
        "empty_left_clean": float(np.clip(0.6 + (0.2 if "bce" in loss else 0) + rng.normal(0, 0.05), 0, 1)),
        "empty_left_clean_at_half": 0.8,
        "average_precision": score + 0.05,
        "brier": 0.02,
        "calibration_error": 0.01,
        "threshold": 0.5,
    }
    if kind != "segmentation":
        scores = {metric.key: score for metric in task.metrics}
    record = {
        "loss": loss,
        "block": block,
        "rate": 3e-3,
        "role": "tested",
        "scores": scores,
        "curve": {
            "epoch": [3, 6, 9, 12, 15],
            "score": [score * part for part in (0.2, 0.6, 0.8, 0.95, 1)],
            "training_loss": [1, 0.5, 0.4, 0.3, 0.3],
        },
        "step_ms": 21.4,
        "loss_ms": 0.31,
        "saved_mib": 0.14,
        "peak_memory_mib": 310.0,
        "steps": 300,
        "examples": None,
    }
    if kind != "segmentation":
        return record
    return {
        **record,
        "calibration": {"confidence": sure.tolist(), "right": (sure ** (1 / steep)).tolist(), "share": share.tolist()},
        "thresholds": {"threshold": list(THRESHOLDS), "score": over},
        "gradient": {
            "start": dict(zip(places, (0.1, 0.1, 0.8), strict=True)),
            "end": dict(zip(places, (0.3, 0.5, 0.2), strict=True)),
            "pixels": dict(zip(places, (0.03, 0.05, 0.92), strict=True)),
        },
    }


def answers(out: Path, name: str, data: Data, level: float, rng: np.random.Generator) -> str:
    """Targets with noise, as outputs of a model for the displayed items."""
    found = []
    for index in data.examples():
        target = data.test.targets[index]
        truth = target[0].long() if target.is_floating_point() else target
        wrong = torch.from_numpy(rng.random((1, *truth.shape)) < (1 - level) / 10)[0]
        found.append(torch.where(wrong, 1 - truth.clamp(max=1), truth).numpy())
    np.savez_compressed(out / "examples" / f"{name}.npz", *found)
    return f"examples/{name}.npz"


def failure(loss: str, rate: float) -> dict[str, Any]:
    return {
        "loss": loss,
        "block": 0,
        "rate": rate,
        "role": "tuning",
        "kind": "crashed",
        "failure": "KeyError: 'no such | thing'",
        "trace": "Traceback (most recent call last):\n  KeyError: 'no such | thing'",
    }
