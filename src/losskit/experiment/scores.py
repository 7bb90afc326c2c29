"""Scores of a model on a split, by torchmetrics."""

from itertools import groupby

import torch
from torch import Tensor, nn
from torchmetrics.functional.classification import multiclass_accuracy
from torchmetrics.functional.segmentation import dice_score

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


def score(predictions: list[Tensor], split: Split, classes: int) -> dict[str, float | None]:
    """Every metric of the kind of task by its key; None where the split has nothing to measure it on."""
    if split.targets[0].ndim == 0:
        labels = torch.stack(split.targets)
        return {ACCURACY.key: multiclass_accuracy(torch.stack(predictions), labels, classes, average="micro").item()}
    truths = [truth[0].long() if truth.ndim == 3 else truth for truth in split.targets]
    dices = [image_dice(p, t, classes) for p, t in zip(predictions, truths, strict=True)]
    alarms = [(p[t != VOID] > 0).any() for p, t in zip(predictions, truths, strict=True) if not (t > 0).any()]
    return {
        DICE.key: sum(dices) / len(dices),
        FALSE_ALARMS.key: torch.stack(alarms).double().mean().item() if alarms else None,
    }


def image_dice(prediction: Tensor, truth: Tensor, classes: int) -> float:
    """Mean over the classes, background apart, that are predicted or true; 1 where there are none, correctly."""
    counts = truth != VOID
    per_class = dice_score(
        (prediction * counts)[None],
        (truth * counts)[None],
        num_classes=max(classes, 2),
        include_background=False,
        average="none",
        input_format="index",
    )
    return per_class.nanmean().nan_to_num(1.0).item()
