"""Losses of classes in an order."""

from __future__ import annotations

import mpmath as mp
import numpy as np
from torch import Generator, randint

from authorities.detection import logs
from formulas import softmax
from inputs import Given, Shape, labels, numbers, row
from references import Authority, BatchFormula, Chosen


def emd(x, t, o: Chosen):  # type: ignore[no-untyped-def]
    """One value a position, of class indices."""
    found = []
    for z, y in rows(x, t):
        p = softmax(list(z))
        found.append(mp.fsum((mp.fsum(p[: k + 1]) - (y <= k)) ** 2 for k in range(len(p))))
    return np.array(found, dtype=object).reshape(t.shape)


def rows(x, t):  # type: ignore[no-untyped-def]
    """The logits and the grade of each position."""
    return zip(np.moveaxis(x, 1, -1).reshape(-1, x.shape[1]), t.flatten(), strict=True)


def coral(x, t, o: Chosen):  # type: ignore[no-untyped-def]
    each = [-mp.fsum(logs(v)[0 if y > k else 1] for k, v in enumerate(z)) for z, y in rows(x, t)]
    return np.array(each, dtype=object).reshape(t.shape)


def corn(x, t, o: Chosen):  # type: ignore[no-untyped-def]
    """One number: the mean over every answer that is asked for."""
    asked = [-logs(v)[0 if y > k else 1] for z, y in rows(x, t) for k, v in enumerate(z) if y >= k]
    return mp.fsum(asked) / len(asked)


def grades(shape: Shape, generator: Generator) -> Given:
    """(N, K - 1, *) logits, and grades from 0 to K - 1."""
    size = (shape.n, shape.c, *shape.spatial)
    target = randint(0, shape.c + 1, (shape.n, *shape.spatial), generator=generator)
    return Given((numbers(size, generator), target), (shape.n, *shape.spatial))


AUTHORITIES: dict[str, list[Authority]] = {
    "coral_loss": [BatchFormula(coral)],
    "corn_loss": [BatchFormula(corn, reductions=("mean",))],
    "ordinal_emd_loss": [BatchFormula(emd)],
}

INPUTS = {
    "coral_loss": [row("grades", grades, size=1)],
    "corn_loss": [row("grades", grades, size=1, averages=False)],
    "ordinal_emd_loss": labels("indices"),
}
