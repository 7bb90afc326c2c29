"""Numbers as text, formatted alike in the terminal, both reports and every sentence."""

from collections.abc import Sequence

from losskit.experiment.metrics import Metric
from losskit.experiment.results import Interval


def digits(value: float) -> str:
    """Three decimals for shares, fewer for larger values: 0.712, 44.1, 1250."""
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}" if abs(value) < 1000 else f"{value:.0f}"


def number(value: Interval) -> str:
    """0.712 [0.690, 0.734]"""
    if value.low is None or value.high is None:
        return digits(value.mean)
    return f"{digits(value.mean)} [{digits(value.low)}, {digits(value.high)}]"


def signed(value: float) -> str:
    """+0.012, −0.003"""
    return f"{'−' if value < 0 else '+'}{digits(abs(value))}"


def difference(value: Interval) -> str:
    """+0.012 [−0.003, +0.027]"""
    if value.low is None or value.high is None:
        return signed(value.mean)
    return f"{signed(value.mean)} [{signed(value.low)}, {signed(value.high)}]"


def gain(value: Interval, metric: Metric) -> str:
    """+0.017 ± 0.009, with the sign of the score itself: −83.1 ± 12.0 where less is better."""
    mean = metric.better(value.mean)
    if value.high is None:
        return signed(mean)
    places = 3 if abs(mean) < 10 else 1 if abs(mean) < 1000 else 0
    return f"{signed(mean)} ± {value.high - value.mean:.{places}f}"


def points(value: float) -> str:
    """A share in percentage points: 43 points."""
    found = round(100 * abs(value))
    return f"{found} point{'' if found == 1 else 's'}"


def listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def counted(count: int, what: str) -> str:
    """1 block, 2 blocks"""
    return f"{count} {what}{'' if count == 1 else 's'}"


def duration(seconds: float) -> str:
    """40 seconds, 3 minutes, 2 hours"""
    if seconds < 90:
        return counted(max(5, 5 * round(seconds / 5)), "second")
    return counted(round(seconds / 60), "minute") if seconds < 5400 else counted(round(seconds / 3600), "hour")
