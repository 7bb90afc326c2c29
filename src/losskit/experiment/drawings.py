"""The charts of a report, from the runs and findings of a comparison."""

import statistics
from collections import defaultdict
from collections.abc import Iterator, Sequence

from losskit.experiment import metrics
from losskit.experiment.charts import Chart, Line, line_chart
from losskit.experiment.metrics import Metric
from losskit.experiment.results import Comparison, Record, Tuning

BINS = 15  # of confidence, as in the calibration error


def charts(comparison: Comparison) -> dict[str, Chart]:
    """Charts by name; those without data so far are left out."""
    made = (rates(comparison), learning(comparison), thresholds(comparison), calibration(comparison))
    return {chart.name: chart for chart in made if chart is not None}


def rates(comparison: Comparison) -> Chart | None:
    metric = comparison.findings.metric
    lines = []
    for tuning in comparison.findings.tunings:
        tried = [(each.rate, each.mean) for each in tuning.tried if each.mean is not None]
        words = [
            f"{tuning.loss} at learning rate {rate:g}: {metric.label} {mean:.3g} on validation data"
            + often(tuning, rate)
            for rate, mean in tried
        ]
        lost = [
            (each.rate, f"{tuning.loss} at learning rate {each.rate:g} failed: {each.failure}")
            for each in tuning.tried
            if each.failure is not None
        ]
        x, y = [rate for rate, _ in tried], [mean for _, mean in tried]
        chosen = x.index(tuning.chosen) if tuning.chosen in x else None
        if tried or lost:
            lines.append(Line(comparison.losses.index(tuning.loss), x, y, words, chosen=chosen, lost=lost))
    if not lines:
        return None
    label = f"{title(metric)} on validation data against the rate, one curve per loss; the usual choice is ringed"
    if any(line.lost for line in lines):
        label += "; a cross at the bottom is a rate at which a run failed"
    return line_chart("rates", label, lines, "learning rate", f"{metric.label}, validation", x_scale="log")


def often(tuning: Tuning, rate: float) -> str:
    """The number of blocks in which a rate was chosen, for the end of a sentence."""
    measured = [choice for choice in tuning.choices if choice is not None]
    count = measured.count(rate)
    return f", chosen in {count} of {len(measured)} blocks" if count else ""


def learning(comparison: Comparison) -> Chart | None:
    metric = comparison.findings.metric
    lines = []
    for index, loss, runs in by_loss(comparison):
        curves = [run["curve"] for run in runs if run.get("curve", {}).get("epoch")]
        if not curves:
            continue
        epochs = curves[0]["epoch"]
        scores = list(zip(*(curve["score"] for curve in curves), strict=True))
        means = [statistics.fmean(at) for at in scores]
        words = [f"{loss} after epoch {n}: {metric.label} {mean:.3g}" for n, mean in zip(epochs, means, strict=True)]
        low, high = ([end(at) for at in scores] for end in (min, max))
        lines.append(Line(index, epochs, means, words, low, high))
    if not lines:
        return None
    label = f"{title(metric)} on validation data against the epoch, one curve per loss; the band is the range of blocks"
    return line_chart("learning", label, lines, "epoch", f"{metric.label}, validation", whole=True)


def thresholds(comparison: Comparison) -> Chart | None:
    metric = comparison.findings.metric
    lines = []
    binary = True
    for index, loss, runs in by_loss(comparison):
        curves = [run["thresholds"] for run in runs if run.get("thresholds")]
        if not curves:
            continue
        x = curves[0]["threshold"]
        binary = min(x) > 0
        means = [statistics.fmean(at) for at in zip(*(curve["score"] for curve in curves), strict=True)]
        middle = statistics.median(run["scores"][metrics.THRESHOLD.key] for run in runs)
        chosen = min(range(len(x)), key=lambda n: abs(x[n] - middle))
        words = [
            f"{loss} at {at:.3g}: {metric.label} {mean:.3g}{', chosen on validation data' if n == chosen else ''}"
            for n, (at, mean) in enumerate(zip(x, means, strict=True))
        ]
        lines.append(Line(index, x, means, words, chosen=chosen))
    if not lines:
        return None
    x_label = "threshold" if binary else "share of log class frequency subtracted"
    label = f"{title(metric)} on test data against the {x_label}, one curve per loss; the median choice is ringed"
    return line_chart(
        "thresholds",
        label,
        lines,
        x_label,
        f"{metric.label}, test",
        x_scale="logit" if binary else "linear",
        upright=[0.5 if binary else 0.0],
    )


def calibration(comparison: Comparison) -> Chart | None:
    lines = []
    for index, loss, runs in by_loss(comparison):
        pooled = list(bins([run["calibration"] for run in runs if run.get("calibration")]))
        if not pooled:
            continue
        sure, right, share = zip(*pooled, strict=True)
        words = [
            f"{loss}: at a predicted probability of {p:.0%}, {r:.0%} are correct ({s:.2%} of all)"
            for p, r, s in zip(sure, right, share, strict=True)
        ]
        lines.append(Line(index, sure, right, words))
    if not lines:
        return None
    label = "Observed frequency against predicted probability, one curve per loss; the diagonal is perfect calibration"
    return line_chart("calibration", label, lines, "predicted probability", "observed frequency", diagonal=True)


def bins(found: Sequence[dict[str, list[float]]]) -> Iterator[tuple[float, float, float]]:
    """Confidence, observed frequency and share of the elements in each bin, over all blocks."""
    held: dict[int, list[tuple[float, float, float]]] = defaultdict(list)
    for one in found:
        for sure, right, share in zip(one["confidence"], one["right"], one["share"], strict=True):
            held[min(int(sure * BINS), BINS - 1)].append((sure, right, share))
    for _, entries in sorted(held.items()):
        whole = sum(share for _, _, share in entries)
        if whole > 0:
            sure, right = (sum(entry[n] * entry[2] for entry in entries) / whole for n in (0, 1))
            yield sure, right, whole / len(found)


def by_loss(comparison: Comparison) -> Iterator[tuple[int, str, list[Record]]]:
    """Number, name and finished runs of each loss that has any."""
    for index, loss in enumerate(comparison.losses):
        runs = [run for run in comparison.runs if run["loss"] == loss]
        if runs:
            yield index, loss, runs


def title(metric: Metric) -> str:
    return metric.label[0].upper() + metric.label[1:]
