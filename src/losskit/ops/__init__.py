"""Terms to totals: the interface between losses and the operators that compute their sums.

    totals(inputs, columns) -> (N, C) per column    sums over the positions of each sample and class; pooled: (C,)
    terms(inputs, term, ...)                        per-element values, for reduction="none"

This package depends on no particular loss.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from losskit.ops import choice, first_use, passes, reference, values
from losskit.ops.columns import OF_TARGETS, Column, Term, kernel_columns
from losskit.ops.inputs import Inputs

__all__ = ["terms", "totals"]


def totals(inputs: Inputs, columns: Sequence[Column], *, pooled: bool = False) -> list[Tensor]:
    """Sums over the positions of each sample and class, (N, C) per column, in float64; (C,) if pooled.

    Columns that depend on targets alone are detached, unless targets or weights require gradients.
    """
    planned = kernel_columns(columns)
    operator, failed = choice.serving(inputs, planned, len(columns), pooled=pooled)
    if operator != "reference":
        assert planned is not None
        return list(passes.totals(inputs, planned, operator, pooled=pooled))
    bad = values.check(inputs)
    result = first_use.instead(inputs, columns) if failed and inputs.is_plain else reference.totals(inputs, columns)
    if pooled:
        result = result.sum(0)
    if bad:
        result = result + sum(bad)
    learned = any(t is not None and t.requires_grad for t in (inputs.target, inputs.weight))
    fixed = inputs.is_plain and not learned  # the backward pass then skips these columns
    each = zip(columns, result.unbind(-1), strict=True)
    return [total.detach() if fixed and column in OF_TARGETS else total for column, total in each]


def terms(inputs: Inputs, term: Term, truth: Tensor, every: Tensor | None = None) -> Tensor:
    """Per-element `sum_c (truth_c t_c + every_c) term(log p_c)` times the weight; 0 where masked or ignored."""
    bad = values.check(inputs)
    result = reference.terms(inputs, term, truth, every)
    return result + sum(bad) if bad else result
