"""The ranking of the losses: scores over blocks, and the verdict of each score that decides."""

import statistics
from collections.abc import Mapping, Sequence

from losskit.experiment.decide import decide
from losskit.experiment.levels import Level
from losskit.experiment.metrics import Metric, at_half
from losskit.experiment.results import Interval, Pair, Record, Standing, Verdict
from losskit.experiment.statistics import Blocks, interval

Runs = Mapping[str, Sequence[Record]]
"""For each loss, the tested and fresh runs of the blocks that it finished."""


def verdicts_of(
    runs: Runs,
    metrics: Sequence[Metric],
    baseline: str | None,
    level: Level,
    overlap: float = 0.0,
    margin: float | None = None,
) -> tuple[Verdict, ...]:
    """One verdict per measured metric; the margin applies to the first."""
    found = []
    for number, metric in enumerate(metrics):
        scores = {loss: blocks_of(of, metric, metric.key) for loss, of in runs.items()}
        scores = {loss: blocks for loss, blocks in scores.items() if blocks}
        if scores or number == 0:
            own = margin if number == 0 else None
            found.append(decide(scores, metric, baseline, level, overlap=overlap, margin=own))
    return tuple(found)


def blocks_of(records: Sequence[Record], metric: Metric, key: str) -> Blocks:
    """The mean score over the runs of each block."""
    found: dict[int, list[float]] = {}
    for record in records:
        value = record["scores"].get(key)
        if value is not None:
            found.setdefault(record["block"], []).append(metric.better(value))
    return {block: statistics.fmean(values) for block, values in found.items()}


def rank(
    runs: Runs,
    failed: Mapping[str, int],
    metrics: Sequence[Metric],
    verdict: Verdict,
    level: Level,
    overlap: float = 0.0,
) -> tuple[Standing, ...]:
    """The losses, best first."""
    halves = verdicts_at_half(runs, verdict, level, overlap)
    standings = []
    for loss in verdict.order:
        behind = verdict.pair(verdict.order[0], loss)
        over = verdict.pair(loss, verdict.baseline)
        half = None if halves is None else halves.pair(loss, verdict.baseline)
        standings.append(
            standing(
                runs[loss],
                metrics,
                verdict,
                behind=behind,
                beyond_chance=over is not None and over.separated,
                moves_threshold=bool(over and half and half.separated and not over.separated),
                failed=failed.get(loss, 0),
            )
        )
    return tuple(standings)


def verdicts_at_half(runs: Runs, verdict: Verdict, level: Level, overlap: float) -> Verdict | None:
    """Verdicts by the score at threshold 0.5, if there is one."""
    scores = {loss: blocks_of(runs[loss], verdict.metric, at_half(verdict.metric)) for loss in verdict.order}
    return decide(scores, verdict.metric, verdict.baseline, level, overlap=overlap) if all(scores.values()) else None


def standing(
    runs: Sequence[Record],
    metrics: Sequence[Metric],
    verdict: Verdict,
    *,
    behind: Pair | None,
    beyond_chance: bool,
    moves_threshold: bool,
    failed: int,
) -> Standing:
    def values(of: str) -> list[float]:
        return [run[of] for run in runs if run.get(of) is not None]

    loss = runs[0]["loss"]
    scores: dict[str, Interval | None] = {}
    for metric in metrics:
        measured = [metric.better(value) for value in blocks_of(runs, metric, metric.key).values()]
        scores[metric.key] = interval(measured, metric) if measured else None
    memory, saved = values("peak_memory_mib"), values("saved_mib")
    return Standing(
        loss=loss,
        rate=statistics.mode(run["rate"] for run in runs),
        scores=scores,
        behind=behind,
        ties=behind is None or not behind.separated,
        letters=verdict.letters[loss],
        over_baseline=verdict.gains.get(loss),
        beyond_chance=beyond_chance,
        moves_threshold=moves_threshold,
        blocks=len({run["block"] for run in runs}),
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
