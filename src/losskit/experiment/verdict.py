"""What a comparison says in words, and no more than it can say."""

from collections.abc import Mapping, Sequence

from losskit.experiment.metrics import Metric
from losskit.experiment.results import Interval, Pilot, Standing
from losskit.experiment.statistics import FEWEST

FEW_GROUPS = 10


def verdict(ranking: Sequence[Standing], metric: Metric, baseline: str | None, groups: int | None) -> str:
    """One sentence: who ties for best, by how much over the baseline, and what would change the answer."""
    if not ranking:
        return "Every loss failed, so there is nothing to rank."
    best = ranking[0]
    if len(ranking) == 1:
        return f"{best.loss} reaches {metric.label} {best_score(best, metric)}; it is the only loss here."
    if best.blocks < FEWEST:
        blocks = f"{best.blocks} block{'s' if best.blocks > 1 else ''}"
        return (
            f"{best.loss} scores highest so far, {metric.label} {best_score(best, metric)}, but with {blocks} that may "
            f"be chance: {FEWEST} are the fewest that tell losses apart, and 5 or more tell them well."
        )
    parts = [together(ranking, metric), gain(ranking, baseline), change(ranking)]
    if groups is not None and groups < FEW_GROUPS:
        parts.append(f"the data hold {groups} independent groups, fewer than {FEW_GROUPS}, so other data may differ")
    return "; ".join(part for part in parts if part) + "."


def best_score(standing: Standing, metric: Metric) -> str:
    score = standing.scores[metric.key]
    return "–" if score is None else f"{score.mean:.3g}" if abs(score.mean) >= 10 else f"{score.mean:.3f}"


def together(ranking: Sequence[Standing], metric: Metric) -> str:
    tied = [standing.loss for standing in ranking if standing.ties]
    score = f"{metric.label} {best_score(ranking[0], metric)}"
    if len(tied) == 1:
        return f"{tied[0]} is best ({score})"
    whole = "all " if len(tied) == len(ranking) and len(tied) > 2 else ""
    return f"{listed(tied)} {whole}tie for best ({score} for {tied[0]})"


def gain(ranking: Sequence[Standing], baseline: str | None) -> str:
    """Of the best over the baseline."""
    best = ranking[0]
    if baseline is None or not any(standing.loss == baseline for standing in ranking):
        return ""
    if best.loss == baseline:
        return f"nothing scores above {baseline} at its own best learning rate"
    over = best.over_baseline
    assert over is not None
    if over.low is not None and over.low > 0:
        return f"{best.loss} is {difference(over)} over {baseline} at its own best learning rate"
    return f"over {baseline} at its own best learning rate {best.loss} gains {difference(over)}, which may be chance"


def difference(value: Interval) -> str:
    """0.012 [-0.020, 0.044]"""
    if value.low is None or value.high is None:
        return f"{value.mean:.3g}"
    digits = 3 if abs(value.mean) < 10 else 1
    return f"{value.mean:.{digits}f} [{value.low:.{digits}f}, {value.high:.{digits}f}]"


def change(ranking: Sequence[Standing]) -> str:
    """What would change the answer: a smaller detectable difference, which more blocks give."""
    blocks = ranking[0].blocks
    tied = [standing.behind for standing in ranking[1:] if standing.ties and standing.behind is not None]
    detectable = [pair.detectable for pair in tied if pair.detectable is not None]
    if not detectable:
        return f"{blocks} blocks separate it from the rest, and other data or a larger model may change that"
    shown = f"{blocks} blocks show differences of {max(detectable):.2g} or more"
    soonest = min((pair for pair in tied if pair.blocks_to_decide), key=lambda p: p.blocks_to_decide or 0, default=None)
    if soonest is None:
        return f"{shown}, and a thousand more would not separate them if they stay as they are"
    return f"{shown}, and about {soonest.blocks_to_decide} more would separate {soonest.worse} from {soonest.better}"


def cautions(
    ranking: Sequence[Standing],
    pilots: Sequence[Pilot],
    lost: Mapping[str, str],
    groups: int | None,
    baseline: str | None,
) -> tuple[str, ...]:
    """What a reader of the verdict must know as well; `lost` holds why losses without any result failed."""
    said = []
    if groups is not None and groups < FEW_GROUPS:
        said.append(
            f"The data hold {groups} independent groups. With fewer than {FEW_GROUPS} the intervals tell about these "
            "data and little about others."
        )
    for each in pilots:
        if each.edge is not None:
            side = "low" if each.edge == "lowest" else "high"
            said.append(
                f"The best learning rate of {each.loss}, {each.chosen:g}, is the {each.edge} that was tried: its own "
                f"best may lie further {side}."
            )
    moved = [standing.loss for standing in ranking if standing.moves_threshold]
    if moved:
        only = "only moves" if len(moved) == 1 else "only move"
        said.append(
            f"{listed(moved)} {only} the threshold: the difference to {baseline} at 0.5 is gone when both choose their "
            "threshold on validation data."
        )
    said += [
        f"{standing.loss} failed in {standing.failed} of {standing.blocks + standing.failed} blocks."
        for standing in ranking
        if standing.failed
    ]
    said += [f"{loss} has no result: {why}." for loss, why in lost.items()]
    return tuple(said)


def listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
