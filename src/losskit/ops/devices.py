"""Compares every form of the kernels on a device with plain PyTorch, for `losskit doctor`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import torch

from losskit.ops import choice, comparison, first_use, native
from losskit.ops.choice import Operator as Operator
from losskit.ops.columns import REGION_COLUMNS, Column, Formula, TermColumn, kernel_columns
from losskit.ops.inputs import Inputs, Link

_SHAPES = {
    "sigmoid": {"images": (2, 3, 48, 50), "one class": (2, 1, 48, 50), "rows": (500, 7)},
    "softmax": {"images": (2, 5, 48, 50), "many classes": (1, 300, 16, 20), "rows": (200, 1000)},
}
_LOGITS = ("float32", "float16", "bfloat16")


class Form(NamedTuple):
    """One configuration of the kernels."""

    link: Link
    layout: str  # a key of _SHAPES, or "channels last"
    dtype: str
    labels: str  # indices, hard, soft
    columns: str  # a key of _columns
    extras: bool = False  # a weight, a mask, an ignored label and a logit bias

    def __str__(self) -> str:
        extras = ", weight, mask and ignored labels" if self.extras else ""
        return f"{self.link}, {self.layout}, {self.dtype}, {self.labels} labels, {self.columns}{extras}"


class Finding(NamedTuple):
    """The result of one form on a device."""

    form: Form
    milliseconds: float
    problem: str  # empty if it agrees with plain PyTorch


def devices() -> list[torch.device]:
    """Every device that PyTorch can use."""
    found = [torch.device("cpu")]
    accelerator = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    if accelerator is not None:
        found += [torch.device(accelerator.type, index) for index in range(torch.accelerator.device_count())]
    return found


def forms() -> Iterator[Form]:
    """Every link, layout, kind of label, precision and set of columns."""
    links: tuple[Link, Link] = ("sigmoid", "softmax")
    for link in links:
        labels = ("hard", "soft") if link == "sigmoid" else ("indices", "soft")
        for layout in (*_SHAPES[link], "channels last"):
            for kind in labels:
                yield Form(link, layout, "float32", kind, "region and log")
        for dtype in _LOGITS[1:]:
            yield Form(link, "images", dtype, labels[0], "region and log")
        for columns in _columns(link):
            yield Form(link, "images", "float32", labels[1], columns)
        for kind in labels:
            yield Form(link, "images", "float32", kind, "every column", extras=True)


def _columns(link: str) -> dict[str, list[Column]]:
    sides = (0, 1) if link == "sigmoid" else (0,)

    def terms(*formulas: Formula) -> list[Column]:
        return [TermColumn(formula, "truth", side) for formula in formulas for side in sides]

    powers = terms(Formula(gamma=1.0), Formula(gamma=2.0), Formula(gamma=1.5))
    rests = terms(Formula(rest=1.0), Formula(log=0.0, rest=1.0, q=0.7))
    every: list[Column] = [TermColumn(Formula(), "every", side) for side in sides]
    return {
        "log": [*terms(Formula()), "count"],
        "region and log": ["tp", "pred", "target", *terms(Formula())],
        "powers": powers,
        "rests": rests,
        "every column": [*REGION_COLUMNS, *terms(Formula()), *every],
    }


def columns_of_form(form: Form) -> list[Column]:
    """The columns that a form sums."""
    return _columns(form.link)[form.columns]


def inputs_of(form: Form, device: torch.device) -> Inputs:
    """Reproducible tensors of a form."""
    generator = torch.Generator().manual_seed(0)
    shape = _SHAPES[form.link]["images" if form.layout == "channels last" else form.layout]
    x = 3 * torch.randn(shape, generator=generator)
    if form.layout == "channels last":
        x = x.to(memory_format=torch.channels_last)
    positions = (shape[0], 1, *shape[2:])
    target = torch.randint(0, shape[1], (shape[0], *shape[2:]), generator=generator)
    if form.labels == "hard":
        target = torch.randint(0, 2, shape, generator=generator).to(torch.uint8)
    elif form.labels == "soft":
        target = torch.rand(shape, generator=generator)
        target = target / target.sum(1, keepdim=True) if form.link == "softmax" else target
    weight = mask = bias = None
    if form.extras:
        ignored = torch.rand(target.shape, generator=generator) < 0.1
        if not target.is_floating_point():
            target = torch.where(ignored, 255, target)
        weight, mask = torch.rand(positions, generator=generator), torch.rand(positions, generator=generator) < 0.8
        bias = torch.randn(shape[1], generator=generator)
    tensors: list[Any] = [x.to(getattr(torch, form.dtype)), target, weight, mask, bias]
    tensors = [None if t is None else t.to(device) for t in tensors]
    input, target, weight, mask, bias = tensors
    return Inputs(str(form), input, target, weight, mask, form.link, 255, True, bias, input.shape)


def served_by(device: torch.device) -> tuple[list[Operator], dict[str, str]]:
    """The fused operators that can run on a device, and why the others cannot."""
    sample = torch.empty(1, device=device)
    refused = {name: choice.unavailable(name, sample) for name in choice.FUSED}
    return [name for name in choice.FUSED if not refused[name]], {k: why for k, why in refused.items() if why}


def check(operator: Operator, device: torch.device, chosen: Sequence[Form] | None = None) -> Iterator[Finding]:
    """Check each form that the operator supports once; stop after a compilation timeout."""
    for form in forms() if chosen is None else chosen:
        inputs = inputs_of(form, device)
        planned = kernel_columns(columns_of_form(form))
        assert planned is not None
        if choice.refusal(operator, inputs, planned):
            continue
        pooled = len(inputs.input.shape) == 2
        start = time.perf_counter()
        run: Callable[..., Any] = native.run
        problem = ""
        try:
            if operator == "triton":
                run = first_use.compiled_kernels(inputs, planned, pooled=pooled)
            problem = comparison.compare(run, inputs, planned, pooled=pooled).problem
        except TimeoutError as error:
            yield Finding(form, 1000 * (time.perf_counter() - start), str(error))
            return
        except Exception as error:  # noqa: BLE001 - whatever a compiler or a driver raises
            problem = first_use.said(error)
        yield Finding(form, 1000 * (time.perf_counter() - start), problem)
