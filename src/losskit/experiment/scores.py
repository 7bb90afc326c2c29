"""Scores of a model on a split, by scikit-learn."""

from itertools import groupby

import numpy as np
import torch
from sklearn.metrics import accuracy_score, f1_score
from torch import Tensor, nn

from losskit.experiment.tasks.task import ACCURACY, DICE, FALSE_ALARMS, VOID, Split

CHUNK = 16  # images of one size that go through the model together


@torch.no_grad()
def predict(model: nn.Module, inputs: list[Tensor]) -> list[Tensor]:
    """Class indices: (H, W) of each image, () of each label. Binary logits are cut at 0, a probability of one half."""
    model.eval()
    predictions: list[Tensor] = []
    for _, same in groupby(inputs, key=lambda image: image.shape):
        for chunk in torch.split(torch.stack(list(same)), CHUNK):
            logits = model(chunk)
            binary = logits.ndim > 2 and logits.shape[1] == 1
            predictions += (logits[:, 0] > 0).long() if binary else logits.argmax(1)
    model.train()
    return predictions


def score(predictions: list[Tensor], split: Split) -> dict[str, float | None]:
    """Every metric of the kind of task by its key; None where the split has nothing to measure it on."""
    if split.targets[0].ndim == 0:
        return {ACCURACY.key: float(accuracy_score(torch.stack(split.targets), torch.stack(predictions)))}
    truths = [truth[0].long() if truth.ndim == 3 else truth for truth in split.targets]
    dices = [image_dice(p, t) for p, t in zip(predictions, truths, strict=True)]
    alarms = [(p[t != VOID] > 0).any() for p, t in zip(predictions, truths, strict=True) if not (t > 0).any()]
    return {
        DICE.key: sum(dices) / len(dices),
        FALSE_ALARMS.key: torch.stack(alarms).double().mean().item() if alarms else None,
    }


def image_dice(prediction: Tensor, truth: Tensor) -> float:
    """Mean over the classes, background apart, that are predicted or true; 1 where there are none, correctly."""
    counts = truth != VOID
    predicted, true = prediction[counts].numpy(), truth[counts].numpy()
    occurring = [int(c) for c in np.union1d(predicted, true) if c > 0]
    return float(f1_score(true, predicted, labels=occurring, average="macro")) if occurring else 1.0
