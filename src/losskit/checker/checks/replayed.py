"""Replays: a call with one operation put right, which shows what the operation as written changes."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from losskit.checker.checks.tools import close, code, is_random, tried, value
from losskit.checker.finding import Found, Severity
from losskit.checker.registry import check
from losskit.checker.subject import Subject

_BATCH = 7  # no other size of an example
_COMBINE = ("add", "add_", "__radd__", "sub", "sub_", "__rsub__", "mul", "mul_", "__rmul__", "div", "true_divide")
_SPREAD = ("view", "reshape", "unsqueeze", "t", "transpose", "permute", "movedim", "expand", "__get__", "repeat")
_KEEP = ("sqrt", "exp", "log", "pow", "abs", "neg", "square", "relu", "clamp", "detach", "float", "double", "to")
_MATRICES = ("matmul", "mm", "bmm", "einsum", "cdist", "eye", "outer", "linear", "cov", "corrcoef", "eq", "ne", "gt")
_PAIRS = r"pair|kernel|\bmmd\b|gram\b|affinit|contrast|cluster|codebook|k.?means|\bauc\b|all combinations|outer"


class _Aligned(TorchFunctionMode):
    """Replaces (B, 1) combined with (B,), which gives (B, B), by the combination of each sample with itself."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count
        self.spread: dict[int, Tensor] = {}  # columns that were made to be compared with rows
        self.kept: list[Any] = []  # so that no id is used twice
        self.crossed = ""
        self.matrices = False  # whether samples are compared with each other

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = getattr(func, "__name__", "")
        tensors = [each for each in args if isinstance(each, Tensor)]
        column = next((each for each in tensors if tuple(each.shape) == (self.count, 1)), None)
        row = next((each for each in tensors if tuple(each.shape) == (self.count,)), None)
        if name in _COMBINE and column is not None and row is not None and id(column) not in self.spread:
            self.crossed = name.strip("_")
            args = tuple(each.squeeze(1) if each is column else each for each in args)
        made = func(*args, **(kwargs or {}))
        self.kept.append((args, made))
        if isinstance(made, Tensor):
            added = name == "__getitem__" and any(each is None for each in _indices(args))
            passed = name in _KEEP and any(id(each) in self.spread for each in tensors)
            if name in _SPREAD or added or passed:
                self.spread[id(made)] = made
            self.matrices |= name in _MATRICES and tuple(made.shape) == (self.count, self.count)
        return made


def _indices(arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    index = arguments[1] if len(arguments) > 1 else ()
    return index if isinstance(index, tuple) else (index,)


@check(
    "samples-crossed",
    Severity.WRONG,
    why="Each sample's term is combined with those of all other samples: the gradient of one depends on its batch.",
    fix="Give both terms one shape first: keepdim=False, or squeeze(1).",
    applies=lambda spec: not spec.way.inside and spec.kind not in ("sequence", "survival"),
    anyhow=True,
)
def samples_crossed(subject: Subject) -> Iterator[Found]:
    """Is each sample's term combined with that of the same sample, rather than (B, 1) with (B,) to (B, B)?"""
    tensors = subject.example(batch=_BATCH, dtype=torch.float64)
    words = subject.words
    body = words.code.partition(" ")[2]  # without the name of the file
    given = len(tensors) == 3 and tensors[0].shape == tensors[1].shape and tensors[2].numel() == _BATCH
    others = _PAIRS.replace("pair|", "").replace("contrast|", "") if given else _PAIRS  # pairs with their labels
    if re.search(others, f"{words.all} {body}") or any(len(each) != _BATCH for each in tensors if each.dim()):
        return
    if is_random(subject):
        return
    found, right, mode = _replayed(subject, tensors, _Aligned(_BATCH))
    if not isinstance(mode, _Aligned) or not mode.crossed or mode.matrices or close(found, right, 1e-6, 1e-9):
        return
    yield Found(
        f"two terms of shapes ({_BATCH}, 1) and ({_BATCH},) are combined ({mode.crossed}) to ({_BATCH}, {_BATCH}): "
        "each sample with all samples",
        {"value": found, "each sample with itself": right},
        code(subject, *tensors),
    )


class _Diagonal(TorchFunctionMode):
    """Replaces the gradient of a summed gradient by the second derivatives of each coordinate alone."""

    def __init__(self) -> None:
        super().__init__()
        self.slopes: dict[int, Tensor] = {}  # gradients with several columns, and their sums
        self.kept: list[Any] = []
        self.mixed = False

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "")
        if name != "grad":
            made = func(*args, **kwargs)
            if name == "sum" and len(args) == 1 and not kwargs and isinstance(made, Tensor):
                self._note(args[0], made)
            return made
        outputs, inputs = args[0], args[1] if len(args) > 1 else kwargs.get("inputs")
        weights = args[2] if len(args) > 2 else kwargs.get("grad_outputs")
        output, point = (each[0] if isinstance(each, (tuple, list)) else each for each in (outputs, inputs))
        made = func(*args, **kwargs)
        slope = self.slopes.get(id(output)) if isinstance(output, Tensor) else None
        if slope is None:
            self._first(made, point)
        elif slope.shape == point.shape and _ones(weights):
            self.mixed = True
            columns = [
                func(slope[..., n].sum(), point, create_graph=True, allow_unused=True)[0]
                for n in range(slope.shape[-1])
            ]
            diagonal = [
                torch.zeros_like(slope[..., n]) if each is None else each[..., n] for n, each in enumerate(columns)
            ]
            return (torch.stack(diagonal, -1),)
        return made

    def _first(self, made: Any, point: Any) -> None:
        for each in made if isinstance(made, tuple) else ():
            if isinstance(each, Tensor) and each.dim() > 1 and each.shape[-1] > 1 and each.requires_grad:
                self.slopes[id(each)] = each
                self.kept.append(point)

    def _note(self, of: Any, made: Tensor) -> None:
        if id(of) in self.slopes:
            self.slopes[id(made)] = self.slopes[id(of)]
            self.kept.append(made)


def _ones(weights: Any) -> bool:
    """Whether the sum of all outputs is differentiated."""
    each = weights[0] if isinstance(weights, (tuple, list)) else weights
    return each is None or (isinstance(each, Tensor) and bool((each == 1).all()))


_OF_VECTORS = r"\[\s*(:|\.\.\.)\s*,\s*\d|unbind|split|chunk|\.T\b|sum\("  # coordinates are parts of a tensor
_SECOND = r"u_[xyzt]{2}|laplac|poisson|helmholtz|\bheat\b|\bwave\b|diffusion|burgers|navier|schr.dinger|second.deriv"


@check(
    "mixed-derivatives",
    Severity.WRONG,
    why="The residual belongs to another differential equation: u_xx contains u_xy as well.",
    fix="One call of torch.autograd.grad for each coordinate: grad(u_x.sum(), x) and grad(u_y.sum(), y).",
    applies=lambda spec: spec.way.inside or "it differentiates no model",
)
def mixed_derivatives(subject: Subject) -> Iterator[Found]:
    """Are second derivatives those of one coordinate, rather than of the sum of the gradient?"""
    tensors = subject.example(dtype=torch.float64)
    if not re.search(_SECOND, f"{subject.words.all} {subject.words.code}") or is_random(subject):
        return
    if not re.search(_OF_VECTORS, subject.words.code):
        return  # each coordinate is an argument of its own
    found, right, mode = _replayed(subject, tensors, _Diagonal())
    if isinstance(mode, _Diagonal) and mode.mixed and not close(found, right, 1e-4):
        yield Found(
            "second derivatives are taken of the sum of the gradient: each contains the mixed derivatives, u_xy",
            {"value": found, "without mixed derivatives": right},
            code(subject, *tensors),
        )


def _replayed(
    subject: Subject, tensors: tuple[Tensor, ...], mode: TorchFunctionMode
) -> tuple[float, float, TorchFunctionMode | None]:
    """The value as it is, and in this mode; no mode if a call is refused or not finite."""
    found = tried(value, subject, *tensors)
    if found is None or not math.isfinite(found):
        return math.nan, math.nan, None
    with mode:
        right = tried(value, subject, *tensors)
    return (found, right, mode) if right is not None and math.isfinite(right) else (found, math.nan, None)
