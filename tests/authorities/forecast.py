"""Losses of forecasts."""

from __future__ import annotations

from itertools import product
from typing import Any

import mpmath as mp
import numpy as np
from mpmath import exp, log, mpf

from inputs import pair, row
from number_inputs import ensembles, positives, quantile_predictions, sample_pairs, to_positives
from references import Authority, BatchFormula, ByHand, Chosen, Formula


def pinball(x: mpf, y: mpf, q: Any) -> mpf:
    return mpf(q) * (y - x) if y > x else (1 - mpf(q)) * (x - y)


def several_quantiles(x: Any, y: Any, o: Chosen) -> Any:
    each = [np.frompyfunc(lambda a, b, q=q: pinball(a, b, q), 2, 1)(x[..., k], y) for k, q in enumerate(o.quantiles)]
    return sum(each) / len(each)


def tweedie(x: mpf, y: mpf, o: Chosen) -> mpf:
    """Twice the integral of (mean - y) / mean^power from the target to the mean, by its antiderivative."""
    p, mean = mpf(o("power")), exp(x)

    def part(power: mpf, a: mpf) -> mpf:
        return log(a) if power == 0 else a**power / power

    found = part(2 - p, mean) - y * part(1 - p, mean)
    least = part(2 - p, y) - y * part(1 - p, y) if y else mpf(0)
    return 2 * (found - least)


def ensemble_crps(x: Any, y: Any, o: Chosen) -> Any:
    """Over all pairs of members."""
    found = np.empty(y.shape, dtype=object)
    for at in np.ndindex(*y.shape):
        members = x[(at[0], slice(None), *at[1:])]
        pairs = mp.fsum(abs(a - b) for a, b in product(members, members))
        count = len(members)
        others = count * (count - 1) if o("fair") else count**2
        found[at] = mp.fsum(abs(m - y[at]) for m in members) / count - pairs / (2 * others)
    return found


def relative_lp(x: Any, y: Any, o: Chosen) -> Any:
    def norm(values: Any) -> mpf:
        sizes = [abs(v) for v in values.flat]
        return max(sizes) if o.p == mp.inf else mp.fsum(v**o.p for v in sizes) ** (1 / o.p)

    return np.asarray([norm(a - b) / norm(b) for a, b in zip(x, y, strict=True)], object)


THREE = {"quantiles": [0.1, 0.5, 0.8]}

AUTHORITIES: dict[str, list[Authority]] = {
    "quantile_loss": [
        Formula(lambda x, y, o: pinball(x, y, o.quantiles), kinds=("pair",)),
        BatchFormula(several_quantiles, kinds=("several",)),
    ],
    "expectile_loss": [
        Formula(lambda x, y, o: (o.tau if y > x else 1 - o.tau) * (x - y) ** 2),
    ],
    "msle_loss": [Formula(lambda x, y, o: log((1 + x) / (1 + y)) ** 2)],
    "mape_loss": [Formula(lambda x, y, o: abs(x / y - 1))],
    "smape_loss": [Formula(lambda x, y, o: abs(x - y) / ((abs(x) + abs(y)) / 2))],
    "tweedie_loss": [Formula(tweedie, settings=[{"power": 1.0}, {"power": 1 + 1e-7}, {"power": 2.0}])],
    "ensemble_crps_loss": [
        BatchFormula(ensemble_crps),
        ByHand(
            ([[1.0, 4.0]], [2.0]),
            0.75,
            options={"reduction": "sum"},
            working="Errors 1 and 2, of mean 1.5; the four pairs differ by 0, 3, 3, 0, of which half the mean is 0.75.",
        ),
    ],
    "relative_lp_loss": [BatchFormula(relative_lp, settings=[{"p": float("inf")}, {"p": 1.0}])],
}

INPUTS = {
    "quantile_loss": [
        row("pair", pair, along=0),
        row("several", quantile_predictions, options=THREE, along=0),
    ],
    "msle_loss": [row("pair", positives, along=0)],
    "tweedie_loss": [row("pair", to_positives, along=0)],
    "ensemble_crps_loss": [row("ensembles", ensembles, along=0, differentiable=(0, 1))],
    "relative_lp_loss": [row("fields of numbers", sample_pairs, along=0, differentiable=(0, 1))],
}
