"""What the Triton operators are asked for, and the definition's answer: run in Triton's interpreter and on a GPU."""

from contextlib import contextmanager
from typing import Any, NamedTuple

import pytest
import torch

import losskit
from losskit import functional
from losskit.ops import choice, reference
from losskit.ops.columns import REGION_COLUMNS, Formula, TermColumn, kernel_columns
from losskit.ops.inputs import Inputs

FORMULAS = {
    "log": Formula(),
    "focal 0.5": Formula(gamma=0.5),
    "focal 1": Formula(gamma=1.0),
    "focal 2": Formula(gamma=2.0),
    "poly": Formula(rest=1.0),
    "generalised": Formula(log=0.0, rest=1.0, q=0.7),
    "mixed": Formula(log=0.5, gamma=3.0, rest=2.0, q=0.3),
    "mean absolute error": Formula(log=0.0, rest=1.0),
}
DTYPES = {
    name: getattr(torch, name)
    for name in ("bool", "uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16", "float32", "float64")
}


class Case(NamedTuple):
    """Names and numbers alone, so that a case can be sent to another process."""

    link: str
    shape: tuple[int, ...] = (2, 3, 5, 7)
    soft: bool = False  # labels between 0 and 1
    one_of: bool = False  # class indices, as softmax always takes them unless they are soft
    columns: str = "index"  # index (what class indices decide), region, squares, focal, formulas, all, or a formula
    dtype: str = "float32"
    target_dtype: str = ""
    scale: float = 3.0
    layout: str = "contiguous"  # channels_last, transposed, sliced, expanded
    weight: str = ""  # positions, samples
    mask: bool = False
    ignore: str = ""  # "255", "-100", "0"
    shift: bool = False
    pooled: bool = False
    largest_tile: int = 0  # the most elements of a tile of all classes; beyond it, blocks of classes
    seed: int = 0


class Given(NamedTuple):
    input: Any
    target: Any
    weight: Any
    mask: Any
    shift: Any
    ignore: int
    columns: list


def columns_of(case):
    sides = (0, 1) if case.link == "sigmoid" else (0,)

    def terms(names, *of):
        return [TermColumn(FORMULAS[name], each, side) for name in names for each in of for side in sides]

    if case.columns == "all":
        first, *rest = terms(["log", "mixed"], "truth", "every")
        return [first, *REGION_COLUMNS, *rest]
    if case.columns == "region":
        return list(REGION_COLUMNS)
    if case.columns == "index":
        return ["pred", *terms(["log"], "truth"), "tp", "target"]
    if case.columns == "formulas":
        return terms(FORMULAS, "truth")
    if case.columns == "squares":
        return ["tp", "pred", "pred_sq", "target"]
    if case.columns == "focal":
        return terms(["focal 2"], "truth")
    return terms([case.columns], "truth", "every")


def laid_out(x, layout):
    if layout == "channels_last":
        return x.to(memory_format=torch.channels_last)
    if layout == "transposed":
        return x.transpose(-1, -2).contiguous().transpose(-1, -2)
    if layout == "sliced":
        return torch.cat([x, x], -1)[..., ::2] if x.dim() > 1 else x
    if layout == "expanded":
        return x[:1].expand(x.shape)
    return x.contiguous()


def given(case):
    """The tensors of a case, on the CPU."""
    generator = torch.Generator().manual_seed(case.seed)
    n, c, *space = case.shape
    x = laid_out((torch.randn(case.shape, generator=generator) * case.scale).to(DTYPES[case.dtype]), case.layout)
    if case.soft:
        target = torch.rand(case.shape, generator=generator)
        target = target / target.sum(1, keepdim=True) if case.link == "softmax" else target
        target = target.to(DTYPES[case.target_dtype or "float32"])
    elif case.link == "sigmoid" and not case.one_of:
        target = torch.randint(0, 2, case.shape, generator=generator).to(DTYPES[case.target_dtype or "uint8"])
    else:
        target = torch.randint(0, c, (n, *space), generator=generator).to(DTYPES[case.target_dtype or "int64"])
    ignore = int(case.ignore or -100)
    if case.ignore:
        where = torch.rand((n, *space), generator=generator) < 0.3
        part = target[:, c // 2] if target.dim() == x.dim() else target  # one class ignores a position of softmax
        part[where] = ignore
    target = laid_out(target, case.layout if case.layout in ("sliced", "transposed") else "contiguous")
    positions = (n, 1, *space)
    weight = mask = shift = None
    if case.weight:
        weight = torch.rand(positions if case.weight == "positions" else (n, *(1,) * (len(case.shape) - 1)))
    if case.mask:
        mask = torch.rand(positions, generator=generator) < 0.7
    if case.shift:
        shift = torch.randn(c, generator=generator)
    return Given(x, target, weight, mask, shift, ignore, columns_of(case))


def definition(case, g, coefficients=None):
    """The totals in float64, and their gradient for the coefficients."""
    x = g.input.detach().double().requires_grad_()
    shift = None if g.shift is None else g.shift.double()
    reading = Inputs("Loss", x, g.target, g.weight, g.mask, case.link, g.ignore, True, shift, x.shape)
    totals = reference.totals(reading, g.columns)
    totals = totals.sum(0, keepdim=True) if case.pooled else totals
    if coefficients is None:
        return totals.detach(), None
    return totals.detach(), torch.autograd.grad((totals * coefficients).sum(), x)[0]


def guarded(tensor):
    """The same numbers amid others that would show: memory next to a tensor is not its own."""
    if tensor is None:
        return None
    span = 1 + sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.stride(), strict=True))
    odd = float("nan") if tensor.is_floating_point() else tensor.dtype != torch.bool and 77
    around = torch.full((span + 128,), odd, dtype=tensor.dtype, device=tensor.device)
    inside = around.as_strided(tensor.shape, tensor.stride(), 64)
    inside.copy_(tensor) if 0 not in tensor.stride() else around[64 : 64 + span].copy_(tensor.as_strided((span,), (1,)))
    return inside


def outside_of(inside):
    around = inside.as_strided((inside.untyped_storage().size() // inside.element_size(),), (1,), 0)
    return torch.cat([around[:64], around[-64:]])


@contextmanager
def guarded_outputs():
    """Gradients are made amid memory that is not theirs, full of NaN; so is every sum."""
    made, empty_like = [], torch.empty_like
    deterministic = torch.are_deterministic_algorithms_enabled()

    def empty_amid(tensor, **options):
        made.append(guarded(torch.full_like(tensor, float("nan"), **options)))
        return made[-1]

    torch.empty_like = empty_amid
    torch.use_deterministic_algorithms(True)  # then torch.empty is filled with NaN
    try:
        yield made
    finally:
        torch.empty_like = empty_like
        torch.use_deterministic_algorithms(deterministic)


def run(case, g, device, coefficients=None, totals=True):
    from losskit.ops import triton
    from losskit.ops.triton import launch

    tensors = [guarded(None if t is None else t.to(device)) for t in g[:5]]
    ignore = g.ignore if reference.can_hold(g.target, g.ignore) else None
    largest, launch.LARGEST_TILE = launch.LARGEST_TILE, case.largest_tile or launch.LARGEST_TILE
    if coefficients is not None:
        coefficients = coefficients.to(device)
    try:
        with guarded_outputs() as made:
            found = triton.run(
                *tensors, case.link, ignore, *kernel_columns(g.columns),
                pooled=case.pooled, totals=totals, coefficients=coefficients,
            )  # fmt: skip
            assert all(outside_of(each).isnan().all() for each in made)
    finally:
        launch.LARGEST_TILE = largest
    return [None if each is None else each.cpu() for each in found]


def coefficients_like(totals):
    return torch.randn(totals.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def errors(device, case):
    """How far totals and gradient are off, and what problem was found."""
    g = given(case)
    coefficients = coefficients_like(definition(case, g)[0])
    totals, gradient = definition(case, g, coefficients)
    ours, made, problem = run(case, g, device, coefficients)
    assert ours.dtype == torch.float64
    assert made.dtype == g.input.dtype
    by_totals = ((ours - totals).abs() / (1 + totals.abs())).max()
    by_gradient = (made.double() - gradient).abs().max() / gradient.abs().max()
    return by_totals.item(), by_gradient.item(), problem.tolist()


def alone_and_together(device, case):
    """Whether sums alone, the gradient alone and both in one launch are the same bits, twice."""
    g = given(case)
    coefficients = coefficients_like(definition(case, g)[0])
    totals, gradient, _ = run(case, g, device, coefficients)
    alone, none, _ = run(case, g, device)
    nothing, made, _ = run(case, g, device, coefficients, totals=False)
    assert none is None
    assert nothing is None
    again, made_again, _ = run(case, g, device, coefficients)
    pairs = ((totals, alone), (totals, again), (gradient, made), (gradient, made_again))
    return all(torch.equal(*pair) for pair in pairs)


def saturated(device, link, columns, scale):
    """The largest relative error of an element's gradient, of those that float32 holds, and of a total."""
    case = Case(link, (1, 3, 24), columns=columns)
    g = given(case)
    signs = torch.randint(-1, 2, case.shape, generator=torch.Generator().manual_seed(2))
    g = g._replace(input=signs * float(scale) + g.input / 3)
    coefficients = coefficients_like(definition(case, g)[0]).abs()  # nothing cancels
    totals, gradient = definition(case, g, coefficients)
    ours, made, _ = run(case, g, device, coefficients)
    held = gradient.abs() > 1e-30
    by_gradient = ((made.double() - gradient).abs() / gradient.abs())[held].max()
    by_totals = ((ours - totals).abs() / (totals.abs() + 1e-30)).max()
    return by_gradient.item(), by_totals.item(), made[~held].abs().max().item() if (~held).any() else 0.0


def left_out(device, case, value):
    """What does not count holds the value, in the input and, if soft, in the target: does anything notice?"""
    g = given(case)
    out = ~g.mask if g.mask is not None else (g.target == g.ignore)
    out = out.unsqueeze(1) if out.dim() < g.input.dim() else out.any(1, keepdim=True) if case.link == "softmax" else out
    coefficients = coefficients_like(definition(case, g)[0])
    coefficients[0, 0] = float("nan")  # the loss itself may be NaN: what does not count still has no gradient
    before, made, _ = run(case, g, device, coefficients)
    odd = g._replace(input=torch.where(out, value, g.input))
    if case.soft and g.mask is not None:
        odd = odd._replace(target=torch.where(out, value, g.target))
    if g.weight is not None:
        odd = odd._replace(weight=torch.where(out, value, g.weight))
    after, made_after, problem = run(case, odd, device, coefficients)
    at = out.expand(made.shape)
    silent = bool((made_after[at] == 0).all()) and torch.equal(made.nan_to_num(7), made_after.nan_to_num(7))
    return torch.equal(before, after), silent, problem.tolist(), bool(at.any())


def with_logit(device, case, value):
    """Totals and gradient where one logit holds the value, which is not that of the truth; and the definition's."""
    g = given(case)
    x = g.input.clone()
    truth = g.target[0, 0] if case.link == "softmax" else 0
    x[0, (truth + 1) % case.shape[1], 0] = value
    g = g._replace(input=x)
    coefficients = coefficients_like(definition(case, g)[0])
    totals, gradient = definition(case, g, coefficients)
    ours, made, _ = run(case, g, device, coefficients)
    return ours, totals, made.double(), gradient


def with_label(device, case, place, value):
    """The totals, the problem found, and the gradient of that position, where one label holds the value."""
    g = given(case)
    g.target[place] = value
    mask = None
    if case.mask:
        mask = torch.ones_like(g.mask)
        mask[place[0], 0, place[-1]] = False
    g = g._replace(mask=mask)
    totals, _, problem = run(case, g, device)
    _, gradient, _ = run(case, g, device, torch.ones(totals.shape), totals=False)
    return totals, problem.tolist(), gradient[place[0], ..., place[-1]]


def far_apart(device):
    """Logits whose classes are more than 2^31 elements apart, though few: the rest of the memory is never touched."""
    memory = torch.empty(3 * 2**30 + 8, dtype=torch.float16, device=device)
    x = memory.as_strided((1, 4, 8), (1, 2**30, 1))
    x.copy_(torch.randn(1, 4, 8, generator=torch.Generator().manual_seed(0)))
    target = torch.tensor([[0, 1, 2, 3, 3, 2, 1, 0]], device=device)
    from losskit.ops import triton

    found = []
    for link, t in (("softmax", target), ("sigmoid", (x > 0).contiguous())):
        columns = columns_of(Case(link))
        reading = Inputs("Loss", x.double(), t, None, None, link, -100, True, None, x.shape)
        totals, _, _ = triton.run(
            x, t, None, None, None, link, None, *kernel_columns(columns), pooled=False, totals=True
        )
        found.append((totals - reference.totals(reading, columns)).abs().max().item())
    return found


def spread_out(device, link, strides):
    """The same for tensors of two samples, three classes and four positions with these strides: sums and gradient."""
    from losskit.ops.triton.launch import Work

    shape = (2, 3, 4)
    extent = 1 + sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True))
    x, made = (
        torch.empty(extent, dtype=torch.float16, device=device).as_strided(shape, strides) for _ in range(2)
    )  # most of their memory is never touched
    generator = torch.Generator().manual_seed(0)
    x.copy_(torch.randn(shape, generator=generator))
    t = torch.randint(0, 3, (2, 4), generator=generator)
    if link == "sigmoid":
        t = (torch.rand(shape, generator=generator) < 0.5).to(torch.uint8)
    planned, rows = kernel_columns(columns_of(Case(link))), torch.empty(2, 3, len(columns_of(Case(link))))
    coefficients = coefficients_like(rows)
    given = (x, t.to(device), None, None, None, link, None, *planned, False)
    totals, _, _ = Work(*given, True, None).run()
    work = Work(*given, False, coefficients.to(device))
    work.gradient = work._side(made)
    work.run()
    own = x.double().requires_grad_()
    reading = Inputs("Loss", own, t.to(device), None, None, link, -100, True, None, x.shape)
    exact = reference.totals(reading, columns_of(Case(link)))
    (slope,) = torch.autograd.grad(exact, own, coefficients.to(device))
    return (totals - exact).abs().max().item(), (made.double() - slope).abs().max().item()


LOSSES = {
    "Dice and cross-entropy": lambda x, t, **o: functional.dice_ce_loss(x, t, **o),
    "focal": lambda x, t, **o: functional.focal_loss(x, t, **o),
}


def loss_of(name, options, device):
    """A loss as it is called, where only the Triton operators may serve."""

    def loss(x, t):
        with choice.forced("triton"):
            return LOSSES[name](x, t, **options)

    x, t = torch.randn(3, 4, 6, generator=torch.Generator().manual_seed(0)), torch.arange(18).reshape(3, 6) % 4
    return loss, x.to(device), t.to(device)


def derivatives(device, name):
    """A loss, its gradient and a product of its second derivative: ours, and those of the definition in float64."""
    loss, x, t = loss_of(name, {}, device)
    v = torch.linspace(-1, 1, x.numel(), device=device).view_as(x)

    def all_of(call, x, v):
        x = x.clone().requires_grad_()
        value = call(x, t)
        (first,) = torch.autograd.grad(value, x, create_graph=True)
        (second,) = torch.autograd.grad((first * v).sum(), x)
        return [each.detach().double().cpu() for each in (value, first, second)]

    with choice.recorded() as passes:
        ours = all_of(loss, x, v)
    return ours, all_of(LOSSES[name], x.double(), v.double()), [each.operator for each in passes]


def mapped(device, name):
    """vmap of a loss and of its gradient, and the same one by one."""
    loss, x, t = loss_of(name, {"reduction": "sum"}, device)

    def alone(x, t):
        return loss(x.unsqueeze(0), t.unsqueeze(0))

    gradient = torch.func.grad(alone)
    ours = torch.func.vmap(alone)(x, t), torch.func.vmap(gradient)(x, t)
    one_by_one = torch.stack([alone(*pair) for pair in zip(x, t, strict=True)])
    gradients = torch.stack([gradient(*pair) for pair in zip(x, t, strict=True)])
    return [(a - b).abs().max().item() for a, b in zip(ours, (one_by_one, gradients), strict=True)]


def complaints(device, name):
    """What a bad label does to the loss: at once where that costs nothing, else later."""
    loss, x, t = loss_of(name, {}, device)
    t[1, 2] = 9
    said = []
    if x.device.type == "cpu":
        with pytest.raises(ValueError, match="class index 9, but input has 4 classes"):
            loss(x, t)
        value = torch.func.vmap(lambda x: loss(x, t))(x.unsqueeze(0))
    else:
        value = loss(x, t)
    try:
        losskit.flush_errors()
    except ValueError as error:
        said.append(str(error))
    losskit.flush_errors()
    return said, bool(value.isnan().all())
