"""Columns: the names of the sums that losses ask for. Nothing here, or below, knows a loss's name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

from torch import Tensor

Term = Callable[[Tensor], Tensor]  # f(log p), element by element
RegionColumn = Literal["tp", "pred", "target", "count", "pred_sq", "target_sq", "abs_diff"]
REGION_COLUMNS: tuple[RegionColumn, ...] = ("tp", "pred", "target", "count", "pred_sq", "target_sq", "abs_diff")


class TermColumn(NamedTuple):
    """The sum of `t_c f(log p_c)` per class of the truth, or of `f(log p_c)` over every position that counts."""

    term: Term
    of: Literal["truth", "every"]
    side: int = 0  # 0: yes, with log p and t; 1: no, with log(1 - p) and 1 - t (sigmoid only)


Column = RegionColumn | TermColumn
