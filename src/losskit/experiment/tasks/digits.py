"""Handwritten digits with flawed training labels: which loss is robust to the flaw?"""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from torch import Tensor

from losskit.experiment.tasks.task import ACCURACY, BALANCED, PARTS, Data, Metric, Split, Task

WRONG = 0.4  # share of labels replaced by another digit, in training and validation
COUNTS = {"train": 800, "validation": 300}

RATIO = 50  # the commonest digit to the rarest
COMMONEST = {"train": 100, "validation": 50}  # images of a 0

IN_TRAINING = [round(COMMONEST["train"] * RATIO ** (-digit / 9)) for digit in range(10)]

Indices = NDArray[Any]


@dataclass(frozen=True)
class Digits(Task):
    epochs: int = 40
    batch_size: int = 32
    learning_rate: float = 3e-3
    baseline: str = "ce"

    def data(self, seed: int) -> Data:
        rng = np.random.default_rng(seed)
        digits = load_digits()
        images = torch.from_numpy(digits.images / 8 - 1).float()[:, None]
        labels = torch.from_numpy(digits.target).long()
        splits = {}
        for part, indices in self.parts(rng, digits.target).items():
            targets = labels[indices] if part == "test" else self.spoil(rng, labels[indices])
            splits[part] = Split(list(images[indices]), list(targets))
        return Data.of(splits, classes=10, kind="classification")

    @abstractmethod
    def parts(self, rng: np.random.Generator, labels: Indices) -> dict[str, Indices]: ...

    def spoil(self, rng: np.random.Generator, labels: Tensor) -> Tensor:
        return labels


@dataclass(frozen=True)
class NoisyDigits(Digits):
    name: str = "digits-noisy"
    about: str = (
        f"Handwritten digits, 8 x 8 pixels: {COUNTS['train']} for training, {WRONG:.0%} of them with a wrong label, as "
        f"do those of the {COUNTS['validation']} for validation, and a test part with correct labels. Each seed "
        "draws another split and other wrong labels."
    )
    metrics: tuple[Metric, ...] = (ACCURACY,)
    losses: tuple[str, ...] = ("ce", "ce(label_smoothing=0.1)", "focal(gamma=2)", "gce(q=0.7)", "sce")
    class_counts: tuple[int, ...] | None = (COUNTS["train"] // 10,) * 10
    epochs: int = 13
    learning_rate: float = 1e-3
    arguments: tuple[str, ...] = ("--task", "digits-noisy")

    def parts(self, rng: np.random.Generator, labels: Indices) -> dict[str, Indices]:
        cuts = np.cumsum(list(COUNTS.values())).tolist()
        return dict(zip(PARTS, np.split(rng.permutation(len(labels)), cuts), strict=True))

    def spoil(self, rng: np.random.Generator, labels: Tensor) -> Tensor:
        wrong = torch.from_numpy(rng.random(len(labels)) < WRONG)
        shift = torch.from_numpy(rng.integers(1, 10, len(labels)))
        return torch.where(wrong, (labels + shift) % 10, labels)


@dataclass(frozen=True)
class LongTailDigits(Digits):
    name: str = "digits-longtail"
    about: str = (
        f"Handwritten digits, 8 x 8 pixels, some of them rare: {COMMONEST['train']} training images of a 0, "
        f"fewer of each next digit, and {COMMONEST['train'] // RATIO} of a 9 ({RATIO} to 1, in validation as well). "
        "The test has the rest and weights every digit equally. Each seed draws another split."
    )
    metrics: tuple[Metric, ...] = (BALANCED, ACCURACY)
    losses: tuple[str, ...] = ("ce", "logit-adjusted ce", "ce(label_smoothing=0.1)", "focal(gamma=2)")
    spelled: Mapping[str, str] = field(default_factory=lambda: {"logit-adjusted ce": f"ce(prior={IN_TRAINING})"})
    class_counts: tuple[int, ...] | None = tuple(IN_TRAINING)
    arguments: tuple[str, ...] = ("--task", "digits-longtail")

    def parts(self, rng: np.random.Generator, labels: Indices) -> dict[str, Indices]:
        parts: dict[str, list[Indices]] = {part: [] for part in PARTS}
        for digit in range(10):
            images = rng.permutation(np.flatnonzero(labels == digit))
            counts = [round(most * RATIO ** (-digit / 9)) for most in COMMONEST.values()]
            for part, indices in zip(PARTS, np.split(images, np.cumsum(counts)), strict=True):
                parts[part].append(indices)
        return {part: rng.permutation(np.concatenate(indices)) for part, indices in parts.items()}
