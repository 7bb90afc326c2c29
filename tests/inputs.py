"""Valid inputs for losses: makers of tensors by kind of target, and `Case`, one way of calling one loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, NamedTuple, get_args, get_origin

import torch
from torch import Generator, Tensor

from losskit import functional
from losskit.core.algebra import WeightedSum
from losskit.core.catalogue import Entry
from losskit.core.labels import LabelLoss, LabelOptions
from losskit.core.logits import ClassesLoss, ScoreLoss
from losskit.core.loss import Loss
from losskit.core.means import ElementLoss
from losskit.core.summable import Summable


class Shape(NamedTuple):
    """The size of the inputs: samples, classes and spatial dimensions."""

    n: int = 2
    c: int = 3
    spatial: tuple[int, ...] = (4,)


SMALL = Shape()


class Given(NamedTuple):
    """The tensors of a call, and the shape that a weight or mask has there."""

    tensors: tuple[Tensor, ...]
    positions: tuple[int, ...]

    def to(self, dtype: torch.dtype) -> Given:
        """The floating-point tensors in this precision."""
        return self._replace(tensors=tuple(t.to(dtype) if t.is_floating_point() else t for t in self.tensors))


Make = Callable[[Shape, Generator], Given]
FAMILY_KINDS = {
    "sigmoid": ("binary", "multilabel"),
    "softmax": ("indices", "soft"),
    None: ("binary", "multilabel", "indices", "soft"),
}
LABELS = ("binary", "multilabel", "indices", "soft")


@dataclass(frozen=True)
class Case:
    """One way of calling one loss."""

    entry: Entry
    kind: str  # the kind of target: one of LABELS, "pair", or another name
    make: Make = field(repr=False)
    options: Mapping[str, Any] = field(default_factory=dict)
    along: int = -1  # the dimension along which elements or samples are arranged
    own_along: Mapping[int, int] = field(default_factory=dict)  # for tensors in which it is another one
    size: int | None = None  # the number of values of an element or sample, if its position does not determine it
    differentiable: tuple[int, ...] = (0,)  # which tensors have a gradient
    weight: bool = True
    mask: bool = True
    twice: bool = True  # differentiable twice
    stops: bool = False  # whether part of the formula is detached, so that the gradient is not that of the value
    smooth: bool = True  # without kinks that a finite difference could step over
    waves: bool = True  # whether sines can replace its random numbers; if not, golden values use these numbers
    averages: bool = True  # whether reduction="mean" is the mean of the values of reduction="none"
    spatial: bool = False  # whether positions have an order or neighbours; then only whole samples can be left out
    hard: bool = False  # whether labels must be 0 or 1

    def __str__(self) -> str:
        return f"{self.entry.name}-{self.kind}"

    @property
    def loss(self) -> type[Loss]:
        return self.entry.loss

    @property
    def composite(self) -> bool:
        return issubclass(self.loss, WeightedSum)

    @property
    def labels(self) -> bool:
        """Whether it is called with only an input and labels, sample by sample."""
        whole = getattr(self.loss, "batch_first", True) and self.loss.tensors == ("input", "target")
        return whole and issubclass(self.loss, LabelOptions)

    @property
    def region(self) -> bool:
        """Whether elements share a region, so that a single element has no value."""
        return "pool" in self.loss.options or self.kind == "masks" or self.spatial

    @property
    def mean(self) -> bool:
        """Whether the loss is one weighted mean of values that add."""
        if not self.averages or self.composite or "none" not in self.reductions:
            return False
        return self().is_mean or not issubclass(self.loss, Summable)

    @property
    def reductions(self) -> tuple[str, ...]:
        """The values that `reduction` accepts."""
        annotation = self.loss.options["reduction"].domain.annotation
        return get_args(get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation)

    @property
    def softmax(self) -> bool:
        return self.kind in ("indices", "soft")

    def has(self, *options: str) -> bool:
        return all(option in self.loss.options for option in options)

    def __call__(self, **options: Any) -> Loss:
        """The loss as a module, in evaluation mode."""
        return self.loss(**{**self.options, **options}).eval()  # in which no loss updates its state

    @property
    def function(self) -> Callable[..., Tensor]:
        return getattr(functional, self.entry.name)

    def given(self, shape: Shape = SMALL, seed: int = 0, dtype: torch.dtype = torch.float64) -> Given:
        return self.make(shape, torch.Generator().manual_seed(seed)).to(dtype)

    def line(self, units: int, seed: int = 0, dtype: torch.dtype = torch.float64, c: int = 3) -> Given:
        """Inputs with `units` elements or samples along the dimension `along` alone."""
        shape = Shape(1, c, (units,)) if self.along == -1 else Shape(units, c, ())
        return self.given(shape, seed, dtype)

    def dim(self, position: int) -> int:
        """The dimension in which units follow each other in the tensor at this position."""
        return self.own_along.get(position, self.along)

    def pick(self, given: Given, index: Tensor) -> Given:
        """The units of a line at these positions, in this order."""
        kept = tuple(t.index_select(self.dim(i), index) for i, t in enumerate(given.tensors))
        positions = list(given.positions)
        positions[self.along] = len(index)
        return Given(kept, tuple(positions))


def numbers(shape: tuple[int, ...], generator: Generator) -> Tensor:
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def binary(shape: Shape, generator: Generator) -> Given:
    size = (shape.n, 1, *shape.spatial)
    target = (torch.rand(size, generator=generator) < 0.4).double()
    return Given((numbers(size, generator), target), size)


def multilabel(shape: Shape, generator: Generator) -> Given:
    size = (shape.n, shape.c, *shape.spatial)
    target = (torch.rand(size, generator=generator) < 0.4).double()
    return Given((numbers(size, generator), target), (shape.n, 1, *shape.spatial))


def indices(shape: Shape, generator: Generator) -> Given:
    size = (shape.n, shape.c, *shape.spatial)
    target = torch.randint(0, shape.c, (shape.n, *shape.spatial), generator=generator)
    return Given((numbers(size, generator), target), (shape.n, 1, *shape.spatial))


def soft(shape: Shape, generator: Generator) -> Given:
    size = (shape.n, shape.c, *shape.spatial)
    target = numbers(size, generator).softmax(1)
    return Given((numbers(size, generator), target), (shape.n, 1, *shape.spatial))


def one_hot(shape: Shape, generator: Generator) -> Given:
    (input, target), positions = indices(shape, generator)
    return Given((input, torch.nn.functional.one_hot(target, shape.c).movedim(-1, 1).double()), positions)


def pair(shape: Shape, generator: Generator) -> Given:
    size = (shape.n, shape.c, *shape.spatial)
    return Given((numbers(size, generator), numbers(size, generator)), size)


def pair_with_variance(shape: Shape, generator: Generator) -> Given:
    (input, target), size = pair(shape, generator)
    return Given((input, target, numbers(size, generator).abs() + 0.2), size)


def counts(shape: Shape, generator: Generator) -> Given:
    (input, target), size = pair(shape, generator)
    return Given((input, (target.abs() * 3).floor()), size)


def rates(shape: Shape, generator: Generator) -> Given:
    (input, target), size = counts(shape, generator)
    return Given((input.abs() + 0.1, target), size)


def signs(shape: Shape, generator: Generator) -> Given:
    (input, target), size = pair(shape, generator)
    return Given((input, torch.where(target > 0, 1.0, -1.0).double()), size)


def rankings(shape: Shape, generator: Generator) -> Given:
    (input, target), size = signs(shape, generator)
    return Given((input, numbers(size, generator), target), size)


def label_lists(shape: Shape, generator: Generator) -> Given:
    """(N, C) scores; labels of each sample in order, closed by -1."""
    size = (shape.n, shape.c)
    first = torch.randint(0, shape.c, (shape.n, 1), generator=generator)
    return Given((numbers(size, generator), torch.cat([first, torch.full((shape.n, shape.c - 1), -1)], 1)), (shape.n,))


def embeddings(shape: Shape, generator: Generator) -> Given:
    size = (shape.n, shape.c)
    target = torch.where(numbers((shape.n,), generator) > 0, 1.0, -1.0).double()
    return Given((numbers(size, generator), numbers(size, generator), target), (shape.n,))


def triplets(shape: Shape, generator: Generator) -> Given:
    size = (shape.n, shape.c)
    return Given(tuple(numbers(size, generator) for _ in range(3)), (shape.n,))


def distributions(shape: Shape, generator: Generator) -> Given:
    (input, target), _ = soft(shape, generator)
    return Given((input.log_softmax(1), target), tuple(input.shape))


def log_distributions(shape: Shape, generator: Generator) -> Given:
    (input, target), positions = distributions(shape, generator)
    return Given((input, target.log()), positions)


def sequences(shape: Shape, generator: Generator) -> Given:
    """(T, N, C) log-probabilities of seven steps, and two labels a sample."""
    scores = numbers((7, shape.n, shape.c), generator).log_softmax(2)
    targets = torch.randint(1, shape.c, (shape.n, 2), generator=generator)
    lengths = torch.randint(5, 8, (shape.n,), generator=generator), torch.randint(1, 3, (shape.n,), generator=generator)
    return Given((scores, targets, *lengths), (shape.n,))


def masks(shape: Shape, generator: Generator) -> Given:
    (input, target), _ = binary(shape, generator)
    return Given((input.squeeze(1), target.squeeze(1)), (shape.n, *shape.spatial))


def fields(shape: Shape, generator: Generator) -> Given:
    return pair(shape._replace(spatial=shape.spatial or (3,)), generator)


def log_probabilities(make: Make) -> Make:
    """The same with log-probabilities as input."""

    def made(shape: Shape, generator: Generator) -> Given:
        (input, *others), positions = make(shape, generator)
        return Given((input.log_softmax(1), *others), positions)

    return made


MAKE: dict[str, Make] = {"binary": binary, "multilabel": multilabel, "indices": indices, "soft": soft, "pair": pair}
MODES = {"multilabel": "multilabel", "soft": "multiclass"}

Row = Callable[[Entry], Case]


def row(kind: str, make: Make, **fields: Any) -> Row:
    """One way of calling a loss, for the INPUTS of its family."""
    return lambda entry: Case(entry, kind, make, **fields)


def of_three(make: Make) -> Make:
    """The same, always of three classes, for losses with an option per class that has no default."""
    return lambda shape, generator: make(shape._replace(c=3), generator)


THREE = {kind: of_three(make) for kind, make in MAKE.items()}


def labels(
    *kinds: str, makers: Mapping[str, Make] = MAKE, options: Mapping[str, Any] | None = None, **fields: Any
) -> list[Row]:
    """Ways of calling a label loss, each with the mode that its target needs."""

    def of(kind: str) -> Row:
        def made(entry: Entry) -> Case:
            mode = {"mode": MODES[kind]} if kind in MODES and "mode" in entry.loss.options else {}
            return Case(entry, kind, makers[kind], {**mode, **(options or {})}, **fields)

        return made

    return [of(kind) for kind in kinds]


def on_images(make: Make, scale: float) -> Make:
    """The same, always with a spatial dimension, and with larger logits."""

    def made(shape: Shape, generator: Generator) -> Given:
        (input, *others), positions = make(shape._replace(spatial=shape.spatial or (4,)), generator)
        return Given((scale * input, *others), positions)

    return made


def images(*kinds: str, hard: bool = False, scale: float = 1.0, **fields: Any) -> list[Row]:
    """Ways of calling a loss of shapes; `hard` if its labels must be 0 or 1."""
    makers = {kind: on_images(one_hot if hard and kind == "soft" else make, scale) for kind, make in MAKE.items()}
    return labels(*kinds, makers=makers, along=0, spatial=True, hard=hard, **fields)


def declared(entry: Entry) -> list[Row] | None:
    """The ways of calling that follow from the declaration of a loss."""
    cls = entry.loss
    if issubclass(cls, ClassesLoss):
        return labels("indices")
    if issubclass(cls, ScoreLoss):
        return labels(*FAMILY_KINDS["sigmoid"])
    if issubclass(cls, LabelLoss):
        if cls.always == "log_softmax":
            return labels(*FAMILY_KINDS["softmax"], makers={k: log_probabilities(m) for k, m in MAKE.items()})
        return labels(*FAMILY_KINDS[cls.always])
    if issubclass(cls, ElementLoss) and cls.tensors == ("input", "target"):
        return [row("pair", pair, along=0)]
    return None
