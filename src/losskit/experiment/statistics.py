"""Which differences between losses are more than chance: all pairs over few blocks, none separated by luck.

The difference of two losses is taken block by block, so that what a block does to both cancels. Its variance is half
the pair's own and half the mean over all pairs: five blocks tell a variance badly, and all pairs together tell it well
unless one loss is much noisier. Differences are held against the studentised range, which allows for the best loss
having been chosen by the same data. docs/decisions/0010 has the simulations that this was chosen by.
"""

import functools
import itertools
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from losskit.experiment.results import Interval, Pair

CONFIDENCE = 0.95
POWER = 0.8
FEWEST = 3  # blocks below which nothing is separated
MANY = 120  # degrees of freedom that are as good as infinitely many
AHEAD = (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50, 75, 100, 200, 500, 1000)  # more blocks, in words

Blocks = Mapping[int, float]  # the score of one loss by block; more is better


@dataclass(frozen=True)
class Design:
    """How many losses are compared, and how much blocks have in common."""

    losses: int
    overlap: float = 0.0
    """Size of the test part over that of training where blocks redraw the same items, else 0: such blocks are not
    independent, and the variance of their mean is that much larger (Nadeau and Bengio 2003)."""

    def freedom(self, blocks: int) -> int:
        return min(2, self.losses - 1) * (blocks - 1)

    def reach(self, blocks: int) -> float:
        """Standard errors that a difference must exceed."""
        return range_quantile(self.losses, self.freedom(blocks))

    def error(self, variance: float, blocks: int) -> float:
        return math.sqrt(variance * (1 / blocks + self.overlap))


@functools.cache
def range_quantile(losses: int, freedom: int) -> float:
    if losses == 2:
        return float(stats.t.ppf((1 + CONFIDENCE) / 2, freedom))
    many = float("inf") if freedom > MANY else freedom
    return float(stats.studentized_range.ppf(CONFIDENCE, losses, many)) / math.sqrt(2)


def interval(values: Sequence[float], overlap: float = 0.0) -> Interval:
    """The mean with its t interval, which takes the values as draws from a normal distribution."""
    mean = statistics.fmean(values)
    if len(values) < 2:
        return Interval(mean, None, None)
    error = math.sqrt(spread(values) * (1 / len(values) + overlap))
    reach = float(stats.t.ppf((1 + CONFIDENCE) / 2, len(values) - 1)) * error
    return Interval(mean, mean - reach, mean + reach)


def spread(values: Sequence[float]) -> float:
    """The variance of the draws that these are."""
    return float(np.var(values, ddof=1))


def compare_pairs(scores: Mapping[str, Blocks], overlap: float = 0.0) -> list[Pair]:
    """Every two losses, the better one first."""
    design = Design(len(scores), overlap)
    differences: dict[tuple[str, str], list[float]] = {}
    for one, other in itertools.combinations(scores, 2):
        differences[one, other] = [scores[one][b] - scores[other][b] for b in scores[one] if b in scores[other]]
    variances = {pair: spread(found) for pair, found in differences.items() if len(found) > 1}
    common = statistics.fmean(variances.values()) if variances else 0.0
    return [
        judge(pair, found, (variances.get(pair, common) + common) / 2, design)
        for pair, found in differences.items()
        if found
    ]


def judge(pair: tuple[str, str], differences: Sequence[float], variance: float, design: Design) -> Pair:
    mean, blocks = statistics.fmean(differences), len(differences)
    better, worse = pair if mean >= 0 else pair[::-1]
    mean = abs(mean)
    if blocks < FEWEST:
        return Pair(better, worse, Interval(mean, None, None), False, blocks, None, None)
    reach, error = design.reach(blocks), design.error(variance, blocks)
    separated = mean > reach * error
    return Pair(
        better=better,
        worse=worse,
        difference=Interval(mean, mean - reach * error, mean + reach * error),
        separated=separated,
        blocks=blocks,
        detectable=(reach + float(stats.t.ppf(POWER, design.freedom(blocks)))) * error,
        blocks_to_decide=0 if separated else more_blocks(mean, variance, blocks, design),
    )


def more_blocks(difference: float, variance: float, blocks: int, design: Design) -> int | None:
    """That would separate this difference if it and the variance stayed as they are; None: over a thousand."""
    for more in AHEAD:
        total = blocks + more
        if difference > design.reach(total) * design.error(variance, total):
            return int(more)
    return None


def letters(order: Sequence[str], pairs: Sequence[Pair]) -> dict[str, str]:
    """Losses share a letter where they cannot be told apart: the compact letter display of Piepho (2004)."""
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


def number(value: Interval) -> str:
    """0.712 [0.690, 0.734]"""
    return f"{value.mean:.3f}" if value.low is None else f"{value.mean:.3f} [{value.low:.3f}, {value.high:.3f}]"
