"""The C kernels where one logit is far from the others, up to 1e4: every pair of terms, in every path and pass.

A probability then rounds to 0 or 1, and what it was must come from the logit, or from the other classes.
"""

from itertools import combinations

import pytest
import torch

from losskit.ops import native
from losskit.ops.columns import Formula, TermColumn
from operators import LEVELS, ROUNDING, Case, Given, definition, drawn_coefficients, run

TERMS = {
    "log": Formula(),
    "focal 2": Formula(gamma=2.0),
    "focal 1.7": Formula(gamma=1.7),
    "focal 0.5": Formula(gamma=0.5),
    "poly": Formula(rest=1.0),
    "absolute": Formula(log=0.0, rest=1.0),
    "gce 0.7": Formula(log=0.0, rest=1.0, q=0.7),
    "gce 0.01": Formula(log=0.0, rest=1.0, q=0.01),
}
PATHS = {
    "hard labels": Case("sigmoid", c=3),
    "soft labels": Case("sigmoid", c=3, soft=True),
    "two classes": Case(c=2),
    "few classes": Case(c=5),
    "the most of few classes": Case(c=native.FEW_CLASSES),
    "more classes": Case(c=native.FEW_CLASSES + 1),
    "many classes": Case(c=40),
    "many classes side by side": Case(c=40, layout="channels last"),
    "soft classes": Case(c=5, soft=True),
}
TOTALS, GRADIENT = 64, 32  # in units of 2^-24, as in test_operators.py


def tensors(case, columns):
    """Logits of every size up to 1e4, and labels that are as often wrong as right."""
    generator = torch.Generator().manual_seed(case.seed)
    shape = (case.n, case.c, *case.space)
    size = 10 ** (5 * torch.rand(case.n, 1, *case.space, generator=generator) - 1)
    x = torch.randn(shape, generator=generator).clamp(-1, 1) * size
    if case.link == "sigmoid":
        target = torch.rand(shape, generator=generator)
        target = target if case.soft else (target > 0.5).float()
    elif case.soft:
        target = torch.softmax(torch.randn(shape, generator=generator), 1)
    else:
        target = torch.randint(0, case.c, (case.n, *case.space), generator=generator)
    if case.layout == "channels last":
        x = x.movedim(1, -1).contiguous().movedim(-1, 1)
    return Given(x, target, None, None, None, -100, columns)


def columns_of(case, terms, *, every):
    sides = (0, 1) if case.link == "sigmoid" else (0,)
    kinds = ("truth", "every") if every else ("truth",)
    return ["tp", "pred", *(TermColumn(term, kind, side) for term in terms for kind in kinds for side in sides)]


def check(found, exact, allowed, what):
    scale = 1 + exact.abs() if what == "totals" else exact.abs().max()
    assert found.isfinite().all(), what
    assert ((found.double() - exact).abs() / scale).max() < allowed * ROUNDING, what


@pytest.mark.parametrize("level", LEVELS, ids=["plain", "avx2", "avx512"])
@pytest.mark.parametrize("every", [False, True], ids=["by truth", "every class"])
@pytest.mark.parametrize("path", PATHS)
def test_every_pair_of_terms_is_right_in_every_pass(path, every, level):
    case = PATHS[path]._replace(space=(331,), level=level)
    for seed, names in enumerate([(name,) for name in TERMS] + list(combinations(TERMS, 2))):
        case = case._replace(seed=seed)
        g = tensors(case, columns_of(case, [TERMS[name] for name in names], every=every))
        like = drawn_coefficients(case)
        totals, gradient = definition(case, g, like)
        coefficients = like(totals)
        both, made, _ = run(case, g, coefficients)
        check(both, totals, TOTALS, "totals")
        check(made, gradient, GRADIENT, f"{names}: gradient with totals")
        check(run(case, g, coefficients, totals=False)[1], gradient, GRADIENT, f"{names}: gradient alone")
        saved = native.SavedActivations(torch.empty_like(g.input)) if case.layout == "contiguous" else None
        if saved is None:
            continue
        first = run(case, g, saved=saved)[0]
        check(first, totals, TOTALS, f"{names}: totals before a gradient")
        if saved.call is not None:
            check(saved.gradient(coefficients), gradient, GRADIENT, f"{names}: gradient from activations")
