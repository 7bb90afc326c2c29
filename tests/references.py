"""What the numbers of a loss are tested against: another library, a formula in mpmath, or values worked by hand.

An authority knows nothing of our formulas. It says for which settings of our options it has a number, and gives the
value and the gradients there. The rows are in tests/authorities/, and test_authorities.py runs them all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import mpmath as mp
import numpy as np
import torch
from mpmath import mpf
from torch import Tensor, nn

from domains import alternatives
from inputs import Case, Given
from losskit.core import labels, loss, region
from losskit.core.loss import Loss
from peers import load

mp.mp.dps = 50
STEP = mpf(10) ** -20  # of central differences, exact to about 1e-30
Options = Mapping[str, Any]
SHARED = {  # options that every loss of a kind has, which the tests of the contract cover
    name
    for cls in (
        loss.Loss,
        labels.LabelOptions,
        labels.ModeOptions,
        labels.ClassificationLoss,
        region.RegionLoss,
    )
    for name in cls.options
}
RANDOM = {"directions", "num_points", "oversample_ratio", "importance_sample_ratio"}  # draw numbers: tests of their own


def own_options(cls: type[Loss]) -> list[str]:
    """The options whose meaning is this loss's own, each of which its authority must test."""
    return [name for name in cls.options if name not in SHARED | RANDOM]


class Setting(NamedTuple):
    """Options on our side, and what says the same on the other side."""

    ours: Options
    theirs: Options


class Numbers(NamedTuple):
    """A value, and the gradient of its sum with weights from 1 to 2 by each tensor that takes one.

    `along` holds a direction for each, where the gradient is known along it alone.
    """

    value: Tensor
    gradients: tuple[Tensor, ...]
    along: tuple[Tensor, ...] = ()


def slopes_of(value: Tensor) -> Tensor:
    return torch.linspace(1.0, 2.0, value.numel(), dtype=value.dtype).reshape(value.shape)


def numbers_of(call: Callable[..., Tensor], tensors: Sequence[Any], differentiable: Sequence[int]) -> Numbers:
    """The numbers of a function that autograd differentiates."""
    given = [t.detach().clone().requires_grad_() if i in differentiable else t for i, t in enumerate(tensors)]
    value = call(*given)
    gradients = torch.autograd.grad((value * slopes_of(value)).sum(), [given[i] for i in differentiable])
    return Numbers(value.detach(), gradients)


@dataclass(frozen=True, kw_only=True)
class Authority:
    """One source of numbers. `kinds` are those of the loss's cases that it covers, all by default."""

    kinds: tuple[str, ...] = ()
    reductions: tuple[str, ...] = ("mean", "sum", "none")
    tolerance: float = 1e-11  # in float64
    quick: bool = True  # every setting is run in every size and precision; else the first and the last

    @property
    def title(self) -> str:
        """How the documentation names it."""
        raise NotImplementedError

    def settings_of(self, case: Case, given: Given) -> Iterator[Setting]:
        """The settings that it has numbers for, in this case."""
        raise NotImplementedError

    def expected(self, case: Case, setting: Setting, tensors: tuple[Tensor, ...], reduction: str) -> Numbers:
        """Its numbers at these tensors in float64."""
        raise NotImplementedError

    def covers(self, case: Case) -> bool:
        return not self.kinds or case.kind in self.kinds


def plain(theirs: Callable[..., Tensor], *tensors: Tensor) -> Tensor:
    return theirs(*tensors)


@dataclass(frozen=True)
class Peer(Authority):
    """A function or module of another library, imported when it runs.

    A setting is one dict of options that both sides spell alike, or a pair of dicts, ours and theirs. `call` makes
    their number ours: it is given their callable and our tensors.
    """

    path: str
    settings: Sequence[Options | tuple[Options, Options]] = ({},)
    call: Callable[..., Tensor] = plain
    always: Options = field(default_factory=dict)  # of theirs, in every setting
    note: str = ""  # follows the path in the documentation
    takes_reduction: bool = True

    @property
    def title(self) -> str:
        return f"{self.path} {self.note}".strip()

    def settings_of(self, case: Case, given: Given) -> Iterator[Setting]:
        for setting in self.settings:
            yield Setting(*setting) if isinstance(setting, tuple) else Setting(setting, setting)

    def expected(self, case: Case, setting: Setting, tensors: tuple[Tensor, ...], reduction: str) -> Numbers:
        options = {**self.always, **setting.theirs, **({"reduction": reduction} if self.takes_reduction else {})}
        theirs = load(self.path)
        made = theirs(**options) if isinstance(theirs, type) and issubclass(theirs, nn.Module) else None
        return numbers_of(partial(self.call, made or partial(theirs, **options)), tensors, case.differentiable)


class Chosen:
    """The options of a formula: `o.name`, and `o("name", otherwise)` where not every loss has it."""

    def __init__(self, cls: type[Loss], options: Options) -> None:
        self._defaults = {name: declared.default for name, declared in cls.options.items()}
        self._given = options

    def __call__(self, name: str, otherwise: Any = None) -> Any:
        return self._given.get(name, self._defaults.get(name, otherwise))

    def __getattr__(self, name: str) -> Any:
        value = self._given[name] if name in self._given else self._defaults[name]
        return mpf(value) if isinstance(value, float) else value


@dataclass(frozen=True, kw_only=True)
class Mpmath(Authority):
    """Arithmetic of 50 digits. Settings are values of each own option from its domain, and `settings` besides."""

    settings: Sequence[Options] = ()
    quick: bool = False

    @property
    def title(self) -> str:
        return "its formula in mpmath"

    def settings_of(self, case: Case, given: Given) -> Iterator[Setting]:
        classes = given.tensors[0].shape[1] if given.tensors[0].dim() > 1 else 1
        fixed = {name for setting in self.settings for name in setting}
        yield Setting({}, {})
        for name in own_options(case.loss):
            if name not in case.options and name not in fixed:
                found = alternatives(case, name, classes)
                for value in (found[0], found[-1]) if found else ():
                    yield Setting({name: value}, {})
        for setting in self.settings:
            yield Setting(setting, {})


@dataclass(frozen=True)
class Formula(Mpmath):
    """The loss of one element, of its numbers and the options: `lambda x, y, o: abs(x - y) ** o.power`.

    `stops` gives the numbers once more, before the options: what is taken of these has no gradient.
    """

    of: Callable[..., mpf]
    stops: bool = False

    def expected(self, case: Case, setting: Setting, tensors: tuple[Tensor, ...], reduction: str) -> Numbers:
        chosen = Chosen(case.loss, {**case.options, **setting.ours})
        rows = list(zip(*(as_numbers(t.expand(tensors[0].shape)).flat for t in tensors), strict=True))
        value = [self._of(row, row, chosen) for row in rows]
        slopes = slopes_of(tensors[0]) if reduction == "none" else torch.ones(tensors[0].shape, dtype=torch.float64)
        share = slopes / len(rows) if reduction == "mean" else slopes
        gradients = []
        for i in case.differentiable:
            by = [self._slope(row, i, chosen) for row in rows]
            gradients.append(share * torch.tensor([float(b) for b in by], dtype=torch.float64).reshape(share.shape))
        found = torch.tensor([float(v) for v in value], dtype=torch.float64).reshape(share.shape)
        reduced = {"none": found, "sum": found.sum(), "mean": found.mean()}[reduction]
        return Numbers(reduced, tuple(gradients))

    def _slope(self, row: tuple[Any, ...], i: int, chosen: Chosen) -> mpf:
        """The derivative by the tensor at this position."""
        moved = ((*row[:i], row[i] + step, *row[i + 1 :]) for step in (STEP, -STEP))
        after, before = (self._of(each, row, chosen) for each in moved)
        return (after - before) / (2 * STEP)

    def _of(self, row: tuple[Any, ...], at: tuple[Any, ...], chosen: Chosen) -> mpf:
        return self.of(*row, *(at if self.stops else ()), chosen)


@dataclass(frozen=True)
class BatchFormula(Mpmath):
    """The loss of a batch, as a function of numpy arrays of mpmath numbers and the options.

    It returns the values of reduction="none", or one number, which is the mean. `stops` gives the arrays once more.
    """

    of: Callable[..., Any]
    stops: bool = False

    def expected(self, case: Case, setting: Setting, tensors: tuple[Tensor, ...], reduction: str) -> Numbers:
        chosen = Chosen(case.loss, {**case.options, **setting.ours})
        arrays = [as_numbers(t) for t in tensors]
        stopped = tuple(arrays) if self.stops else ()

        def reduced() -> Any:
            value = self.of(*arrays, *stopped, chosen)
            if not isinstance(value, np.ndarray):
                assert reduction == "mean", "a formula of one number has a mean alone: reductions=('mean',)"
                return value
            return {"none": value, "sum": value.sum(), "mean": value.sum() / value.size}[reduction]

        value = as_tensor(reduced())
        slopes = as_numbers(slopes_of(value))

        along, gradients = directions(tensors, case.differentiable), []
        for i, direction in zip(case.differentiable, along, strict=True):
            at, steps = arrays[i], as_numbers(direction) * STEP
            around = []
            for arrays[i] in (at + steps, at - steps):
                around.append(np.sum(slopes * reduced()))
            arrays[i] = at
            gradients.append(as_tensor((around[0] - around[1]) / (2 * STEP)))
        return Numbers(value, tuple(gradients), along)


def directions(tensors: Sequence[Tensor], differentiable: Sequence[int]) -> tuple[Tensor, ...]:
    """A random direction for each tensor, in which a derivative takes two values of a slow formula."""
    generator = torch.Generator().manual_seed(0)
    return tuple(torch.randn(tensors[i].shape, generator=generator, dtype=torch.float64) for i in differentiable)


def as_numbers(tensor: Tensor) -> Any:
    """A numpy array of mpmath numbers, or of integers."""
    made = np.empty(tensor.shape, dtype=object)
    whole = not tensor.is_floating_point()
    made[...] = np.asarray([int(v) if whole else mpf(v) for v in tensor.flatten().tolist()], object).reshape(made.shape)
    return made


def as_tensor(numbers: Any) -> Tensor:
    return torch.tensor(np.asarray(numbers, dtype=object).astype(np.float64))


@dataclass(frozen=True)
class ByHand(Authority):
    """A value that a person worked out: `working` shows how. `gradient`, by the first tensor, where it was too.

    `tensors` are those of the call, or a function that makes them and arguments by name in a given dtype.
    """

    tensors: Sequence[Any] | Callable[[torch.dtype], tuple[Sequence[Tensor], Options]]
    value: Any
    working: str
    options: Options = field(default_factory=dict)
    gradient: Any = None

    @property
    def title(self) -> str:
        return "values worked by hand"

    def check(self, cls: type[Loss], dtype: torch.dtype) -> None:
        """Raise where the loss has another number."""
        if callable(self.tensors):
            given, named = self.tensors(dtype)
        else:
            made = [torch.as_tensor(t, dtype=torch.float64 if holds_floats(t) else None) for t in self.tensors]
            given, named = [t.to(dtype) if t.is_floating_point() else t for t in made], {}
            given[0].requires_grad_()
        value = cls(**self.options)(*given, **named)
        tolerance = 1e-11 if dtype == torch.float64 else 1e-5
        close = partial(torch.testing.assert_close, rtol=tolerance, atol=tolerance)
        close(value.detach().double(), torch.as_tensor(self.value, dtype=torch.float64))
        if self.gradient is not None:
            (gradient,) = torch.autograd.grad(value.sum(), given[0])
            close(gradient.double(), torch.as_tensor(self.gradient, dtype=torch.float64))


def holds_floats(values: Any) -> bool:
    return any(map(holds_floats, values)) if isinstance(values, (list, tuple)) else isinstance(values, float)
