"""After how many blocks a comparison may be inspected, and the local significance level of each look.

Stopping at the first difference that passes a 5 % test is wrong in 20 % of comparisons of equal losses. So each look
has its own local level, chosen such that 5 % of whole comparisons separate losses that are equal, over all looks and
all pairs together. docs/decisions/0015 has the simulations.
"""

from dataclasses import dataclass

FEWEST = 3  # minimum blocks to separate losses
LOOKS = (4, 5, 6, 7, 8, 9, 10, 12, 15, 20)  # numbers of blocks after which a comparison may stop by itself


@dataclass(frozen=True)
class Level:
    """Local levels: of the comparisons with the baseline, and of all other pairs."""

    baseline: float
    others: float


ONCE = Level(0.035, 0.015)  # the number of blocks was fixed beforehand
EACH_LOOK = Level(0.007, 0.0035)
ONCE_WITHOUT_BASELINE = Level(0.0, 0.04)
EACH_LOOK_WITHOUT_BASELINE = Level(0.0, 0.007)


def level(*, fixed: bool, baseline: bool) -> Level:
    if baseline:
        return ONCE if fixed else EACH_LOOK
    return ONCE_WITHOUT_BASELINE if fixed else EACH_LOOK_WITHOUT_BASELINE
