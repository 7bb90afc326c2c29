"""How the losses stand: scores over blocks, differences, and the groups that cannot be told apart."""

import statistics
from collections.abc import Mapping, Sequence

from losskit.experiment.metrics import Metric, at_half
from losskit.experiment.results import Interval, Pair, Record, Standing
from losskit.experiment.statistics import Blocks, compare_pairs, interval, letters

Runs = Mapping[str, Sequence[Record]]


def rank(
    runs: Runs, failed: Mapping[str, int], metrics: Sequence[Metric], baseline: str | None, overlap: float
) -> tuple[tuple[Standing, ...], tuple[Pair, ...]]:
    """Best first, and every pair in that order."""
    first = metrics[0]
    scores = {loss: blocks_of(found, first, first.key) for loss, found in runs.items() if found}
    means = common_means(scores)
    order = sorted(scores, key=lambda loss: -means[loss])
    pairs = compare_pairs({loss: scores[loss] for loss in order}, overlap)
    halves = pairs_at_half(runs, order, first, overlap)
    shared = letters(order, pairs)
    standings = []
    for loss in order:
        against = pair_of(pairs, order[0], loss)
        over = pair_of(pairs, loss, baseline)
        at_half_pair = pair_of(halves, loss, baseline)
        standings.append(
            standing(
                runs[loss],
                metrics,
                behind=against,
                ties=against is None or not against.separated,
                letters=shared[loss],
                over_baseline=None if over is None else signed(over, loss),
                moves_threshold=bool(over and at_half_pair and at_half_pair.separated and not over.separated),
                failed=failed.get(loss, 0),
            )
        )
    return tuple(standings), tuple(pairs)


def blocks_of(records: Sequence[Record], metric: Metric, key: str) -> Blocks:
    found = {record["block"]: record["scores"].get(key) for record in records}
    return {block: metric.better(value) for block, value in found.items() if value is not None}


def common_means(scores: Mapping[str, Blocks]) -> dict[str, float]:
    """Over the blocks that every loss finished, or over its own where there are none."""
    shared = set.intersection(*(set(blocks) for blocks in scores.values())) if scores else set()
    return {
        loss: statistics.fmean(value for block, value in blocks.items() if block in shared or not shared)
        for loss, blocks in scores.items()
    }


def pairs_at_half(runs: Runs, order: Sequence[str], metric: Metric, overlap: float) -> list[Pair]:
    """The same pairs by the score without a chosen threshold, where there is one."""
    scores = {loss: blocks_of(runs[loss], metric, at_half(metric)) for loss in order}
    return compare_pairs(scores, overlap) if all(scores.values()) else []


def pair_of(pairs: Sequence[Pair], one: str, other: str | None) -> Pair | None:
    return next((pair for pair in pairs if {pair.better, pair.worse} == {one, other}), None)


def signed(pair: Pair, loss: str) -> Interval:
    """The difference in favour of this loss."""
    found = pair.difference
    if pair.better == loss:
        return found
    ends = (None, None) if found.low is None or found.high is None else (-found.high, -found.low)
    return Interval(-found.mean, *ends)


def standing(
    runs: Sequence[Record],
    metrics: Sequence[Metric],
    *,
    behind: Pair | None,
    ties: bool,
    letters: str,
    over_baseline: Interval | None,
    moves_threshold: bool,
    failed: int,
) -> Standing:
    def values(of: str) -> list[float]:
        return [run[of] for run in runs if run.get(of) is not None]

    scores: dict[str, Interval | None] = {}
    for metric in metrics:
        measured = [v for run in runs if (v := run["scores"].get(metric.key)) is not None]
        scores[metric.key] = interval(measured) if measured else None
    memory, saved = values("peak_memory_mib"), values("saved_mib")
    return Standing(
        loss=runs[0]["loss"],
        rate=statistics.mode(run["rate"] for run in runs),
        scores=scores,
        behind=behind,
        ties=ties,
        letters=letters,
        over_baseline=over_baseline,
        moves_threshold=moves_threshold,
        blocks=len(runs),
        failed=failed,
        step_ms=statistics.median(values("step_ms")),
        loss_ms=statistics.median(values("loss_ms")),
        saved_mib=statistics.median(saved) if saved else None,
        peak_memory_mib=statistics.median(memory) if memory else None,
        gradient=mean_gradient(runs),
    )


def mean_gradient(runs: Sequence[Record]) -> dict[str, dict[str, float]]:
    shares: dict[str, dict[str, float]] = {}
    for when in ("start", "end", "pixels"):
        found = [run["gradient"][when] for run in runs if run.get("gradient")]
        shares[when] = {place: statistics.fmean(f[place] for f in found) for place in (found[0] if found else ())}
    return shares
