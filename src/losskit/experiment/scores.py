"""Scores of a model on one split of the data."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from losskit.experiment import metrics
from losskit.experiment.decisions import Decider, cut, truths
from losskit.experiment.metrics import Metric
from losskit.experiment.tasks.task import VOID, Split

BINS = 15
MOST = 500_000  # maximum pixels for average precision and calibration
Scores = dict[str, float | None]
Curves = dict[str, list[float]]  # the score at each candidate, by the metric's key


def over_candidates(
    outputs: list[Tensor], split: Split, decider: Decider, kind: str, candidates: Sequence[float] | None = None
) -> Curves:
    """Every score of the decisions at each threshold; scores without data are left out."""
    candidates = decider.candidates if candidates is None else candidates
    right = truths(split)
    if kind == "segmentation":
        return segmentation_scores(*count(outputs, right, decider, candidates))
    logits, truth = torch.stack(outputs), torch.stack(right)
    answers = torch.stack([decider.of(logits, threshold) for threshold in candidates])  # (candidates, N)
    hits = (answers == truth).double()
    found = torch.stack([hits[:, truth == c].mean(1) for c in torch.unique(truth)])
    return {metrics.ACCURACY.key: hits.mean(1).tolist(), metrics.BALANCED.key: found.mean(0).tolist()}


def segmentation_scores(predicted: Tensor, true: Tensor, both: Tensor) -> Curves:
    """Scores from pixel counts per foreground class: (candidates, N, classes), and (N, classes) of the truth."""
    held = true.sum(1) > 0
    found: Curves = {}
    if held.any() or not len(true):
        found[metrics.DICE.key] = dice(predicted[:, held], true[held], both[:, held]).mean(1).tolist()
    if not held.all():
        clean = predicted[:, ~held].sum(2) == 0
        found[metrics.CLEAN.key] = clean.double().mean(1).tolist()
        found.setdefault(metrics.DICE.key, found[metrics.CLEAN.key])  # all images are empty: nothing else can rank
    return found


def dice(predicted: Tensor, true: Tensor, both: Tensor) -> Tensor:
    """Dice, (candidates, N), mean over the predicted or true classes; 1 if there are none."""
    whole = predicted + true
    ratio = torch.where(whole > 0, 2 * both / whole.clamp(min=1), 0.0).sum(2)
    occurring = (whole > 0).sum(2)
    return torch.where(occurring > 0, ratio / occurring.clamp(min=1), 1.0)


def count(
    outputs: list[Tensor], right: list[Tensor], decider: Decider, candidates: Sequence[float]
) -> tuple[Tensor, Tensor, Tensor]:
    """Predicted, true and common pixels of each foreground class, in one pass over all images."""
    truth = torch.cat([each.flatten() for each in right])
    image = torch.repeat_interleave(torch.arange(len(right)), torch.tensor([each.numel() for each in right]))
    known = truth != VOID
    truth, image = truth[known], image[known]
    if decider.binary:
        logits = torch.cat([each.flatten() for each in outputs])[known].double()
        cuts = torch.tensor([cut(threshold) for threshold in candidates], dtype=torch.double)
        place = torch.bucketize(logits, cuts)  # number of cuts below it
        size = len(cuts) + 1

        def above(chosen: Tensor) -> Tensor:
            counts = torch.bincount(image[chosen] * size + place[chosen], minlength=len(right) * size)
            return counts.view(-1, size).flip(1).cumsum(1).flip(1)[:, 1:].T[..., None]

        positive = truth > 0
        true = torch.bincount(image[positive], minlength=len(right))[:, None]
        return above(torch.ones_like(positive)), true, above(positive)
    classes = max(len(decider.prior), 2)

    def per_class(labels: Tensor, of: Tensor) -> Tensor:
        return torch.bincount(of * classes + labels, minlength=len(right) * classes).view(-1, classes)[:, 1:]

    predicted, both = [], []
    for threshold in candidates:
        answer = torch.cat([each.flatten() for each in decider.answers(outputs, threshold)])[known]
        predicted.append(per_class(answer, image))
        both.append(per_class(answer[answer == truth], image[answer == truth]))
    return torch.stack(predicted), per_class(truth, image), torch.stack(both)


def image_dice(answer: Tensor, truth: Tensor) -> float:
    """Dice of one image."""
    known = truth != VOID
    answer, truth = answer[known], truth[known]
    most = int(max(answer.max(), truth.max())) + 1 if len(truth) else 1
    counts = [torch.bincount(of, minlength=most)[1:] for of in (answer, truth, truth[answer == truth])]
    return float(dice(counts[0][None, None], counts[1][None], counts[2][None, None]))


def score(outputs: list[Tensor], split: Split, decider: Decider, threshold: float, curves: Curves) -> Scores:
    """Every classification score by its key, at the threshold and at no change; None if there is nothing to measure."""
    scores: Scores = {metrics.THRESHOLD.key: threshold}
    for metric in (metrics.DICE, metrics.CLEAN, metrics.ACCURACY, metrics.BALANCED):
        if metric.key in curves:
            for key, place in ((metric.key, threshold), (metrics.at_half(metric), decider.neutral)):
                scores[key] = curves[metric.key][decider.candidates.index(place)]
    return scores | calibration_scores(*probabilities(outputs, truths(split), binary=decider.binary))


def probabilities(outputs: list[Tensor], right: list[Tensor], *, binary: bool) -> tuple[Tensor, Tensor]:
    """(elements, classes) and (elements,), of the counted elements; an even sample if there are many pixels."""
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
    """Predicted probability and observed frequency: of the second class of two, of the likeliest of more."""
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
    """Errors in the units of the target."""
    from sklearn.metrics import mean_absolute_error, median_absolute_error, r2_score, root_mean_squared_error

    predicted, true = (scale * torch.stack(values).double().flatten(1).numpy() for values in (outputs, split.targets))
    found = zip(
        metrics.REGRESSION,
        (mean_absolute_error, root_mean_squared_error, median_absolute_error, r2_score),
        strict=True,
    )
    return {metric.key: float(function(true, predicted)) for metric, function in found}


def measured(kind: str) -> tuple[Metric, ...]:
    """The metrics for a kind of task."""
    return {
        "segmentation": metrics.SEGMENTATION,
        "classification": metrics.LABELS,
        "regression": metrics.REGRESSION,
    }[kind]
