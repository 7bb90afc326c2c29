"""Terms to totals: the one seam between losses and the operators that serve them.

    totals(reading, columns) -> (N, C, K)    sums over the positions of each sample and class
    terms(reading, term, ...)                what each element contributes, for reduction="none"

Nothing below this line knows a loss's name.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from losskit.ops import reference, values
from losskit.ops.columns import Column, Term
from losskit.ops.reading import Reading


def totals(reading: Reading, columns: Sequence[Column]) -> Tensor:
    """Sums over the positions of each sample and class: (N, C, K), one column each, in float64."""
    bad = values.check(reading)
    result = reference.totals(reading, columns)
    return result + sum(bad) if bad else result


def terms(reading: Reading, term: Term, truth: Tensor, every: Tensor | None = None) -> Tensor:
    """Each element's `sum_c (truth_c t_c + every_c) term(log p_c)`, times its weight; 0 where it does not count."""
    bad = values.check(reading)
    result = reference.terms(reading, term, truth, every)
    return result + sum(bad) if bad else result
