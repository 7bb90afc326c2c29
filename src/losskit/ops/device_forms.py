"""Every form of the kernels, with small tensors that use it: for `losskit doctor`, and to compile without a device."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import torch
from torch import Tensor

from losskit.ops import differences, formula, reference
from losskit.ops.columns import REGION_COLUMNS, Column, Formula, TermColumn
from losskit.ops.comparison import Definition
from losskit.ops.formula import Program, of_difference
from losskit.ops.inputs import NO_LABEL, Inputs, Link
from losskit.ops.interpret import registers_of

_SHAPES: dict[str, dict[str, tuple[int, ...]]] = {
    "sigmoid": {
        "images": (2, 3, 48, 50), "one class": (2, 1, 48, 50), "rows": (500, 7), "200,000 classes": (2, 200000),
    },
    "softmax": {
        "images": (2, 5, 48, 50), "two classes": (2, 2, 48, 50), "many classes": (1, 300, 16, 20), "rows": (200, 1000),
        "200,000 classes": (2, 200000),
    },
    "difference": {"images": (2, 3, 48, 50), "rows": (500, 7)},
}  # fmt: skip
_OF_IMAGES = ("channels last", "sliced")  # other layouts of "images"; a slice has no common stride over positions
_LOGITS = ("float32", "float16", "bfloat16")
OWN = "own formula"
RANKS = "ranked errors"


class Form(NamedTuple):
    """One configuration of the kernels."""

    link: Link
    layout: str  # a key of _SHAPES, or one of _OF_IMAGES
    dtype: str
    labels: str  # indices, hard, soft, numbers
    columns: str  # a key of _columns, or RANKS
    extras: bool = False  # a weight, a mask, an ignored label and a logit bias
    pooled: bool = False

    def __str__(self) -> str:
        extras = ", weight, mask and ignored labels" if self.extras else ""
        pooled = ", whole batch" if self.pooled else ""
        labels = self.labels if self.labels == "numbers" else f"{self.labels} labels"
        return f"{self.link}, {self.layout}, {self.dtype}, {labels}, {self.columns}{extras}{pooled}"

    @property
    def is_pooled(self) -> bool:
        """Whether sums are over samples too, as those of rows and of differences always are."""
        return self.pooled or self.link == "difference" or len(shape_of(self)) == 2


def shape_of(form: Form) -> tuple[int, ...]:
    return _SHAPES[form.link]["images" if form.layout in _OF_IMAGES else form.layout]


def every() -> Iterator[Form]:
    """Every link, layout, kind of label, precision and set of columns."""
    links: tuple[Link, Link] = ("sigmoid", "softmax")
    for link in links:
        labels = ("hard", "soft") if link == "sigmoid" else ("indices", "soft")
        for layout in (*_SHAPES[link], *_OF_IMAGES):
            for kind in labels:
                yield Form(link, layout, "float32", kind, "region and log")
        for dtype in _LOGITS[1:]:
            yield Form(link, "images", dtype, labels[0], "region and log")
        for columns in _columns(link):
            yield Form(link, "images", "float32", labels[1], columns)
        for kind in labels:
            yield Form(link, "images", "float32", kind, "every column", extras=True)
        for layout in ("rows", "200,000 classes"):
            yield Form(link, layout, "float32", labels[0], OWN)
    for columns in _columns("difference"):
        yield Form("difference", "images", "float32", "numbers", columns)
        yield Form("difference", "images", "float32", "numbers", columns, extras=True)
    for layout in ("rows", *_OF_IMAGES):
        yield Form("difference", layout, "float32", "numbers", OWN)
    for dtype in _LOGITS[1:]:
        yield Form("difference", "images", dtype, "numbers", "Huber")
    yield from _ranked()


def _ranked() -> Iterator[Form]:
    """The forms of ranked errors, whose labels are hard."""
    links: tuple[Link, Link] = ("sigmoid", "softmax")
    for link in links:
        labels = "hard" if link == "sigmoid" else "indices"
        for layout in ("images", *_OF_IMAGES):
            for pooled in (False, True):
                yield Form(link, layout, "float32", labels, RANKS, pooled=pooled)
        yield Form(link, "rows", "float32", labels, RANKS, pooled=True)
        yield Form(link, "images", "float32", labels, RANKS, extras=True)
        for dtype in _LOGITS[1:]:
            yield Form(link, "images", dtype, labels, RANKS)


def _own(tensors: Sequence[Tensor], numbers: dict[str, Any]) -> Tensor:  # noqa: ARG001
    """A formula that no kernel has by itself, of log p or of input and target."""
    first, *others = tensors
    distance = first - others[0] if others else first
    return torch.tanh(distance).abs() ** 1.7 + torch.where(distance > -1, distance**2, -2 * distance - 1)


@lru_cache(maxsize=2)
def _own_program(inputs: int) -> Program:
    graph = formula.record(_own, inputs, {}, "log_p" if inputs == 1 else "elements")
    return formula.specialize(graph, {})[0]


def _columns(link: str) -> dict[str, list[Column]]:
    if link == "difference":
        terms_: dict[str, Program] = {
            "MSE": of_difference(2.0, float("inf")), "L1": of_difference(1.0, 0.0), "Huber": of_difference(1.0, 0.7),
            OWN: _own_program(2),
        }  # fmt: skip
        return {name: [TermColumn(term, "truth"), "count"] for name, term in terms_.items()}
    sides = (0, 1) if link == "sigmoid" else (0,)

    def terms(*formulas: Formula | Program) -> list[Column]:
        return [TermColumn(each, "truth", side) for each in formulas for side in sides]

    every_: list[Column] = [TermColumn(Formula(), "every", side) for side in sides]
    return {
        "log": [*terms(Formula()), "count"],
        "region and log": ["tp", "pred", "target", *terms(Formula())],
        "powers": terms(Formula(gamma=1.0), Formula(gamma=2.0), Formula(gamma=1.5)),
        "rests": terms(Formula(rest=1.0), Formula(log=0.0, rest=1.0, q=0.7)),
        "every column": [*REGION_COLUMNS, *terms(Formula()), *every_],
        OWN: [*terms(_own_program(1)), "count"],
    }


def columns_of(form: Form) -> list[Column]:
    """The columns that a form sums."""
    return [] if form.columns == RANKS else _columns(form.link)[form.columns]


def definition_of(form: Form) -> Definition | None:
    """The totals in plain PyTorch, if terms are programs."""
    columns = columns_of(form)
    if form.link == "difference":
        program = columns[0].term if isinstance(columns[0], TermColumn) else None
        assert isinstance(program, Program)
        weighed = _weighed(program)
        return lambda inputs: differences.defined([(weighed, (0, 1))], inputs)
    if form.columns != OWN:
        return None
    plain = [
        column._replace(term=_evaluated(column.term))
        if isinstance(column, TermColumn) and isinstance(column.term, Program)
        else column
        for column in columns
    ]
    return lambda inputs: reference.totals(inputs, plain)


def _evaluated(program: Program) -> Callable[..., Tensor]:
    return lambda *tensors: registers_of(program.operations, tensors)[program.value]


def _weighed(program: Program) -> Callable[..., tuple[Tensor, Tensor]]:
    def weighed(input: Tensor, target: Tensor, weight: Tensor | None, mask: Tensor | None) -> tuple[Tensor, Tensor]:
        share = torch.ones_like(input) if weight is None else weight.to(input.dtype).expand_as(input)
        given = [input, target.to(input.dtype)]
        if mask is not None:
            given, share = [torch.where(mask, each, 0.0) for each in given], torch.where(mask, share, 0.0)
        return _evaluated(program)(*given) * share, share

    return weighed


def inputs_of(form: Form, device: torch.device) -> Inputs:
    """Reproducible tensors of a form."""
    generator = torch.Generator().manual_seed(0)
    shape = shape_of(form)
    x = 3 * torch.randn(shape, generator=generator)
    positions = (shape[0], 1, *shape[2:])
    target = _target(form, shape, generator)
    weight = mask = bias = None
    if form.extras:
        ignored = torch.rand(target.shape, generator=generator) < 0.1
        if not target.is_floating_point():
            target = torch.where(ignored, 255, target)
        weight, mask = torch.rand(positions, generator=generator), torch.rand(positions, generator=generator) < 0.8
        bias = torch.randn(shape[1], generator=generator)
    if form.columns == RANKS:
        weight = bias = None
    if form.link == "difference":
        bias = None
    ignore = NO_LABEL if form.link == "difference" else 255
    tensors: list[Any] = [_laid_out(x.to(getattr(torch, form.dtype)), form.layout), target, weight, mask, bias]
    tensors = [None if t is None else t.to(device) for t in tensors]
    return Inputs(
        str(form), tensors[0], tensors[1], tensors[2], tensors[3], form.link, ignore, True, tensors[4], x.shape
    )


def _target(form: Form, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    if form.labels == "numbers":
        return torch.randn(shape, generator=generator)
    if form.labels == "hard":
        return torch.randint(0, 2, shape, generator=generator).to(torch.uint8)
    if form.labels == "soft":
        target = torch.rand(shape, generator=generator)
        return target / target.sum(1, keepdim=True) if form.link == "softmax" else target
    return torch.randint(0, shape[1], (shape[0], *shape[2:]), generator=generator)


def _laid_out(x: Tensor, layout: str) -> Tensor:
    if layout == "channels last":
        return x.to(memory_format=torch.channels_last)
    if layout == "sliced":
        return torch.nn.functional.pad(x, (2, 3))[..., 2:-3]
    return x
