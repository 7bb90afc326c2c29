"""The learning rate of each loss: every rate is trained to the end in every block, and chosen on validation data."""

import statistics
from collections.abc import Mapping, Sequence

from losskit.experiment.results import Record, Tried, Tuning

FACTOR = 3.0  # between neighbouring rates
WIDENINGS = 2  # maximum rates added on either side


def grid(middle: float, count: int = 3) -> list[float]:
    """Rates around the middle, in ascending order."""
    return [rounded(middle * FACTOR ** (n - (count - 1) // 2)) for n in range(count)]


def rounded(rate: float) -> float:
    return float(f"{rate:.3g}")


def best_rate(scores: Mapping[float, float | None], *, higher_is_better: bool) -> float | None:
    """The best of the finished rates; among equals the one tried first, which is nearest to the middle."""
    sign = 1 if higher_is_better else -1
    finished = {rate: sign * score for rate, score in scores.items() if score is not None}
    return max(finished, key=finished.__getitem__) if finished else None


def edge_of(rate: float | None, tried: Sequence[float]) -> str | None:
    """The side on which a rate is the last one tried."""
    if rate is None or len(tried) < 2:
        return None
    return "lowest" if rate == min(tried) else "highest" if rate == max(tried) else None


def next_rate(scores: Mapping[float, float | None], first: Sequence[float], *, higher_is_better: bool) -> float | None:
    """The next rate to try if the best is at an edge; at most two beyond the first grid."""
    chosen = best_rate(scores, higher_is_better=higher_is_better)
    edge = edge_of(chosen, list(scores))
    if chosen is None or edge is None:
        return None
    reach = FACTOR ** (WIDENINGS + 0.5)
    rate = rounded(chosen / FACTOR if edge == "lowest" else chosen * FACTOR)
    return rate if min(first) / reach < rate < max(first) * reach else None


def tuning_of(loss: str, records: Sequence[Record], measured: Mapping[int, float]) -> Tuning:
    """The results of the tuning runs of one loss per block, and the rate at which each block was measured."""
    blocks = sorted({record["block"] for record in records} | set(measured))
    tried = []
    for rate in sorted({record["rate"] for record in records}):
        here = {record["block"]: record for record in records if record["rate"] == rate}
        failures = [record["failure"] for record in here.values() if "failure" in record]
        scores = tuple(here[block].get("validation") if block in here else None for block in blocks)
        tried.append(Tried(rate, scores, failures[0] if failures else None))
    edges = [
        edge_of(rate, [r["rate"] for r in records if r["block"] == block]) for block, rate in sorted(measured.items())
    ]
    common = statistics.mode(edges) if edges else None
    return Tuning(
        loss=loss,
        tried=tuple(tried),
        chosen=statistics.mode([measured[block] for block in sorted(measured)]) if measured else None,
        choices=tuple(measured.get(block) for block in blocks),
        edge=common if edges.count(common) > len(edges) / 2 else None,
    )
