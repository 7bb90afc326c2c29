"""Losses in which outliers count for less."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import mpmath as mp
from mpmath import exp, expm1, log, mpf

from inputs import row
from number_inputs import heat_maps
from references import Authority, ByHand, Chosen, Formula, Peer


def barron(z: mpf, alpha: Any) -> mpf:
    if alpha in (2, 0, mp.inf, -mp.inf):
        half = z**2 / 2
        return {
            2: lambda: half,
            0: lambda: log(1 + half),
            mp.inf: lambda: expm1(half),
            -mp.inf: lambda: 1 - exp(-half),
        }[alpha]()
    alpha = mpf(alpha)
    return abs(alpha - 2) / alpha * ((z**2 / abs(alpha - 2) + 1) ** (alpha / 2) - 1)


@lru_cache
def log_partition(alpha: float) -> mpf:
    """By quadrature, in other variables than the loss's own."""
    with mp.workdps(25):
        return log(2 * mp.quad(lambda z: exp(-barron(z, alpha)), [0, 1, 4, 20, 100, 1e3, 1e5, mp.inf]))


def robust(x: mpf, y: mpf, o: Chosen) -> mpf:
    value = barron((x - y) / o.scale, float(o("alpha")))
    return value + log(o.scale) + log_partition(float(o("alpha"))) if o("learnable") else value


def tukey(x: mpf, y: mpf, o: Chosen) -> mpf:
    return o.c**2 / 6 * (1 - (1 - min(abs(x - y) / o.c, mpf(1)) ** 2) ** 3)


def wing(x: mpf, y: mpf, o: Chosen) -> mpf:
    def curve(d: mpf) -> mpf:
        return o.width * log(1 + d / o.curvature)

    d = abs(x - y)
    return curve(d) if d < o.width else curve(o.width) + d - o.width


def adaptive_wing(x: mpf, y: mpf, o: Chosen) -> mpf:
    """Beyond theta the tangent, which mpmath differentiates."""

    def curve(d: mpf) -> mpf:
        return o.omega * log(1 + (d / o.epsilon) ** (o.alpha - y))

    d, power = abs(x - y), (o.theta / o.epsilon) ** (o.alpha - y)
    slope = o.omega * (o.alpha - y) * power / o.theta / (1 + power)
    return curve(d) if d < o.theta else curve(o.theta) + slope * (d - o.theta)


def balanced_l1(x: mpf, y: mpf, o: Chosen) -> mpf:
    """The integral of the gradient, up to where it is gamma."""
    b = expm1(o.gamma / o.alpha) / o.beta
    d = min(abs(x - y), o.beta)
    return o.alpha * ((d + 1 / b) * log(1 + b * d) - d) + o.gamma * (abs(x - y) - d)


def kornia(name: str) -> Peer:
    return Peer(f"kornia.losses.{name}")


AUTHORITIES: dict[str, list[Authority]] = {
    "robust_loss": [
        Formula(
            robust,
            settings=[
                *({"alpha": alpha, "scale": 0.7} for alpha in (2.0, 0.0, -2.0, float("-inf"), float("inf"), 1.3, -3.7)),
                {"alpha": 1e-9},
                {"alpha": 1.999999},
                {"learnable": True, "alpha": 0.4, "scale": 1.7},
                {"learnable": True, "alpha": 1.7},
            ],
        ),
        ByHand(
            ([[1.0, 2.0]], [[0.0, 0.0]]),
            math.log(4.5) / 2,
            options={"alpha": 0.0},
            working="At alpha 0, log(1 + 1/2) and log(1 + 4/2), of which the mean is (log 1.5 + log 3) / 2.",
        ),
    ],
    "cauchy_loss": [kornia("cauchy_loss"), Formula(lambda x, y, o: log(((x - y) / o.scale) ** 2 / 2 + 1))],
    "geman_mcclure_loss": [
        kornia("geman_mcclure_loss"),
        Formula(lambda x, y, o: 2 - 8 / (((x - y) / o.scale) ** 2 + 4)),
    ],
    "welsch_loss": [kornia("welsch_loss"), Formula(lambda x, y, o: 1 - exp(-(((x - y) / o.scale) ** 2) / 2))],
    "tukey_loss": [Formula(tukey, settings=[{"c": 0.8}])],
    "wing_loss": [Formula(wing, settings=[{"width": 1.0, "curvature": 0.3}])],
    "adaptive_wing_loss": [
        Formula(adaptive_wing, settings=[{"alpha": 2.5, "omega": 3.0, "theta": 1.2, "epsilon": 0.4}, {"epsilon": 2.0}]),
    ],
    "balanced_l1_loss": [Formula(balanced_l1, settings=[{"alpha": 0.9, "gamma": 1.1, "beta": 0.6}])],
}

INPUTS = {
    "adaptive_wing_loss": [row("pair", heat_maps, along=0)],
}
