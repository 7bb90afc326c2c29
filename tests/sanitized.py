"""Runs cases of the operators with the library that is named: in a process where sanitizers watch it."""

import random
import sys

import torch

from losskit.ops import native
from operators import (
    COLUMNS,
    IGNORED,
    INDICES,
    INPUTS,
    LABELS,
    LAYOUTS,
    LEVELS,
    LINKS,
    SOFT,
    WEIGHTS,
    Case,
    drawn_coefficients,
    given,
    run,
)


def drawn(seed):
    """A case of at most a few thousand elements, ends of tiles and vectors among them."""
    draw = random.Random(seed)
    pick = lambda *values: draw.choice(values)  # noqa: E731
    link, soft = pick(*LINKS), pick(False, True)
    c = pick(1, 2, 3, 4, 5, 8, 19, 33, 150)
    positions = pick(1, 2, 15, 17, 63, 65, 257, 2049) if c < 20 else pick(1, 7, 17, 33)
    n, space = pick(
        (3, (positions,)), (positions, ()), (2, (positions, 1)), (1, (3, positions)), (2, (1, 2, positions))
    )
    return Case(
        link=link, n=n, c=max(c, 2) if link == "softmax" else c, space=tuple(space), soft=soft,
        dtype=pick(*INPUTS), target_dtype=pick(*(SOFT if soft else LABELS if link == "sigmoid" else INDICES)),
        layout=pick(*LAYOUTS), target_layout=pick(*LAYOUTS), weight=pick("", *WEIGHTS), mask=pick(False, True),
        ignore=pick(None, *IGNORED), shift=pick(False, True), pooled=not space or pick(False, True),
        columns=pick(*COLUMNS), level=pick(*LEVELS), seed=seed,
    )  # fmt: skip


def check(case, g):
    shape = (1 if case.pooled else case.n, case.c, len(g.columns))
    coefficients = drawn_coefficients(case)(torch.empty(shape))
    run(case, g, coefficients)
    run(case, g)
    run(case, g, coefficients, totals=False)


def with_wrong_strides(view, tensor, flat, look=native._look):
    found = look(view, tensor, flat)
    view.s *= 2
    return found


def main(library, *cases):
    native._PATH = library
    torch.set_num_threads(2)
    for each in cases:
        case = Case(space=(500,), mask=True) if each == "beyond" else drawn(int(each))
        g = given(case)
        if each == "beyond":
            native._look = with_wrong_strides
        elif int(each) % 3 == 0 and not case.soft and 0 not in g.target.stride():  # labels that no class has
            g.target.masked_fill_(torch.rand(g.target.shape) < 0.1, g.target.dtype == torch.bool or 127)
        check(case, g)
    print(len(cases))


if __name__ == "__main__":
    main(*sys.argv[1:])
