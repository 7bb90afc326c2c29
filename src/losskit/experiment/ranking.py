"""How the losses stand: means over seeds, their intervals, and which of them cannot be told apart."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from scipy import stats

from losskit.experiment.results import Record
from losskit.experiment.tasks.task import Metric

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Interval:
    mean: float
    low: float | None  # None for a single value
    high: float | None


@dataclass(frozen=True)
class Standing:
    """One loss over its seeds."""

    loss: str
    scores: dict[str, Interval | None]  # by the metric's key; None where nothing was measured
    behind: Interval | None  # the best loss's score less this one's, seed by seed; None for the best itself
    ties: bool  # with the best: the difference could be chance
    step_ms: float
    loss_ms: float
    peak_memory_mib: float | None
    seeds: int


def interval(values: Sequence[float], confidence: float = CONFIDENCE) -> Interval:
    """The mean with its t interval, which takes the values as draws from a normal distribution."""
    mean = statistics.fmean(values)
    if len(values) < 2:
        return Interval(mean, None, None)
    spread = statistics.stdev(values) / math.sqrt(len(values))
    reach = float(stats.t.ppf((1 + confidence) / 2, len(values) - 1)) * spread
    return Interval(mean, mean - reach, mean + reach)


def rank(records: Sequence[Record], metrics: Sequence[Metric]) -> list[Standing]:
    """Best first. Differences to the best are paired over seeds and corrected for the number of pairs of losses.

    All pairs (Bonferroni), not only those with the best, because the data say which loss is the best.
    """
    by_loss: dict[str, list[Record]] = {}
    for record in records:
        by_loss.setdefault(record["loss"], []).append(record)
    key = metrics[0].key
    means = {loss: statistics.fmean(run["scores"][key] for run in runs) for loss, runs in by_loss.items()}
    order = sorted(by_loss, key=lambda loss: -means[loss])
    confidence = 1 - (1 - CONFIDENCE) / max(1, math.comb(len(order), 2))
    return [
        standing(by_loss[loss], metrics, difference(by_loss[order[0]], by_loss[loss], key, confidence))
        for loss in order
    ]


def difference(best: list[Record], other: list[Record], key: str, confidence: float) -> Interval | None:
    if best is other:
        return None
    of_best = {run["seed"]: run["scores"][key] for run in best}
    paired = [of_best[run["seed"]] - run["scores"][key] for run in other if run["seed"] in of_best]
    if paired:
        return interval(paired, confidence)
    gap = statistics.fmean(of_best.values()) - statistics.fmean(run["scores"][key] for run in other)
    return Interval(gap, None, None)


def standing(runs: list[Record], metrics: Sequence[Metric], behind: Interval | None) -> Standing:
    scores: dict[str, Interval | None] = {}
    for metric in metrics:
        values = [run["scores"][metric.key] for run in runs if run["scores"][metric.key] is not None]
        scores[metric.key] = interval(values) if values else None
    memory = [run["peak_memory_mib"] for run in runs if run["peak_memory_mib"] is not None]
    return Standing(
        loss=runs[0]["loss"],
        scores=scores,
        behind=behind,
        ties=behind is None or behind.low is None or behind.low <= 0,
        step_ms=statistics.median(run["step_ms"] for run in runs),
        loss_ms=statistics.median(run["loss_ms"] for run in runs),
        peak_memory_mib=statistics.median(memory) if memory else None,
        seeds=len(runs),
    )


def verdict(standings: Sequence[Standing], metric: Metric) -> str:
    """What the ranking says, in one sentence, and no more than it can say."""
    if not standings:
        return "Every loss failed, so there is nothing to rank."
    best = standings[0]
    score = best.scores[metric.key]
    assert score is not None
    if len(standings) == 1:
        return f"{best.loss} reaches {metric.label} {number(score)}; it is the only loss here."
    if score.low is None:
        return (
            f"{best.loss} scores highest, {metric.label} {number(score)}, "
            "but with one seed that may be chance: use --seeds 5."
        )
    tied = [each.loss for each in standings if each.ties]
    rest = [each for each in standings if not each.ties]
    if len(tied) == 1:
        gap = min(each.behind.mean for each in rest if each.behind is not None)
        return f"{best.loss} is best: {metric.label} {number(score)}, {gap:.3f} above the next."
    together = f"{', '.join(tied[:-1])} and {tied[-1]}"
    if not rest:
        return (
            f"{together} cannot be told apart with {best.seeds} seeds ({metric.label} of {best.loss}: {number(score)})."
        )
    gap = min(each.behind.mean for each in rest if each.behind is not None)
    return (
        f"{together} cannot be told apart at the top ({metric.label} of {best.loss}: {number(score)}); "
        f"the others are behind by {gap:.3f} or more."
    )


def number(value: Interval) -> str:
    """0.712 [0.690, 0.734]"""
    return f"{value.mean:.3f}" if value.low is None else f"{value.mean:.3f} [{value.low:.3f}, {value.high:.3f}]"
