"""Runs cases of the kernels with the library that is named: in a process where sanitizers watch it."""

import math
import random
import sys
from contextlib import nullcontext

import torch

import operators
import test_memory_shortage
from losskit.ops import differences, native, reference
from losskit.ops.columns import Difference, kernel_columns
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
    instructions,
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


def alone(tensor):
    """The same numbers in memory that holds nothing more, so that one further is seen."""
    if tensor is None:
        return None
    span = 1 + sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.stride(), strict=True))
    memory = torch.empty(span, dtype=tensor.dtype).copy_(tensor.as_strided((span,), (1,)))
    return memory.as_strided(tensor.shape, tensor.stride())


def coefficients_of(case, columns):
    return drawn_coefficients(case)(torch.empty(1 if case.pooled else case.n, case.c, columns))


def check_sums(case, g):
    coefficients = coefficients_of(case, len(g.columns))
    run(case, g, coefficients)
    run(case, g)
    run(case, g, coefficients, totals=False)
    if case.dtype != torch.float32:
        return
    saved = native.SavedActivations(alone(torch.full_like(g.input, math.nan)))
    run(case, g, saved=saved)
    if saved.call is not None:
        assert not saved.memory.isnan().any(), "something was not written"
        with instructions(case.level):
            assert not saved.gradient(coefficients).isnan().any()


def check_ranks(case, g):
    """Errors, sorts and increments, and the gradient in the memory of the increments or in its own."""
    tensors = [alone(t) for t in (g.input, g.target, g.mask)]
    told = case.link, g.ignore if reference.can_hold(g.target, g.ignore) else None
    with instructions(case.level):
        native.rank(*tensors, *told, pooled=case.pooled, keep_increments=False)
        _, increments, _ = native.rank(*tensors, *told, pooled=case.pooled, keep_increments=True)
        native.rank_gradient(coefficients_of(case, 3), increments, *tensors, *told, pooled=case.pooled)


def check_differences(case, g):
    tensors = [alone(t) for t in g[:4]]
    for limit in (0.0, 0.7, math.inf):
        for totals, coefficients in ((True, None), (True, coefficients_of(case, 2)), (False, coefficients_of(case, 2))):
            with instructions(case.level):
                native.run(
                    *tensors, None, "difference", None, *kernel_columns(differences.columns(Difference(2.0, limit))),
                    pooled=case.pooled, totals=totals, coefficients=coefficients,
                )  # fmt: skip


CHECKS = {"sums": check_sums, "ranks": check_ranks, "differences": check_differences}
SHORTAGES = list(test_memory_shortage.COMPUTED)


def check(kind, seed):
    if kind == "shortage":
        assert test_memory_shortage.failures(SHORTAGES[seed]) < test_memory_shortage.MOST
        return
    case = drawn(seed)
    if kind == "ranks":  # errors of one size, and of sizes that two digits sort, or three
        case = case._replace(columns="targets", scale=(0.0, 1e-3, 3.0, 1e4)[seed % 4])
    if kind == "differences":  # of targets that are as the input is
        case = case._replace(link="sigmoid", ignore=None, target_dtype=case.target_dtype if case.soft else "int16")
    g = given(case)
    if seed % 3 == 0 and not case.soft and 0 not in g.target.stride():  # labels that no class has
        g.target.masked_fill_(torch.rand(g.target.shape) < 0.1, g.target.dtype == torch.bool or 127)
    CHECKS[kind](case, g)


def with_wrong_strides(tensor, flat, look=native.view_of):
    view, tensor = look(tensor, flat)
    view.s *= 2
    return view, tensor


def main(library, kind, *seeds):
    native._PATH = library
    torch.set_num_threads(2)
    operators.guarded, operators.guarded_outputs = alone, lambda: nullcontext([])
    if kind == "beyond":
        native.view_of = with_wrong_strides
        check_sums(case := Case(space=(500,), mask=True), given(case))
    for seed in seeds:
        check(kind, int(seed))
    print(len(seeds))


if __name__ == "__main__":
    main(*sys.argv[1:])
