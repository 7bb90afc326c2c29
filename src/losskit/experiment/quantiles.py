"""Quantiles of the largest of several differences: Tukey's test of all pairs, and Dunnett's against one loss."""

import functools
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

MANY = 200  # degrees of freedom above which nothing changes

NORMAL = stats.norm
Floats = NDArray[np.float64]
LEAST, WEIGHTS = np.polynomial.hermite_e.hermegauss(60)
WEIGHTS = WEIGHTS / np.sqrt(2 * np.pi)
# Points of the distribution of the standard error, dense near 0, where an error is largest: q = u^4.
U, SHARES = np.polynomial.legendre.leggauss(60)
PLACES, SHARES = ((U + 1) / 2) ** 4, 2 * SHARES * ((U + 1) / 2) ** 3


@functools.cache
def spreads(freedom: int) -> Floats:
    return np.asarray(np.sqrt(stats.chi2.ppf(PLACES, freedom) / freedom))


@functools.cache
def range_quantile(losses: int, freedom: int, level: float) -> float:
    """The quantile of the largest difference of any two, in standard errors of a difference: Tukey's test."""
    return quantile(
        lambda ends: losses * (NORMAL.cdf(LEAST + ends) - NORMAL.cdf(LEAST)) ** (losses - 1), freedom, level
    )


@functools.cache
def dunnett_quantile(others: int, freedom: int, level: float) -> float:
    """The quantile of the largest difference to a common loss, in standard errors of a difference: Dunnett (1955)."""
    return quantile(lambda ends: (NORMAL.cdf(LEAST + ends) - NORMAL.cdf(LEAST - ends)) ** others, freedom, level)


def quantile(within: Callable[[Floats], Floats], freedom: int, level: float) -> float:
    """The quantile whose outer share is the level; equals scipy.stats.studentized_range, which takes 0.3 s per number.

    `within` is the inner share for each value of one loss (the least, or the common one) and each standard error.
    """
    ends = np.sqrt(2) * spreads(min(freedom, MANY))[:, None]  # (spreads, 1), in standard errors

    def excess(reach: float) -> float:
        return float(SHARES @ within(reach * ends) @ WEIGHTS) - (1 - level)

    return float(optimize.brentq(excess, 0.1, 1000.0, xtol=1e-6))
