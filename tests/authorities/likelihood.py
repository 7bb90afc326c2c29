"""Negative log-likelihoods and scores of predicted distributions."""

from __future__ import annotations

from typing import Any

import mpmath as mp
import numpy as np
from mpmath import erfc, exp, fsum, gamma, log, mpf, pi, sqrt

from inputs import row
from number_inputs import counts_with_dispersion, evidence, mixtures, to_positives, with_scale
from references import Authority, BatchFormula, Chosen, Formula


def student_t(x: mpf, y: mpf, s: mpf, o: Chosen) -> mpf:
    """From its density."""
    n = o.df
    density = gamma((n + 1) / 2) / (sqrt(n * pi) * gamma(n / 2) * s) * (1 + ((x - y) / s) ** 2 / n) ** (-(n + 1) / 2)
    return -log(density)


def negative_binomial(z: mpf, y: mpf, a: mpf, o: Chosen) -> mpf:
    """From its probability of y successes before 1 / a failures."""
    failures, p = 1 / a, 1 / (1 + a * exp(z))
    return -log(gamma(y + failures) / gamma(failures) / mp.factorial(y) * p**failures * (1 - p) ** y)


def gaussian_crps(x: mpf, y: mpf, s: mpf, o: Chosen) -> mpf:
    """Twice the integral of the quantile losses, by its parts: E|X - y| - E|X - X'| / 2."""
    z = (y - x) / s
    below = erfc(-z / sqrt(2)) / 2
    far = s * (2 * exp(-(z**2) / 2) / sqrt(2 * pi) + z * (2 * below - 1))
    return far - s / sqrt(pi)


def evidential(m: mpf, v: mpf, a: mpf, b: mpf, y: mpf, o: Chosen) -> mpf:
    """Minus the log-density of Student's t with 2 a degrees of freedom, and the evidence for what is wrong."""
    square, n = b * (1 + v) / (v * a), 2 * a
    density = (
        gamma((n + 1) / 2) / (sqrt(n * pi * square) * gamma(n / 2)) * (1 + (y - m) ** 2 / square / n) ** (-(n + 1) / 2)
    )
    return -log(density) + o.coefficient * abs(y - m) * (2 * v + a)


def mixture(logits: Any, mean: Any, scale: Any, y: Any, o: Chosen) -> Any:
    found = np.empty(y.shape, dtype=object)
    for at in np.ndindex(*y.shape):
        of = [t[(at[0], slice(None), *at[1:])] for t in (logits, mean, scale)]
        share = fsum(exp(v) for v in of[0])
        density = fsum(
            exp(v) / share * exp(-(((y[at] - m) / s) ** 2) / 2) / (s * sqrt(2 * pi))
            for v, m, s in zip(*of, strict=True)
        )
        found[at] = -log(density)
    return found


def beta_nll(x: mpf, y: mpf, v: mpf, _x: mpf, _y: mpf, stopped: mpf, o: Chosen) -> mpf:
    return stopped**o.beta * (log(v) + (x - y) ** 2 / v) / 2


AUTHORITIES: dict[str, list[Authority]] = {
    "laplace_nll_loss": [Formula(lambda x, y, b, o: -log(exp(-abs(x - y) / b) / (2 * b)))],
    "student_t_nll_loss": [Formula(student_t)],
    "beta_nll_loss": [Formula(beta_nll, stops=True)],
    "gamma_nll_loss": [Formula(lambda x, y, o: log(exp(x)) + y / exp(x))],
    "negative_binomial_nll_loss": [Formula(negative_binomial)],
    "crps_loss": [Formula(gaussian_crps)],
    "evidential_loss": [Formula(evidential)],
    "mixture_nll_loss": [BatchFormula(mixture)],
}

THREE = row("spread", with_scale, along=0, differentiable=(0, 1, 2))
INPUTS = {
    "laplace_nll_loss": [THREE],
    "student_t_nll_loss": [THREE],
    "beta_nll_loss": [row("spread", with_scale, along=0, differentiable=(0, 1, 2), stops=True)],
    "gamma_nll_loss": [row("pair", to_positives, along=0)],
    "negative_binomial_nll_loss": [row("spread", counts_with_dispersion, along=0, differentiable=(0, 2))],
    "crps_loss": [THREE],
    "evidential_loss": [row("evidence", evidence, along=0, differentiable=(0, 1, 2, 3, 4), waves=False)],
    "mixture_nll_loss": [row("mixtures", mixtures, along=0, differentiable=(0, 1, 2, 3))],
}
