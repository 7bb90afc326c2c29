"""Losses of real numbers that are formulas on the whole batch."""

from __future__ import annotations

from typing import Any

import numpy as np
from mpmath import exp, fsum, log, mpf, sqrt

from inputs import pair, row
from number_inputs import batches, positives, sample_pairs
from references import Authority, BatchFormula, Chosen


def mean(values: Any) -> mpf:
    values = list(np.asarray(values, dtype=object).flat)
    return fsum(values) / len(values)


def rmse(x: Any, y: Any, o: Chosen) -> mpf:
    return sqrt(mean((x - y) ** 2))


def silog(x: Any, y: Any, o: Chosen) -> mpf:
    """A part of the variance, and the rest of the mean square."""
    g = [log(a / b) for a, b in zip(x.flat, y.flat, strict=True)]
    middle = mean(g)
    variance = mean([(v - middle) ** 2 for v in g])
    return sqrt(o.variance_focus * variance + (1 - o.variance_focus) * (variance + middle**2))


def columns(x: Any, y: Any) -> list[tuple[list[mpf], list[mpf]]]:
    flat = [a.reshape(len(a), -1) for a in (x, y)]
    return [(list(flat[0][:, k]), list(flat[1][:, k])) for k in range(flat[0].shape[1])]


def centred(values: list[mpf]) -> list[mpf]:
    return [v - mean(values) for v in values]


def pearson(x: Any, y: Any, o: Chosen) -> mpf:
    found = []
    for a, b in columns(x, y):
        a, b = centred(a), centred(b)
        norms = sqrt(fsum(v * v for v in a)) * sqrt(fsum(v * v for v in b))
        found.append(1 - fsum(v * w for v, w in zip(a, b, strict=True)) / norms)
    return mean(found)


def concordance(x: Any, y: Any, o: Chosen) -> mpf:
    """The mean squared difference, over what it would be without dependence."""
    found = []
    for a, b in columns(x, y):
        apart = mean([(v - w) ** 2 for v, w in zip(a, b, strict=True)])
        independent = mean([(v - w) ** 2 for v in a for w in b])
        found.append(apart / independent)
    return mean(found)


def balanced_mse(x: Any, y: Any, o: Chosen) -> Any:
    x, y = (a.reshape(len(a), -1) for a in (x, y))
    found = []
    for i, row_ in enumerate(x):
        near = [exp(-fsum((row_ - other) ** 2) / (2 * o.noise**2)) for other in y]
        found.append(-log(near[i] / fsum(near)))
    return np.asarray(found, object)


def berhu(x: Any, y: Any, o: Chosen) -> Any:
    d = abs(x - y)
    c = o.threshold * max(d.flat)
    return np.asarray([v if v <= c else (v**2 + c**2) / (2 * c) for v in d.flat], object).reshape(d.shape)


ONE = ("mean",)
AUTHORITIES: dict[str, list[Authority]] = {
    "rmse_loss": [BatchFormula(rmse, reductions=ONE)],
    "silog_loss": [BatchFormula(silog, reductions=ONE)],
    "pearson_loss": [BatchFormula(pearson, reductions=ONE)],
    "concordance_loss": [BatchFormula(concordance, reductions=ONE)],
    "balanced_mse_loss": [BatchFormula(balanced_mse)],
    "berhu_loss": [BatchFormula(berhu, settings=[{"threshold": 0.5}, {"threshold": 2.0}])],
}

INPUTS = {
    "rmse_loss": [row("pair", pair, along=0, differentiable=(0, 1))],
    "silog_loss": [row("pair", positives, along=0, differentiable=(0, 1))],
    "pearson_loss": [row("batch", batches, along=0, differentiable=(0, 1))],
    "concordance_loss": [row("batch", batches, along=0, differentiable=(0, 1))],
    "balanced_mse_loss": [row("samples of numbers", sample_pairs, along=0, differentiable=(0, 1), averages=False)],
    "berhu_loss": [row("pair", pair, along=0, differentiable=(0, 1), averages=False)],
}
