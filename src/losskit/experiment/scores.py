"""Scores of a model on a split of the data."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from losskit.experiment import metrics
from losskit.experiment.decisions import Decider, truths
from losskit.experiment.metrics import Metric
from losskit.experiment.tasks.task import VOID, Split

BINS = 15
MOST = 500_000  # pixels that average precision and calibration are measured on
Scores = dict[str, float | None]


def of_answers(metric: Metric, answers: list[Tensor], split: Split) -> float:
    """A score of decided answers; more is better, whatever the metric."""
    return metric.better(ANSWERS[metric.key](answers, truths(split)))


def mean_dice(answers: list[Tensor], right: list[Tensor]) -> float:
    dices = [image_dice(answer, truth) for answer, truth in zip(answers, right, strict=True)]
    return sum(dices) / len(dices)


def image_dice(answer: Tensor, truth: Tensor) -> float:
    """Mean over the classes, background apart, that are predicted or true; 1 where there are none, correctly."""
    counts = truth != VOID
    answer, truth = answer[counts], truth[counts]
    most = int(max(answer.max(), truth.max())) + 1 if len(truth) else 1
    predicted, true, both = (
        torch.bincount(found, minlength=most)[1:] for found in (answer, truth, truth[answer == truth])
    )
    occurring = predicted + true > 0
    if not occurring.any():
        return 1.0
    return float((2 * both[occurring] / (predicted + true)[occurring]).double().mean())


def accuracy(answers: list[Tensor], right: list[Tensor]) -> float:
    return float((torch.stack(answers) == torch.stack(right)).double().mean())


def balanced_accuracy(answers: list[Tensor], right: list[Tensor]) -> float:
    """Mean over the classes that occur."""
    answer, truth = torch.stack(answers), torch.stack(right)
    return float(np.mean([float((answer[truth == c] == c).double().mean()) for c in torch.unique(truth)]))


def false_alarms(answers: list[Tensor], right: list[Tensor]) -> float | None:
    alarms = [bool((a[t != VOID] > 0).any()) for a, t in zip(answers, right, strict=True) if not (t > 0).any()]
    return float(np.mean(alarms)) if alarms else None


ANSWERS: dict[str, Callable[[list[Tensor], list[Tensor]], float]] = {
    metrics.DICE.key: mean_dice,
    metrics.ACCURACY.key: accuracy,
    metrics.BALANCED.key: balanced_accuracy,
}


def score(outputs: list[Tensor], split: Split, decider: Decider, threshold: float, kind: str) -> Scores:
    """Every score of classes by its key, at the threshold and at no change; None where there is nothing to measure."""
    right = truths(split)
    scores: Scores = {metrics.THRESHOLD.key: threshold}
    of: list[tuple[Metric, Callable[[list[Tensor], list[Tensor]], float | None]]]
    if kind == "segmentation":
        of = [(metrics.DICE, mean_dice), (metrics.FALSE_ALARMS, false_alarms)]
    else:
        of = [(metrics.ACCURACY, accuracy), (metrics.BALANCED, balanced_accuracy)]
    for metric, function in of:
        scores[metric.key] = function(decider.answers(outputs, threshold), right)
        scores[metrics.at_half(metric)] = function(decider.answers(outputs, decider.neutral), right)
    return scores | calibration_scores(*probabilities(outputs, right, binary=decider.binary))


def probabilities(outputs: list[Tensor], right: list[Tensor], *, binary: bool) -> tuple[Tensor, Tensor]:
    """(elements, classes) and (elements,), of what counts; of many pixels an even sample."""
    logits = torch.cat([output.flatten(1).T if output.ndim > 1 else output[None] for output in outputs]).double()
    truth = torch.cat([target.flatten() for target in right])
    chosen = (truth != VOID).nonzero()[:, 0]
    chosen = chosen[:: -(-len(chosen) // MOST) or 1]
    logits, truth = logits[chosen], truth[chosen]
    if binary:
        yes = logits[:, 0].sigmoid()
        return torch.stack([1 - yes, yes], dim=1), truth
    return logits.softmax(1), truth


def calibration_scores(probability: Tensor, truth: Tensor) -> Scores:
    from sklearn.metrics import average_precision_score

    one_hot = torch.nn.functional.one_hot(truth, probability.shape[1])
    first = 1 if probability.shape[1] == 2 else 0
    occurring = [c for c in range(first, probability.shape[1]) if 0 < one_hot[:, c].sum() < len(truth)]
    precision = [average_precision_score(one_hot[:, c].numpy(), probability[:, c].numpy()) for c in occurring]
    bins = calibration_bins(probability, truth)
    return {
        metrics.PRECISION.key: float(np.mean(precision)) if precision else None,
        metrics.BRIER.key: float((probability - one_hot).square().sum(1).mean() / 2),
        metrics.CALIBRATION.key: sum(
            share * abs(confidence - right) for confidence, right, share in zip(*bins.values(), strict=True)
        ),
    }


def calibration_bins(probability: Tensor, truth: Tensor) -> dict[str, list[float]]:
    """How sure the model is, and how often right: of the second class of two, of the likeliest of more."""
    if probability.shape[1] == 2:
        confidence, right = probability[:, 1], truth == 1
    else:
        confidence, answer = probability.max(1)
        right = answer == truth
    place = (confidence * BINS).long().clamp(max=BINS - 1)
    counts = torch.bincount(place, minlength=BINS).double()
    held = counts > 0
    means = [torch.bincount(place, v.double(), minlength=BINS)[held] / counts[held] for v in (confidence, right)]
    return {
        "confidence": means[0].tolist(),
        "right": means[1].tolist(),
        "share": (counts[held] / counts.sum()).tolist(),
    }


def regression_scores(outputs: list[Tensor], split: Split, scale: float) -> Scores:
    """In the units of the target."""
    from sklearn.metrics import mean_absolute_error, median_absolute_error, r2_score, root_mean_squared_error

    predicted, true = (scale * torch.stack(values).double().flatten(1).numpy() for values in (outputs, split.targets))
    found = zip(
        metrics.REGRESSION,
        (mean_absolute_error, root_mean_squared_error, median_absolute_error, r2_score),
        strict=True,
    )
    return {metric.key: float(function(true, predicted)) for metric, function in found}


def measured(kind: str) -> tuple[Metric, ...]:
    """The metrics of a kind of task."""
    return {
        "segmentation": metrics.SEGMENTATION,
        "classification": metrics.LABELS,
        "regression": metrics.REGRESSION,
    }[kind]
