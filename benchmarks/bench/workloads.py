"""The workloads: losses, shapes, dtypes, and the demands on their times."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from bench import catalogue

BINARY, BINARY_SMALL = (8, 1, 512, 512), (2, 1, 64, 64)
CITY, SCENES, VOLUME = (4, 19, 256, 256), (2, 150, 128, 128), (1, 4, 96, 96, 96)
LABELS, LARGE = (256, 1000), (8, 19, 512, 512)
TINY, TINY_LABELS = (1, 1, 8, 8), (8, 8)
FEW_CLASSES = (4, 4, 128, 128)
MULTICLASS = (CITY, SCENES, VOLUME)

POOLED = ("dice", "jaccard", "tversky", "dice+bce", "dice+ce", "dice+focal", "lovasz")  # per sample, or over the batch
BINARY_LOSSES = ("bce", "dice", "dice+bce", "focal", "jaccard", "tversky", "lovasz", "dice+focal")
CLASS_LOSSES = ("ce", "dice", "dice+ce", "focal", "jaccard", "tversky", "lovasz", "dice+focal")
DIFFERENCES = ("mse", "l1", "huber", "smooth_l1")
_OF_ELEMENTS = ("mse", "huber", "log_cosh", "charbonnier", "wing", "tukey", "quantile", "barron", "smape")
OWN_ELEMENTS = tuple(f"own-{name}" for name in _OF_ELEMENTS)  # user-defined formulas: see bench.own
OWN_TERMS = ("own-focal", "own-gce", "own-odd")
OWN_SHAPES = ((1, 1, 8, 8), (2, 1, 64, 64), BINARY)
ELEMENT_LOSSES = ("bce", "ce", "focal", *DIFFERENCES)

Shape = tuple[int, ...]


class Row(NamedTuple):
    """One demand: the minimum speed relative to the fastest peer, and the maximum time relative to the floor."""

    work: str
    losses: tuple[str, ...]
    shapes: tuple[Shape, ...]
    eager: float
    compiled: float
    floor: float | None


ROWS = (
    Row("BCE with logits, binary", ("bce",), (BINARY,), 3, 2, 2.5),
    Row("Dice, Jaccard, Tversky, binary", ("dice", "jaccard", "tversky"), (BINARY,), 2.7, 2, 2.5),
    Row("Dice+BCE, binary", ("dice+bce",), (BINARY,), 5, 4, 3),
    Row("focal, binary", ("focal",), (BINARY,), 13, 4, 2.5),
    Row("cross-entropy, multi-class", ("ce",), MULTICLASS, 3, 1.8, 3),
    Row("Dice, Jaccard, Tversky, multi-class", ("dice", "jaccard", "tversky"), MULTICLASS, 3, 2, 4),
    Row("Dice+CE, multi-class", ("dice+ce",), MULTICLASS, 5, 2.3, 4),
    Row("focal, multi-class", ("focal",), MULTICLASS, 5, 5, 3),
    Row("Lovász, all sizes", ("lovasz",), (BINARY, *MULTICLASS), 8, 8, None),
    Row("Dice+CE, large", ("dice+ce",), (LARGE,), 8, 3, None),
    Row("cross-entropy, large", ("ce",), (LARGE,), 4, 1.6, None),
)


class Variant(NamedTuple):
    """The same losses with other tensors, timed for losskit in addition to plain ones."""

    name: str
    work: str
    losses: tuple[str, ...]
    shapes: tuple[Shape, ...]


_BINARY_VARIED = ("bce", "dice", "dice+bce", "focal", "jaccard")
VARIANTS = (
    Variant(
        "channels-last", "channels last, against contiguous", ("ce", "dice", "dice+ce", "focal"), (FEW_CLASSES, CITY)
    ),
    Variant("soft", "soft binary labels, against labels of 0 and 1", _BINARY_VARIED, (BINARY,)),
    Variant("mask", "binary with a mask, against no mask", _BINARY_VARIED, (BINARY,)),
)
_ONE_THREAD = 8192  # elements, up to which losskit is single-threaded; a waiting thread would spin
_SHORT = 2**18  # elements, up to which one call is too short to time


@dataclass(frozen=True)
class Cell:
    """One comparison: contenders that compute the same function of the same tensors."""

    suite: str
    loss: str
    pool: str  # "sample", "batch", or "" if the loss is a mean over elements
    shape: Shape
    dtype: str
    threads: int
    compiled: bool  # whether peers also run under torch.compile
    variant: str = ""  # the variant of tensors that losskit is timed with, without peers

    @property
    def size(self) -> str:
        return "x".join(map(str, self.shape))

    @property
    def elements(self) -> int:
        return math.prod(self.shape)

    @property
    def binary(self) -> bool:
        return self.shape[1] == 1

    @property
    def by_cpu_time(self) -> bool:
        """Whether samples of many calls are measured by the CPU time of the calling thread."""
        return self.elements <= (_SHORT if self.threads == 1 else _ONE_THREAD)

    @property
    def work(self) -> str:
        """The words of the cell without the number of threads."""
        return " ".join(word for word in self.words if not word.startswith("threads="))

    @property
    def words(self) -> tuple[str, ...]:
        """The words that select a cell."""
        words = (self.loss, self.pool or "mean", self.size, self.dtype, self.variant, f"threads={self.threads}")
        return tuple(word for word in words if word)

    def chosen(self, only: str) -> bool:
        return all(word in (*self.words, self.suite) for word in only.split())

    def __str__(self) -> str:
        return " ".join(self.words)


def table(threads: int, compile: Literal["table", "all", "none"] = "table") -> Iterator[Cell]:
    """The default cells, those with demands first."""

    def cells(
        suite: str, shapes: tuple[Shape, ...], losses: tuple[str, ...] = (), dtype: str = "float32", most: int = 2
    ) -> Iterator[Cell]:
        compiled = compile == "all" or (compile == "table" and suite in ("table", "own"))
        for shape in shapes:
            for loss in losses or (BINARY_LOSSES if shape[1] == 1 else CLASS_LOSSES):
                for pool in pools(loss, shape)[:most]:
                    yield Cell(suite, loss, pool, shape, dtype, threads, compiled)

    demanded = tuple(loss for loss in BINARY_LOSSES if loss != "dice+focal")
    yield from cells("table", (BINARY,), demanded)
    yield from cells("table", (LARGE,), ("ce", "dice+ce"))
    for loss in (loss for loss in CLASS_LOSSES if loss != "dice+focal"):
        yield from cells("table", MULTICLASS, (loss,))
    yield from cells("more", (BINARY, *MULTICLASS), ("dice+focal",))
    yield from cells("more", (TINY,), _BINARY_VARIED)
    yield from cells("more", (TINY_LABELS,), ("ce", "focal"))
    yield from cells("more", (BINARY_SMALL, LABELS))
    yield from cells("more", (TINY, BINARY_SMALL, BINARY), DIFFERENCES)
    yield from cells("more", (BINARY, BINARY_SMALL, *MULTICLASS, LABELS), dtype="bfloat16", most=1)
    yield from cells("own", OWN_SHAPES, (*OWN_ELEMENTS, *OWN_TERMS))
    yield from cells("own", (FEW_CLASSES, CITY), OWN_TERMS)
    for loss, work in catalogue.WORKS.items():
        for shape in work.shapes:
            yield Cell("catalogue", loss, "", shape, "float32", threads, compile == "all")
    for name, _, losses, shapes in VARIANTS:
        for shape in shapes:
            for loss in losses:
                yield Cell("variants", loss, pools(loss, shape)[0], shape, "float32", threads, False, name)


def growth(threads: int) -> Iterator[Cell]:
    """Cells by size, by number of classes and by number of threads."""
    powers = [1]
    while powers[-1] * 2 <= threads:
        powers.append(powers[-1] * 2)
    for loss in ("ce", "dice+ce"):
        for pool in pools(loss, CITY)[:1]:
            for side in (32, 64, 128, 256, 512, 1024):
                yield Cell("size", loss, pool, (2, 19, side, side), "float32", threads, False)
            for classes in (2, 4, 8, 16, 32, 64, 128, 256):
                yield Cell("classes", loss, pool, (2, classes, 128, 128), "float32", threads, False)
            for count in sorted({*powers, threads}):
                yield Cell("threads", loss, pool, CITY, "float32", count, False)


def pools(loss: str, shape: Shape) -> tuple[str, ...]:
    """Without spatial dimensions, a sample and class have one element, so that only "batch" is meaningful."""
    if loss not in POOLED:
        return ("",)
    return ("batch",) if len(shape) == 2 else ("sample", "batch")


def data(cell: Cell, device: torch.device | str = "cpu") -> tuple[Tensor, Tensor]:
    """Logits that require gradients, and labels with every class in every sample that is large enough."""
    shape = cell.shape
    if cell.suite == "catalogue":
        return catalogue.data(cell.loss, shape)
    make = torch.Generator(device).manual_seed(0)
    logits = torch.randn(shape, generator=make, device=device).to(getattr(torch, cell.dtype))
    if cell.variant == "channels-last":
        logits = logits.contiguous(memory_format=torch.channels_last)
    logits.requires_grad_()
    if cell.loss in (*DIFFERENCES, *OWN_ELEMENTS):
        return logits, torch.randn(shape, generator=make, device=device)
    if cell.binary:
        chances = torch.rand(shape, generator=make, device=device)
        return logits, chances if cell.variant == "soft" else (chances < 0.3).float()
    target = torch.randint(shape[1], (shape[0], *shape[2:]), generator=make, device=device)
    places = target.view(shape[0], -1)
    if places.shape[1] >= shape[1]:
        places[:, : shape[1]] = torch.arange(shape[1], device=device)
    return logits, target


@lru_cache
def mask(shape: Shape) -> Tensor:
    """True where an element counts: 80 % of them."""
    return torch.rand(shape, generator=torch.Generator().manual_seed(1)) < 0.8


def reduced(shape: Shape) -> Shape:
    """A small shape with the same number of classes and dimensions, for accurate comparisons."""
    if len(shape) == 2:
        return shape
    side = 16 if len(shape) == 4 else 8
    return (min(shape[0], 4), shape[1], *(min(size, side) for size in shape[2:]))
