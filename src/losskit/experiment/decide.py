"""What a score decides: which loss is better than the baseline, or that none is by more than the margin."""

from collections.abc import Mapping, Sequence

from losskit.experiment.levels import FEWEST, LOOKS, Level
from losskit.experiment.metrics import Metric, Range
from losskit.experiment.results import Interval, Pair, Verdict
from losskit.experiment.statistics import Blocks, common_means, compare_pairs, letters


def decide(
    scores: Mapping[str, Blocks],
    metric: Metric,
    baseline: str | None,
    level: Level,
    *,
    overlap: float = 0.0,
    margin: float | None = None,
) -> Verdict:
    """More is better in `scores`; `margin` is in their unit, or the metric's default."""
    means = common_means(scores)
    order = sorted(scores, key=lambda loss: -means[loss])
    baseline = baseline if baseline in scores else None
    pairs = compare_pairs({loss: scores[loss] for loss in order}, baseline, level, overlap)
    gains = {
        pair.worse if pair.better == baseline else pair.better: pair.over(baseline)
        for pair in pairs
        if baseline is not None and baseline in (pair.better, pair.worse)
    }
    if margin is None:
        margin = metric.margin
        if metric.range is not Range.SHARE and order:  # a share of the error
            margin *= abs(means[order[0] if baseline is None else baseline])
    blocks = min((pair.blocks for pair in pairs), default=0)
    kind, chosen = "none", None
    if pairs and blocks < FEWEST:
        kind = "early"
    elif pairs and baseline is not None:
        kind, chosen = against_baseline(order, gains, margin)
    elif pairs:
        kind, chosen = among_all(order, pairs, margin)
    highs = [gain.high for gain in gains.values() if gain.high is not None]
    return Verdict(
        metric=metric,
        margin=margin,
        baseline=baseline,
        kind=kind,
        chosen=chosen,
        bound=max(0.0, *highs) if highs else None,
        order=tuple(order),
        letters=letters(order, pairs),
        pairs=tuple(pairs),
        gains=gains,
    )


def against_baseline(order: Sequence[str], gains: Mapping[str, Interval], margin: float) -> tuple[str, str | None]:
    better = [loss for loss in order if loss in gains and (gains[loss].low or 0.0) > 0]
    if better:
        return "better", better[0]
    kept = all(gain.high is not None and gain.high <= margin for gain in gains.values())
    return ("keep" if kept else "open"), None


def among_all(order: Sequence[str], pairs: Sequence[Pair], margin: float) -> tuple[str, str | None]:
    best = order[0]
    if all(pair.separated for pair in pairs if best in (pair.better, pair.worse)):
        return "better", best
    return ("same" if all(pair.within(margin) or pair.separated for pair in pairs) else "open"), None


def settled(verdicts: Sequence[Verdict]) -> bool:
    """Whether more blocks would not change the verdict; the loss chosen by the first score must be decided by all."""
    if not verdicts or not verdicts[0].settled:
        return False
    chosen = verdicts[0].chosen
    for other in verdicts[1:]:
        pair = None if chosen is None else other.pair(chosen, other.baseline)
        if not (other.settled if pair is None else pair.separated or pair.within(other.margin)):
            return False
    return True


def may_stop(verdicts: Sequence[Verdict], blocks: int) -> bool:
    return blocks in LOOKS and settled(verdicts)
