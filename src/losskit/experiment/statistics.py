"""Which differences between losses are significant: each loss against the baseline, and every other pair.

The difference of two losses is taken per block, so that the effect of a block on both cancels. Five blocks estimate a
variance poorly, and all pairs together estimate it well, so a small variance is moved halfway to their mean, in which a
pair much noisier than this one does not count in full. Differences to the baseline are compared with Dunnett's
quantile, all others with that of the studentised range. Losses that a look separates into groups are judged again
within each group, so that one noisy loss does not hide the differences among the others. docs/decisions/0015 has the
simulations.
"""

import bisect
import functools
import itertools
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scipy import stats

from losskit.experiment.levels import FEWEST, ONCE, Level
from losskit.experiment.metrics import Metric, Range
from losskit.experiment.quantiles import dunnett_quantile, range_quantile
from losskit.experiment.results import Interval, Pair

CONFIDENCE = 0.95
POWER = 0.8
UNLIKELY = 0.01  # probability of a variance so small by chance that another pair's is cut
AHEAD = (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50, 75, 100, 200, 500, 1000)  # further blocks to try

Blocks = Mapping[int, float]  # the score of one loss by block; more is better
Names = tuple[str, str]


@dataclass(frozen=True)
class Design:
    """Number of losses, significance level, and how much blocks have in common."""

    losses: int
    baseline: str | None = None
    level: Level = ONCE
    overlap: float = 0.0
    """Size of the test part relative to that of training if blocks redraw the same items, otherwise 0: such blocks are
    not independent, and the variance of their mean is larger by this (Nadeau and Bengio 2003)."""

    def reach(self, pair: Names, family: int, blocks: int) -> float:
        """Standard errors that a difference must exceed, in a family of this many losses."""
        freedom = min(2, family - 1) * (blocks - 1)
        if self.baseline in pair:
            return dunnett_quantile(family - 1, freedom, self.level.baseline)
        local = 1 - (1 - self.level.others) ** (family / self.losses)
        return range_quantile(family, freedom, local)

    def error(self, variance: float, blocks: int) -> float:
        return math.sqrt(variance * (1 / blocks + self.overlap))


def interval(values: Sequence[float], metric: Metric | None = None) -> Interval:
    """The mean with its t interval, computed on the logit or logarithm so that it stays in the range of the score."""
    mean = statistics.fmean(values)
    if len(values) < 2:
        return Interval(mean, None, None)
    reach = float(stats.t.ppf((1 + CONFIDENCE) / 2, len(values) - 1)) * math.sqrt(spread(values) / len(values))
    if metric is not None and metric.range is Range.SHARE and 0 < mean < 1:
        middle, wide = math.log(mean / (1 - mean)), reach / (mean * (1 - mean))
        return Interval(
            mean, *(1 / (1 + math.exp(-min(max(end, -700), 700))) for end in (middle - wide, middle + wide))
        )
    if metric is not None and metric.range is Range.POSITIVE and mean > 0:
        return Interval(mean, mean * math.exp(-min(reach / mean, 700)), mean * math.exp(min(reach / mean, 700)))
    return Interval(mean, mean - reach, mean + reach)


def spread(values: Sequence[float]) -> float:
    """The variance of the distribution from which these values are drawn."""
    mean = statistics.fmean(values)
    return sum((value - mean) ** 2 for value in values) / (len(values) - 1)


def common_means(scores: Mapping[str, Blocks]) -> dict[str, float]:
    """Means over the blocks that every loss finished, or over a loss's own blocks if there are none."""
    shared = set.intersection(*(set(blocks) for blocks in scores.values())) if scores else set()
    return {
        loss: statistics.fmean(value for block, value in blocks.items() if block in shared or not shared)
        for loss, blocks in scores.items()
    }


def compare_pairs(
    scores: Mapping[str, Blocks], baseline: str | None = None, level: Level = ONCE, overlap: float = 0.0
) -> list[Pair]:
    """Every pair of losses, the better one first."""
    design = Design(len(scores), baseline, level, overlap)
    differences = {
        (one, other): [scores[one][b] - scores[other][b] for b in scores[one] if b in scores[other]]
        for one, other in itertools.combinations(scores, 2)
    }
    differences = {pair: found for pair, found in differences.items() if found}
    judged: dict[Names, Pair] = {}
    judge(list(scores), differences, design, judged)
    return [judged[pair] for pair in differences]


def judge(
    family: Sequence[str], differences: Mapping[Names, Sequence[float]], design: Design, judged: dict[Names, Pair]
) -> None:
    """The pairs of a family, then those of the groups into which it falls, each as its own family."""
    inside = {pair: found for pair, found in differences.items() if set(pair) <= set(family)}
    variances = {pair: spread(found) for pair, found in inside.items() if len(found) >= FEWEST}
    for pair, found in inside.items():
        if pair not in judged or not judged[pair].separated:
            variance = shrunk(variances[pair], list(variances.values()), len(found)) if pair in variances else 0.0
            judged[pair] = judge_pair(pair, found, variance, len(family), design)
    groups = connected(family, [pair for pair in inside if not judged[pair].separated])
    if len(groups) > 1:
        for group in groups:
            judge(group, differences, design, judged)


def shrunk(own: float, all_of_them: Sequence[float], blocks: int) -> float:
    """A variance, moved halfway to the mean of all if that is larger.

    A much noisier pair counts for no more than this pair's variance could be, given its measured variance.
    """
    most = own / least_share(blocks - 1)
    return max(own, (own + statistics.fmean(min(each, most) for each in all_of_them)) / 2)


@functools.cache
def least_share(freedom: int) -> float:
    """The share of its true value below which a measured variance falls in one of a hundred cases."""
    return float(stats.chi2.ppf(UNLIKELY, freedom)) / freedom


@functools.cache
def power_quantile(freedom: int) -> float:
    return float(stats.t.ppf(POWER, freedom))


def connected(family: Sequence[str], together: Sequence[Names]) -> list[list[str]]:
    """Groups of losses connected by chains of pairs that are not separated."""
    groups = [{loss} for loss in family]
    for one, other in together:
        first, second = (next(g for g in groups if loss in g) for loss in (one, other))
        if first is not second:
            groups.remove(second)
            first |= second
    return [[loss for loss in family if loss in group] for group in groups]


def judge_pair(pair: Names, differences: Sequence[float], variance: float, family: int, design: Design) -> Pair:
    mean, blocks = statistics.fmean(differences), len(differences)
    better, worse = pair if mean >= 0 else pair[::-1]
    mean = abs(mean)
    if blocks < FEWEST:
        return Pair(better, worse, Interval(mean, None, None), False, blocks, None, None)
    error = design.error(variance, blocks)
    reach = design.reach(pair, family, blocks) * error
    return Pair(
        better=better,
        worse=worse,
        difference=Interval(mean, mean - reach, mean + reach),
        separated=mean > reach,
        blocks=blocks,
        detectable=reach + power_quantile(min(2, family - 1) * (blocks - 1)) * error,
        blocks_to_decide=0 if mean > reach else more_blocks(pair, mean, variance, blocks, family, design),
    )


def more_blocks(
    pair: Names, difference: float, variance: float, blocks: int, family: int, design: Design
) -> int | None:
    """Further blocks that would separate this difference at constant size and variance; None: over a thousand."""

    def decide(more: int) -> bool:
        total = blocks + more
        return difference > design.reach(pair, family, total) * design.error(variance, total)

    place = bisect.bisect_left(AHEAD, True, key=decide)
    return AHEAD[place] if place < len(AHEAD) else None


def letters(order: Sequence[str], pairs: Sequence[Pair]) -> dict[str, str]:
    """Losses that do not differ significantly share a letter: the compact letter display of Piepho (2004)."""
    sets = [set(order)]
    for pair in pairs:
        if not pair.separated:
            continue
        for holding in [s for s in sets if {pair.better, pair.worse} <= s]:
            sets.remove(holding)
            sets += [holding - {pair.better}, holding - {pair.worse}]
        sets = [s for s in sets if not any(s < other for other in sets)]
        sets = [s for n, s in enumerate(sets) if s not in sets[:n]]
    place = {loss: n for n, loss in enumerate(order)}
    sets.sort(key=lambda s: sorted(place[loss] for loss in s))
    return {loss: "".join(letter(n) for n, s in enumerate(sets) if loss in s) for loss in order}


def letter(index: int) -> str:
    return chr(ord("a") + index) if index < 26 else f"({index + 1})"
