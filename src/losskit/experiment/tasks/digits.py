"""Handwritten digits with wrong training labels: which loss forgives an annotator?"""

from dataclasses import dataclass

import numpy as np
import torch
from sklearn.datasets import load_digits

from losskit.experiment.tasks.task import ACCURACY, Data, Metric, Split, Task

WRONG = 0.4  # share of labels replaced by another digit, in training and validation
COUNTS = {"train": 800, "validation": 300}


@dataclass(frozen=True)
class NoisyDigits(Task):
    name: str = "digits-noisy"
    about: str = (
        f"Handwritten digits, 8 x 8 pixels: {COUNTS['train']} to train on, of which {WRONG:.0%} have a wrong label, "
        "and a test part whose labels are right. Each seed draws another split and other wrong labels."
    )
    metrics: tuple[Metric, ...] = (ACCURACY,)
    losses: tuple[str, ...] = ("ce", "ce(label_smoothing=0.1)", "focal(gamma=2)", "gce(q=0.7)", "sce")
    epochs: int = 40
    batch_size: int = 32
    learning_rate: float = 3e-3
    arguments: tuple[str, ...] = ("--task", "digits-noisy")

    def data(self, seed: int) -> Data:
        rng = np.random.default_rng(seed)
        digits = load_digits()
        images = torch.from_numpy(digits.images / 8 - 1).float()[:, None]
        labels = torch.from_numpy(digits.target).long()
        order = torch.from_numpy(rng.permutation(len(labels)))
        parts = order.tensor_split(np.cumsum(list(COUNTS.values())).tolist())
        splits = {}
        for name, indices in zip([*COUNTS, "test"], parts, strict=True):
            targets = labels[indices]
            if name in COUNTS:
                wrong = torch.from_numpy(rng.random(len(indices)) < WRONG)
                shift = torch.from_numpy(rng.integers(1, 10, len(indices)))
                targets = torch.where(wrong, (targets + shift) % 10, targets)
            splits[name] = Split(list(images[indices]), list(targets))
        return Data(**splits, classes=10)
