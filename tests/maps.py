"""Formulas on the maps of each class of each sample in mpmath, where the arrangement of positions means something."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import mpmath as mp
import numpy as np
from mpmath import mpf

from formulas import LabelFormula, Problem, divided, each, log_p_and_q, scored
from references import Chosen, Options

Place = tuple[int, ...]


@dataclass
class Map:
    """One class of one sample: numpy arrays of mpmath numbers in the shape of space, 0 where nothing counts."""

    x: Any
    log_p: Any
    p: Any
    q: Any
    t: Any
    w: Any

    @property
    def places(self) -> Iterator[Place]:
        return itertools.product(*map(range, self.p.shape))

    def mean(self, of: Callable[[Place], mpf]) -> mpf:
        """The weighted mean over positions."""
        total = mp.fsum(self.w[i] * of(i) for i in self.places if self.w[i])
        return total / mp.fsum(self.w.flat)


def maps(
    of: Callable[[Map, Chosen], mpf], settings: tuple[Options, ...] = (), tolerance: float = 1e-11
) -> LabelFormula:
    """The mean of `of(map, o)` over classes and samples."""
    return LabelFormula(lambda o, given: _mean_of_maps(of, o, given), settings=settings, tolerance=tolerance)


def map_of(given: Problem, n: int, c: int) -> Map:
    rows = []
    for s in given.positions:
        counts = given.counts[n][c][s]
        log_p, q = log_p_and_q(given, n, s)
        found = (given.x[n][c][s], log_p[c], mp.exp(log_p[c]), q[c], given.t[n][c][s], given.w[n][c][s])
        rows.append(found if counts else (mpf(0),) * 6)
    columns = (np.array(column, dtype=object).reshape(given.space) for column in zip(*rows, strict=True))
    return Map(*columns)


def _mean_of_maps(of: Callable[[Map, Chosen], mpf], o: Chosen, given: Problem) -> mpf:
    class_weight = each(o("class_weight"), len(given.classes))
    numerator = denominator = mpf(0)
    for n in given.samples:
        for c in scored(o, given):
            found = map_of(given, n, c)
            absent = not any((found.t * found.w).flat)
            if not any(found.w.flat) or (absent and o("absent") == "skip"):
                continue
            value = found.mean(found.p.__getitem__) if absent and o("absent") == "penalize" else of(found, o)
            numerator += class_weight[c] * value
            denominator += class_weight[c]
    return divided(numerator, denominator)


def steps(o: Chosen, dims: int) -> list[mpf]:
    spacing = o("spacing")
    return [mpf(v) for v in spacing] if isinstance(spacing, (list, tuple)) else [mpf(spacing)] * dims


def apart(a: Place, b: Place, spacing: list[mpf]) -> mpf:
    return mp.sqrt(mp.fsum((s * (i - j)) ** 2 for i, j, s in zip(a, b, spacing, strict=True)))


def to_other_side(inside: dict[Place, bool], spacing: list[mpf]) -> dict[Place, mpf]:
    """The distance of each position to the nearest one on the other side; 0 where there is none."""
    return {
        i: min((apart(i, j, spacing) for j, other in inside.items() if other != own), default=mpf(0))
        for i, own in inside.items()
    }


def neighbours(place: Place, shape: tuple[int, ...]) -> Iterator[Place]:
    """The positions beside one along each dimension."""
    for dim, by in itertools.product(range(len(place)), (-1, 1)):
        if 0 <= place[dim] + by < shape[dim]:
            yield (*place[:dim], place[dim] + by, *place[dim + 1 :])


def around(place: Place, shape: tuple[int, ...], reach: int = 1) -> Iterator[Place]:
    """The positions of the cube around one."""
    ranges = (range(max(0, i - reach), min(size, i + reach + 1)) for i, size in zip(place, shape, strict=True))
    yield from itertools.product(*ranges)
