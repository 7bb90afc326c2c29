"""What the C kernels are asked for, in every form that their inputs take, and the definition's answer in float64."""

from __future__ import annotations

import math
import random
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch

from losskit.ops import native, reference
from losskit.ops.columns import REGION_COLUMNS, Formula, TermColumn, kernel_columns
from losskit.ops.inputs import Inputs
from triton_cases import DTYPES, guarded, guarded_outputs, outside_of

LINKS = ("sigmoid", "softmax")
INPUTS = tuple(str(dtype).removeprefix("torch.") for dtype in native.INPUTS)
INDICES = ("uint8", "int8", "int16", "int32", "int64")
LABELS = ("bool", *INDICES, *INPUTS, "float64")
SOFT = (*INPUTS, "float64")
WEIGHTS = (*SOFT, "int64", "uint8", "bool")
LAYOUTS = ("contiguous", "channels last", "transposed", "reversed", "sliced", "stepped", "one sample", "one position")
LEVELS = (0, 1, 2)  # plain C, AVX2, AVX-512; the best there is where the processor has no such
IGNORED = (-100, 255, 0, 1, 2)
COLUMNS = ("index", "region", "log", "formulas", "all", "targets")
ROUNDING = 2.0**-24


class Case(NamedTuple):
    link: str = "softmax"
    n: int = 2
    c: int = 3
    space: tuple[int, ...] = (40,)
    dtype: str = "float32"
    target_dtype: str = "int64"
    soft: bool = False
    layout: str = "contiguous"
    target_layout: str = "contiguous"
    weight: str = ""  # its dtype; which of its sizes are 1 is drawn
    mask: bool = False
    ignore: int | None = None
    shift: bool = False
    pooled: bool = False
    columns: str = "index"
    scale: float = 3.0
    level: int = 2
    seed: int = 0


class Given(NamedTuple):
    input: Any
    target: Any
    weight: Any
    mask: Any
    shift: Any
    ignore: int
    columns: list


def drawn_formula(draw):
    log = draw.choice((0.0, 0.5, 1.0, 2.0))
    rest = draw.choice((0.0, 1.0, 0.3)) if log else 1.0
    return Formula(log, draw.choice((0.0, 0.5, 1.0, 1.7, 2.0, 3.0, 4.0)), rest, draw.choice((1.0, 0.7, 0.3)))


def columns_of(case, draw):
    sides = (0, 1) if case.link == "sigmoid" else (0,)

    def terms(formulas, *of):
        return [TermColumn(formula, each, side) for formula in formulas for each in of for side in sides]

    drawn = [drawn_formula(draw) for _ in range(draw.randint(1, native.MOST_TERMS))]
    log = [Formula(log=draw.choice((1.0, 0.5)))]
    region = draw.sample(REGION_COLUMNS, draw.randint(1, len(REGION_COLUMNS)))
    found = {
        "index": [*draw.sample(("pred", "tp", "target", "count"), 3), *terms([*log, *drawn[:1]], "truth")],
        "region": region,
        "log": terms(log, "truth"),
        "formulas": terms(drawn, "truth"),
        "all": [*region, *terms(drawn[:3], "truth", "every")],
        "targets": ["target", "count"],
    }[case.columns]
    some = draw.sample(found, draw.randint(max(1, len(found) - 2), len(found)))
    return list(dict.fromkeys(some))


def laid_out(x, layout):
    """The same numbers (of fewer where they repeat) in memory of another order, other numbers between them."""
    if layout == "channels last" and x.dim() > 1:
        return x.movedim(1, -1).contiguous().movedim(-1, 1)
    if layout == "transposed":
        return x.transpose(-1, -2).contiguous().transpose(-1, -2) if x.dim() > 1 else x
    if layout == "reversed":
        order = tuple(reversed(range(x.dim())))
        return x.permute(order).contiguous().permute(order)
    if layout in ("sliced", "stepped"):
        odd = float("nan") if x.is_floating_point() else x.dtype == torch.bool or 77
        last = x.dim() - 1
        steps = [1 + i % 3 if layout == "stepped" else 1 + (i == last) for i in range(x.dim())]
        wide = torch.full([size * step for size, step in zip(x.shape, steps, strict=True)], odd, dtype=x.dtype)
        inside = wide[tuple(slice(step - 1, None, step) for step in steps)]
        return inside.copy_(x)
    if layout == "one sample":
        return x[:1].expand(x.shape)
    if layout == "one position":
        return x[..., :1].expand(x.shape)
    return x.contiguous()


def given(case):
    """The tensors of a case; what is drawn depends on the seed alone."""
    draw, generator = random.Random(case.seed), torch.Generator().manual_seed(case.seed)
    shape, positions = (case.n, case.c, *case.space), (case.n, 1, *case.space)

    def uniform(*size):
        return torch.rand(size, generator=generator)

    x = (torch.randn(shape, generator=generator) * case.scale).to(DTYPES[case.dtype])
    if case.soft:
        target = uniform(*shape)
        if case.link == "softmax":
            target = target / target.sum(1, keepdim=True)
        else:
            target = torch.where(uniform(*shape) < 0.2, target.round(), target)
    elif case.link == "sigmoid":
        target = torch.randint(0, 2, shape, generator=generator)
    else:
        most = 2 if case.target_dtype == "bool" else case.c
        if case.target_dtype in ("int8", "uint8"):
            most = min(most, torch.iinfo(DTYPES[case.target_dtype]).max + 1)
        target = torch.randint(0, most, (case.n, *case.space), generator=generator)
    target = target.to(DTYPES[case.target_dtype])
    if case.ignore is not None and reference.can_hold(target, case.ignore):
        target = torch.where(uniform(*target.shape) < 0.2, torch.tensor(case.ignore).to(target.dtype), target)
    weight = mask = None
    full = shape if case.link == "sigmoid" and draw.random() < 0.5 else positions
    if case.weight:
        size = [1 if draw.random() < 0.3 else each for each in full]
        weight = (uniform(*size) * 2).round(decimals=1).to(DTYPES[case.weight])
    if case.mask:
        mask = uniform(*(1 if draw.random() < 0.2 else each for each in full)) < 0.7
    shift = torch.randn(case.c, generator=generator) if case.shift else None
    ignore = -100 if case.ignore is None else case.ignore
    columns = columns_of(case, draw)
    one_class = case.soft and case.link == "softmax" and not case.space and case.target_layout == "one position"
    target = laid_out(target, "contiguous" if one_class else case.target_layout)
    return Given(laid_out(x, case.layout), target, weight, mask, shift, ignore, columns)


def reading_of(case, g, x):
    shift = None if g.shift is None else g.shift.double()
    return Inputs("Loss", x, g.target, g.weight, g.mask, case.link, g.ignore, True, shift, x.shape)


def definition(case, g, coefficients):
    """Totals and their gradient for the coefficients, in float64."""
    x = g.input.detach().double().contiguous().requires_grad_()
    totals = reference.totals(reading_of(case, g, x), g.columns)
    totals = totals.sum(0, keepdim=True) if case.pooled else totals
    value = (totals * coefficients(totals)).sum() + 0 * x.nan_to_num().sum()  # also where no sum asks for a score
    return totals.detach(), torch.autograd.grad(value, x)[0]


def drawn_coefficients(case):
    def like(totals):
        generator = torch.Generator().manual_seed(case.seed)
        return torch.randn(totals.shape, dtype=torch.float64, generator=generator)

    return like


@contextmanager
def instructions(level):
    try:
        native.library().losskit_level(level)
        yield
    finally:
        native.library().losskit_level(-1)


def run(case, g, coefficients=None, *, totals=True, saved=None):
    """One pass over tensors amid memory that is not theirs, into buffers full of NaN."""
    tensors = [guarded(t) for t in g[:5]]
    ignore = g.ignore if reference.can_hold(g.target, g.ignore) else None
    with instructions(case.level), guarded_outputs() as made:
        found = native.run(
            *tensors, case.link, ignore, *kernel_columns(g.columns),
            pooled=case.pooled, totals=totals, coefficients=coefficients, saved=saved,
        )  # fmt: skip
    assert all(outside_of(each).isnan().all() for each in made), "memory beside the gradient was written"
    return found


def near_a_kink(case, g):
    """Positions where |p - t| turns within rounding: float32 may take the other side."""
    if not {"tp_l1", "fp_l1", "fn_l1"} & set(g.columns):
        return torch.zeros((), dtype=torch.bool)
    elements = reference.Elements(reading_of(case, g, g.input.double()))
    near = (elements.p - elements.target).abs() < 1e-5
    return near.any(1, keepdim=True) if case.link == "softmax" else near


def far_off(case):
    """How far totals and gradient are from the definition, in units of rounding."""
    g = given(case)
    like = drawn_coefficients(case)
    totals, gradient = definition(case, g, like)
    ours, made, problem = run(case, g, like(totals))
    assert ours.dtype == torch.float64
    assert made.dtype == g.input.dtype
    assert made.shape == g.input.shape
    by_totals = (ours - totals).abs() / (1 + totals.abs())
    stored = 0.0 if case.dtype == "float32" else torch.finfo(made.dtype).eps * gradient.abs() / 2 + 2.0**-25
    by_gradient = ((made.double() - gradient).abs() - stored).clamp_min(0) / (gradient.abs().max() + 1e-30)
    by_gradient = torch.where(near_a_kink(case, g), 0.0, by_gradient)
    assert made.isfinite().all()
    assert math.isfinite(by_totals.max())
    assert problem is None
    return by_totals.max().item() / ROUNDING, by_gradient.max().item() / ROUNDING
