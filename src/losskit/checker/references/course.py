"""Courses: the steps of a computation, and those that another computation does not contain."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

_CLOSE = 1e-5  # of values that are brought to mean 0 and length 1
_VIEWS = (
    *("view", "_unsafe_view", "unsqueeze", "squeeze", "expand", "reshape", "t", "transpose", "permute", "slice"),
    *("select", "detach", "clone", "_to_copy", "lift_fresh", "alias", "as_strided", "split", "unbind"),
)


@dataclass
class Step:
    """One operation: its result, what it was computed from, and its line, which is 0 if it is in another file."""

    name: str
    value: Tensor
    inputs: tuple[int, ...]  # earlier steps; those that are not computed are left out
    line: int
    trained: bool  # it has a gradient


@dataclass
class Steps(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Records the operations of a call, with the lines of one file."""

    file: str
    made: list[Step] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._kept: list[Tensor] = []  # a number of a tensor is not used again while it lives
        self._at: dict[int, int] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        given = [each for each in torch.utils._pytree.tree_leaves((args, kwargs)) if isinstance(each, Tensor)]
        inputs = tuple(dict.fromkeys(self._at[id(each)] for each in given if id(each) in self._at))
        trained = any(each.requires_grad for each in given)
        for each in torch.utils._pytree.tree_leaves(result):
            if isinstance(each, Tensor) and each.numel() and not each.is_complex():
                self._kept.append(each)
                self._at[id(each)] = len(self.made)
                value = _sorted(each)
                self.made.append(Step(func.overloadpacket.__name__, value, inputs, self._line(), trained))
        return result

    def _line(self) -> int:
        frame = sys._getframe(2)
        while frame is not None:
            if frame.f_code.co_filename == self.file:
                return frame.f_lineno
            frame = frame.f_back  # type: ignore[assignment]
        return 0


@dataclass
class Course:
    """The steps of a computation over all examples, without those that are constant."""

    steps: list[Step]
    shapes: list[Tensor]  # the values of each step, up to a factor and a constant
    given: list[Tensor]  # the same of its inputs

    def count(self, steps: Iterable[int]) -> int:
        """How many of these steps are written in its file."""
        return sum(self.steps[at].line > 0 for at in steps)

    def names(self) -> Counter[str]:
        """How often each operation occurs in its file."""
        return Counter(each.name for each in self.steps if each.line > 0 and each.name not in _VIEWS)


def course(runs: Sequence[Callable[[], Any]], given: Sequence[Sequence[Tensor]], file: str) -> Course | None:
    """The steps of a computation, whose values for several examples are joined where its steps are always the same."""
    all: list[list[Step]] = []
    for run in runs:
        with Steps(file) as seen:
            run()
        all.append(seen.made)
    if len({len(each) for each in all}) != 1:
        all = all[:1]
    steps = all[0]
    values = [_joined([each[n].value for each in all]) for n in range(len(steps))]
    inputs = [_joined([_sorted(each[n]) for each in given[: len(all)]]) for n in range(len(given[0]))]
    return Course(steps, [_shape(each) for each in values], [_shape(each) for each in inputs]) if steps else None


def _sorted(x: Tensor) -> Tensor:
    return x.detach().double().flatten().nan_to_num(0.0, 0.0, 0.0).sort().values


def _joined(values: Sequence[Tensor]) -> Tensor:
    """The values for several examples, (examples, elements); those of the first where their numbers differ."""
    return torch.stack(list(values)) if len({len(each) for each in values}) == 1 else values[0].unsqueeze(0)


def _shape(value: Tensor) -> Tensor:
    """A value without what differs by convention: its mean and its length; a single number as it is."""
    if value.numel() == 1:
        return value
    centered = value - value.mean()
    length = float(centered.norm())
    return centered / length if length > 1e-9 * (1 + float(value.norm())) else torch.zeros_like(value)


def _alike(a: Tensor, b: Tensor) -> bool:
    if a.shape != b.shape:
        return False
    if a.numel() == 1:
        return abs(float(a) - float(b)) <= _CLOSE * abs(float(a))
    return bool((a - b).abs().max() < _CLOSE) or bool((a + b.flip(1)).abs().max() < _CLOSE)


def apart(one: Course, other: Course) -> list[int]:
    """The steps that lead to the result of one and have no counterpart in the other, in their order."""
    by_size: dict[int, list[Tensor]] = {}
    for each in [*other.shapes, *other.given]:
        by_size.setdefault(each.numel(), []).append(each)
    found: dict[int, None] = {}
    queue = [len(one.steps) - 1]
    seen: set[int] = set()
    while queue:
        at = queue.pop()
        if at in seen:
            continue
        seen.add(at)
        shape = one.shapes[at]
        size = shape.numel()
        if (size > 1 and not shape.any()) or any(_alike(shape, each) for each in by_size.get(size, [])):
            continue
        found[at] = None
        queue += one.steps[at].inputs
    return sorted(found)


def first_of(one: Course, found: Sequence[int]) -> list[int]:
    """The steps among these that none of the others lead to."""
    among = set(found)
    return [at for at in found if not among & set(one.steps[at].inputs)]
