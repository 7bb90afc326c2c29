"""Totals: the argument of a formula on regions, the columns that it reads, and its tape."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from losskit.ops.agreement import check_tape
from losskit.ops.captured import exact, values_read
from losskit.ops.columns import REGION_COLUMNS
from losskit.ops.planning import Watching
from losskit.ops.recorder import trace
from losskit.ops.tape import Tape, Untraceable


class Totals:
    """The totals of each class, (N, C): sums of p t, p, t, 1, p² and t², and quantities derived from them.

    With overlap="l1", p t is min(p, t). The excess of p and of t over it is summed separately: a difference of totals
    would lose a small sum to the rounding of large ones.
    """

    def __init__(self, columns: dict[str, Tensor], overlap: str = "product") -> None:
        self._columns = columns
        self._overlap = overlap

    def column(self, name: str) -> Tensor:
        return self._columns[name]

    @property
    def tp(self) -> Tensor:
        return self.column("tp_l1" if self._overlap == "l1" else "tp")

    @property
    def fp(self) -> Tensor:
        return self.column("fp_l1") if self._overlap == "l1" else self.pred - self.tp

    @property
    def fn(self) -> Tensor:
        return self.column("fn_l1") if self._overlap == "l1" else self.target - self.tp

    @property
    def tn(self) -> Tensor:
        return self.count - self.target - self.fp

    @property
    def pred(self) -> Tensor:
        return self.tp + self.fp if self._overlap == "l1" else self.column("pred")

    @property
    def target(self) -> Tensor:
        return self.column("target")

    @property
    def count(self) -> Tensor:
        return self.column("count")

    @property
    def pred_sq(self) -> Tensor:
        return self.column("pred_sq")

    @property
    def target_sq(self) -> Tensor:
        return self.column("target_sq")

    @property
    def abs_diff(self) -> Tensor:
        return self.column("fp_l1") + self.column("fn_l1")


# Totals with tp = fp = fn = tn = 1, where every formula is finite and differentiable.
NEUTRAL = {"tp": 1.0, "pred": 2.0, "target": 2.0, "count": 4.0, "pred_sq": 2.0, "target_sq": 2.0}
NEUTRAL |= {"tp_l1": 1.0, "fp_l1": 1.0, "fn_l1": 1.0}


def neutral(name: str) -> float:
    """The neutral total of a column; 1 for a column that a loss defines itself."""
    return NEUTRAL.get(name, 1.0)


class Recorder(Totals):
    """Totals of one sample and two classes that record which columns a formula reads."""

    def __init__(self, overlap: str) -> None:
        super().__init__({}, overlap)
        self.read: list[str] = []

    def column(self, name: str) -> Tensor:
        if name not in self.read:
            self.read.append(name)
        return torch.full((1, 2), neutral(name), dtype=torch.float64)


_SAMPLES = {"tp": 1.0, "pred": 3.0, "target": 2.0, "count": 8.0, "pred_sq": 2.5, "target_sq": 1.5}
_SAMPLES |= {"tp_l1": 1.375, "fp_l1": 1.625, "fn_l1": 0.625}
_POINTS = {  # regions of several samples and classes, including empty and perfect ones
    "tp": ((1.0, 0.0, 2.5, 1e-3, 4.0), (0.0, 0.25, 40.0, 3.0, 2.0), (0.5, 7.0, 0.0, 6.0, 1.0)),
    "pred": ((3.0, 0.0, 2.5, 0.5, 5.5), (1e-6, 1.0, 70.0, 3.0, 4.0), (2.0, 9.0, 4.0, 8.0, 1.5)),
    "target": ((2.0, 0.0, 2.5, 4.0, 4.0), (0.0, 6.0, 60.0, 3.0, 9.0), (1.0, 8.0, 5.0, 9.0, 1.25)),
    "count": ((8.0, 8.0, 8.0, 9.0, 16.0), (4.0, 9.0, 100.0, 3.0, 20.0), (6.0, 30.0, 12.0, 25.0, 8.0)),
    "pred_sq": ((2.5, 0.0, 2.5, 0.25, 5.0), (1e-12, 0.5, 65.0, 3.0, 3.0), (1.5, 8.5, 3.0, 7.0, 1.25)),
    "target_sq": ((1.5, 0.0, 2.5, 4.0, 4.0), (0.0, 6.0, 60.0, 3.0, 9.0), (1.0, 8.0, 5.0, 9.0, 1.0)),
    "tp_l1": ((1.375, 0.0, 2.5, 0.25, 4.0), (0.0, 0.25, 45.0, 3.0, 2.0), (0.5, 7.0, 0.0, 6.0, 1.0)),
    "fp_l1": ((1.625, 0.0, 0.0, 0.25, 1.5), (1e-06, 0.75, 25.0, 0.0, 2.0), (1.5, 2.0, 4.0, 2.0, 0.5)),
    "fn_l1": ((0.625, 0.0, 0.0, 3.75, 0.0), (0.0, 5.75, 15.0, 0.0, 7.0), (0.5, 1.0, 5.0, 3.0, 0.25)),
}
_known_tapes: dict[Any, tuple[Tape, Tape] | str] = {}


def tapes_of(loss: Any, watched: Watching) -> tuple[Tape, Tape]:
    """The tapes of the formula and of the penalty for an absent class; raises Untraceable."""
    read = values_read(loss, "per_class")
    values = [*loss.option_values(), *(each.value for each in read)]
    key = type(loss).per_class, loss.overlap, tuple([exact(value) for value in values])
    try:
        found = _known_tapes.get(key)
    except TypeError:  # an option that was set to a list
        raise Untraceable("an option is a list") from None
    if found is None:
        if len(_known_tapes) >= 256:  # bounds the memory of a sweep over options
            _known_tapes.clear()
        try:
            with torch.inference_mode(False):
                found = _traced(loss)
        except Untraceable as reason:
            found = str(reason)
        _known_tapes[key] = found
    if isinstance(found, str):
        raise Untraceable(found)
    watched.update({(id(loss), k): each for k, each in enumerate(read)})
    return found


def _traced(loss: Any) -> tuple[Tape, Tape]:
    samples = [torch.full((1, 2), _SAMPLES[name], dtype=torch.float64) for name in REGION_COLUMNS]

    def totals(columns: Sequence[Tensor]) -> Totals:
        return Totals(dict(zip(REGION_COLUMNS, columns, strict=True)), loss.overlap)

    def formula(columns: Sequence[Tensor]) -> Tensor:
        value: Tensor = loss.per_class(totals(columns))
        return value

    def penalty(columns: Sequence[Tensor]) -> Tensor:
        total = totals(columns)
        return total.fp / total.count

    found = trace(formula, samples)
    if not type(loss).__module__.startswith("losskit."):
        check_tape(found, formula, [torch.tensor(_POINTS[name], dtype=torch.float64) for name in REGION_COLUMNS])
    return found, trace(penalty, samples)
