"""The finish of a loss, from totals to its value and derivative, as evaluated in C (csrc/finish.h)."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from torch import Tensor

from losskit.ops.columns import REGION_COLUMNS
from losskit.ops.constants import ABSENT, EMPTY, FINISHES, MOST_PARTS, OPERATIONS, REDUCTIONS
from losskit.ops.native import TYPES
from losskit.ops.structures import Call, View
from losskit.ops.tape import Tape


@dataclass(frozen=True)
class TruthWeight:
    """Weights of the positive and negative terms: w and 1 (`pos_weight`), or w and 1 - w (`alpha`)."""

    number: float | Tensor  # one, or one per class
    weighs: Literal["positives", "both"]

    def factors(self, sides: int) -> tuple[tuple[float, float], tuple[float, float]]:
        """Offsets and slopes: the weight of a side is `offset + slope * number`; a single number is an offset."""
        if isinstance(self.number, Tensor):
            return (0.0, 1.0), (1.0, -1.0 if self.weighs == "both" else 0.0)
        return (self.number, 1 - self.number if self.weighs == "both" and sides == 2 else 1.0), (0.0, 0.0)


@dataclass(frozen=True)
class TermsFinish:
    """A weighted mean of terms."""

    sides: int  # 2 under sigmoid: one term per label, positive and negative
    smoothing: float = 0.0
    spread: float = 1.0  # number of classes over which label smoothing is spread
    class_weight: Tensor | None = None
    truth_weight: TruthWeight | None = None
    divisor: float = 1.0
    of_mean: Tape | None = None
    reduction: str = "mean"
    empty: str = "zero"


@dataclass(frozen=True)
class RegionsFinish:
    """A formula of the totals of each region, and the mean over regions."""

    formula: Tape
    penalty: Tape | None
    absent: str
    over_batch: bool
    scored: tuple[bool, ...] | None  # None: every class
    class_weight: Tensor | None = None
    reduction: str = "mean"
    empty: str = "zero"

    @property
    def operations(self) -> int:
        """The number of operations of the formula."""
        return sum(operation.name != "constant" for operation in self.formula.operations)


Finish = TermsFinish | RegionsFinish


class _Operation(ctypes.Structure):
    _fields_ = [(name, ctypes.c_int64) for name in ("operation", "a", "b", "c")] + [("constant", ctypes.c_double)]


class _Tape(ctypes.Structure):
    _fields_ = [("inputs", ctypes.c_int64), ("count", ctypes.c_int64), ("operation", ctypes.POINTER(_Operation))]


_Pair, _Sides = ctypes.c_double * 2, ctypes.c_int64 * 2


class _Part(ctypes.Structure):
    _fields_ = [
        *((name, ctypes.c_int64) for name in ("kind", "reduction", "empty")),
        ("weight", ctypes.c_double),
        ("class_weight", View),
        ("truth", _Sides),
        ("every", _Sides),
        ("count", ctypes.c_int64),
        ("smoothing", ctypes.c_double),
        ("spread", ctypes.c_double),
        ("truth_weight", View),
        ("truth_offset", _Pair),
        ("truth_slope", _Pair),
        ("divisor", ctypes.c_double),
        ("of_mean", _Tape),
        ("column", ctypes.c_int64 * len(REGION_COLUMNS)),
        ("absent", ctypes.c_int64),
        ("over_batch", ctypes.c_int64),
        ("scored", ctypes.c_void_p),
        ("formula", _Tape),
        ("penalty", _Tape),
    ]


class LossStruct(ctypes.Structure):
    """A whole loss for one layout, without addresses."""

    _fields_ = [
        ("call", Call),
        ("parts", ctypes.c_int64),
        ("is_sum", ctypes.c_int64),
        ("more_parts", ctypes.c_int64),
        ("offset", ctypes.c_double),
        ("size", ctypes.c_double),
        ("part", _Part * MOST_PARTS),
    ]


@lru_cache(maxsize=256)
def _operations(tape: Tape) -> Any:
    each = [_Operation(OPERATIONS.index(o.name), o.a, o.b, o.c, o.constant) for o in tape.operations]
    return (_Operation * len(each))(*each)


def _tape(tape: Tape | None, held: list[Any]) -> _Tape:
    if tape is None:
        return _Tape(0, 0, None)
    operations = _operations(tape)
    held.append(operations)
    return _Tape(tape.inputs, len(tape.operations), ctypes.cast(operations, ctypes.POINTER(_Operation)))


def _of_classes(option: Any) -> View:
    """A tensor (C,) without its address, which each call supplies."""
    return View(None, TYPES[option.dtype], 0, option.stride(0), 0) if isinstance(option, Tensor) else View()


def set_part(part: _Part, finish: Finish, weight: float, places: list[int], names: list[str], held: list[Any]) -> None:
    """Fill the structure of a part whose columns have these names and places in the pass."""
    part.reduction, part.empty, part.weight = REDUCTIONS.index(finish.reduction), EMPTY.index(finish.empty), weight
    part.class_weight = _of_classes(finish.class_weight)
    at = dict(zip(names, places, strict=True))
    if isinstance(finish, RegionsFinish):
        part.kind, part.absent = FINISHES.index("region_formula"), ABSENT.index(finish.absent)
        part.over_batch = finish.over_batch
        part.column = type(part.column)(*[at.get(name, -1) for name in REGION_COLUMNS])
        part.formula, part.penalty = _tape(finish.formula, held), _tape(finish.penalty, held)
        if finish.scored is not None:
            scored = (ctypes.c_uint8 * len(finish.scored))(*finish.scored)
            held.append(scored)
            part.scored = ctypes.addressof(scored)
        return
    part.kind = FINISHES.index("mean_of_terms")
    part.smoothing, part.spread, part.divisor = finish.smoothing, finish.spread, finish.divisor
    sides = range(finish.sides)
    part.truth = _Sides(*[places[k] if k in sides else -1 for k in range(2)])
    smoothed = finish.smoothing != 0
    part.every = _Sides(*[places[finish.sides + k] if k in sides and smoothed else -1 for k in range(2)])
    part.count = places[-1]
    weights = finish.truth_weight
    offset, slope = ((1.0, 1.0), (0.0, 0.0)) if weights is None else weights.factors(finish.sides)
    part.truth_offset, part.truth_slope = _Pair(*offset), _Pair(*slope)
    part.truth_weight = _of_classes(weights and weights.number)
    part.of_mean = _tape(finish.of_mean, held)
