"""A measured number with misplaced decimal points: which loss is robust to outliers?"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.datasets import load_diabetes
from torch import Tensor

from losskit.experiment.tasks.splits import split_groups
from losskit.experiment.tasks.task import MAE, Data, Metric, Split, Task

SLIPPED, TIMES = 0.1, 10  # share of training and validation values with the decimal point one place further
MEAN, SPREAD = 152.0, 77.0  # of the progression, which is learned in units of its standard deviation


@dataclass(frozen=True)
class DiabetesOutliers(Task):
    name: str = "diabetes-outliers"
    about: str = (
        "Progression of diabetes in a year, from ten measurements of each of 442 patients: 60 % for training, 20 % for "
        f"validation, 20 % for the test. In training and validation {SLIPPED:.0%} of the values are {TIMES} times "
        "too large, as by a misplaced decimal point; in the test none is. The progression is a number from 25 to "
        "346. Each seed draws another split and other errors."
    )
    metrics: tuple[Metric, ...] = (MAE,)
    losses: tuple[str, ...] = ("mse", "l1", "huber", "smooth_l1(beta=0.1)")
    epochs: int = 40
    batch_size: int = 32
    learning_rate: float = 3e-3
    baseline: str = "mse"
    arguments: tuple[str, ...] = ("--task", "diabetes-outliers")

    def data(self, seed: int) -> Data:
        rng = np.random.default_rng(seed)
        measured, progression = load_diabetes(return_X_y=True, scaled=False)
        parts = split_groups(range(len(progression)), seed)
        mean, spread = measured[parts["train"]].mean(0), measured[parts["train"]].std(0)
        splits = {}
        for part, patients in parts.items():
            slips = rng.random(len(patients)) < (0 if part == "test" else SLIPPED)
            values = np.where(slips, TIMES, 1) * progression[patients]
            splits[part] = Split(rows((measured[patients] - mean) / spread), rows((values - MEAN)[:, None] / SPREAD))
        return Data.of(splits, classes=1, kind="regression", scale=SPREAD)


def rows(table: NDArray[np.float64]) -> list[Tensor]:
    return list(torch.from_numpy(table).float())
